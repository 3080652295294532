//go:build unix

package storagetest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Kind is the way in which a request fails.
type Kind int

// The ways in which a request can fail. The local servers never throttle and never report a
// conflict. So the code for these cases can only be tested with faults.
const (
	// Pass lets the request through. Use it if only Delay and Before are needed.
	Pass Kind = iota
	// Throttle responds that the table is over its throughput (S3: SlowDown). The request had
	// no effect.
	Throttle
	// Conflict responds that another transaction is changing the item. The request had no
	// effect. Only for DynamoDB.
	Conflict
	// ServerError responds with 500. The request had no effect, but the client cannot know
	// that.
	ServerError
	// LoseAnswer loses the response: the request takes effect, and then the client times out.
	LoseAnswer
	// LoseRequest loses the request: the client times out, and the server never sees the
	// request. The client cannot distinguish this from LoseAnswer.
	LoseRequest
	// Late times out as LoseRequest does, but the request is not lost. It reaches the server
	// when Faults.Deliver is called.
	Late
	// Refuse refuses the connection. The client knows that the request had no effect.
	Refuse
	// Duplicate delivers the request twice, directly one after the other. No other request of
	// these clients comes in between. The client gets the second response.
	Duplicate
)

// Fault says which request fails and how.
type Fault struct {
	// Operation is a DynamoDB operation ("PutItem"), or "s3:" and an HTTP method ("s3:PUT").
	// Empty matches every request.
	Operation string
	// Nth says which matching request fails, counted from 1 after the fault is added. 0 means
	// every matching request. A client's retry counts as a request.
	Nth int
	// Kind is the way in which the request fails.
	Kind Kind
	// Delay is waited before anything else.
	Delay time.Duration
	// Before is called before the request is sent or fails. In it, a test can let another
	// writer act. It may use clients without faults.
	Before func()
}

// Faults injects failures into requests and counts the requests. The zero value injects
// nothing. Several clients may use it at once.
type Faults struct {
	// Choose, if it is set, chooses the fault of every request that no added fault applies to.
	// Several requests may call it at once. It must be set before the first request.
	Choose func(operation string) Fault

	wire   sync.RWMutex // held while a request is delivered twice
	mu     sync.Mutex
	active []*activeFault
	calls  map[string]int
	late   []func() error
}

type activeFault struct {
	Fault
	seen int
}

// Add adds a fault. There may be several faults. The first one that matches a request applies
// to it.
func (f *Faults) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = append(f.active, &activeFault{Fault: fault})
}

// Clear removes every fault and sets the counts to zero.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active, f.calls = nil, nil
}

// Calls returns the number of requests of an operation, with failed requests and retries. ""
// counts all operations.
func (f *Faults) Calls(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[operation]
}

// Deliver sends the requests that Late has kept to the server, in their order, and ignores the
// responses. It returns the first failure to send a request.
func (f *Faults) Deliver() error {
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	for _, send := range late {
		if err := send(); err != nil {
			return err
		}
	}
	return nil
}

// next counts a request and returns its fault.
func (f *Faults) next(operation string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[operation]++
	f.calls[""]++
	var found *activeFault
	for _, a := range f.active {
		if a.Operation != "" && a.Operation != operation {
			continue
		}
		a.seen++ // every fault counts the request, even if another fault applies to it
		if found == nil && (a.Nth == 0 || a.Nth == a.seen) {
			found = a
		}
	}
	switch {
	case found != nil:
		return found.Fault
	case f.Choose != nil:
		return f.Choose(operation)
	}
	return Fault{}
}

// faultyClient is the HTTP client of an AWS client with faults.
type faultyClient struct {
	faults *Faults
	next   aws.HTTPClient
}

// Do implements aws.HTTPClient.
func (c *faultyClient) Do(r *http.Request) (*http.Response, error) {
	fault := c.faults.next(operation(r))
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if fault.Before != nil {
		fault.Before()
	}
	switch fault.Kind {
	case Throttle, Conflict, ServerError:
		return answer(r, fault.Kind)
	case LoseAnswer:
		response, err := c.send(r)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return nil, lost()
	case LoseRequest:
		return nil, lost()
	case Late:
		return nil, c.hold(r)
	case Refuse:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case Duplicate:
		return c.twice(r)
	}
	return c.send(r)
}

func (c *faultyClient) send(r *http.Request) (*http.Response, error) {
	c.faults.wire.RLock()
	defer c.faults.wire.RUnlock()
	return c.next.Do(r)
}

// twice delivers a request two times.
func (c *faultyClient) twice(r *http.Request) (*http.Response, error) {
	first, second, err := split(r)
	if err != nil {
		return nil, err
	}
	c.faults.wire.Lock()
	defer c.faults.wire.Unlock()
	response, err := c.next.Do(first)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return c.next.Do(second)
}

// split returns two requests that are copies of one, because a body can be read only once.
func split(r *http.Request) (first, second *http.Request, err error) {
	if r.Body == nil {
		return r, r.Clone(r.Context()), nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, nil, err
	}
	first, second = r.Clone(r.Context()), r.Clone(r.Context())
	first.Body, second.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
	return first, second, nil
}

// hold keeps a request until Deliver.
func (c *faultyClient) hold(r *http.Request) error {
	if r.Body == nil {
		r.Body = http.NoBody // a request that reads has no body
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.late = append(c.faults.late, func() error {
		response, err := c.send(r)
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
	return lost()
}

func lost() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: timeout{}}
}

// timeout is the error that the network library returns after a timeout.
type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func operation(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, name, _ := strings.Cut(target, ".")
		return name
	}
	return "s3:" + r.Method
}
