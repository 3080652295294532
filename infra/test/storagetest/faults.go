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

// Kind is what goes wrong with a request.
type Kind int

// What can go wrong. The local servers never throttle and never see a
// conflict, so that code for these can be tried with faults alone.
const (
	// Pass lets the request through: for Delay and Before alone.
	Pass Kind = iota
	// Throttle answers that the table is over its throughput (S3: SlowDown).
	// Nothing happened.
	Throttle
	// Conflict answers that another transaction is under way on the item.
	// Nothing happened. DynamoDB only.
	Conflict
	// ServerError answers 500. Nothing happened, but the client cannot know.
	ServerError
	// LoseAnswer lets the request take effect and then times out.
	LoseAnswer
	// LoseRequest times out before the server has seen the request. The client
	// cannot tell it from LoseAnswer.
	LoseRequest
	// Late times out as LoseRequest does, but the request is still on its way:
	// it reaches the server when Faults.Deliver is called.
	Late
	// Refuse fails to connect. The client knows that nothing happened.
	Refuse
	// Duplicate delivers the request twice, one right behind the other with no
	// request of these clients in between, and answers what the second was
	// answered.
	Duplicate
)

// Fault says which request fails and how.
type Fault struct {
	// Operation is a DynamoDB operation ("PutItem"), or "s3:" and an HTTP method
	// ("s3:PUT"). Empty means any request.
	Operation string
	// Nth is which matching request fails, counted from 1 when the fault is
	// added. 0 means every one. A retry by the client is a request of its own.
	Nth int
	// Kind is what happens to it.
	Kind Kind
	// Delay passes before anything else.
	Delay time.Duration
	// Before is called before the request is sent or fails: a test lets another
	// writer in there. It may use clients without faults.
	Before func()
}

// Faults injects failures into requests and counts them. The zero value lets
// everything through. It may be used by several clients at once.
type Faults struct {
	// Choose, if set, decides about every request for which no added fault
	// does. It may be called by several requests at once, and must be set before
	// the first.
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

// Add makes a fault active. Several may be; the first that matches a request
// is the one that happens to it.
func (f *Faults) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = append(f.active, &activeFault{Fault: fault})
}

// Clear removes every fault and sets the counts back to zero.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active, f.calls = nil, nil
}

// Calls returns how many requests of an operation were made, failed ones and
// retries included; "" counts all.
func (f *Faults) Calls(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[operation]
}

// Deliver lets the requests that are on their way reach the server, in their
// order, and forgets their answers. It answers the first failure to send one.
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

// next counts a request and returns what happens to it.
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
		a.seen++ // every fault counts, also one that another forestalls
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

// faultyClient is the HTTP client of an AWS client.
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

// split makes two requests of one, whose body can be read only once.
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

// hold keeps a request for Deliver.
func (c *faultyClient) hold(r *http.Request) error {
	if r.Body == nil {
		r.Body = http.NoBody // of a read
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

// timeout is what the network library reports when time is up.
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
