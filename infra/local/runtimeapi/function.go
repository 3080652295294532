//go:build unix

package runtimeapi

import (
	"context"
	"sync"
	"time"
)

// Function runs instances of one function. An event goes to an idle instance. If there is none
// and the limit is not reached, it goes to a new instance.
type Function struct {
	max int

	mu      sync.Mutex
	spec    Spec
	version int
	idle    []*member // the last one became idle most recently
	all     map[*member]struct{}
	closed  bool
	events  sync.WaitGroup // invocations under way
}

// member is an instance of one version of the function.
type member struct {
	*Instance
	version int
	since   time.Time // the time at which it became idle
}

// idleLimit is how long an idle instance beyond the first is kept after a burst of events.
const idleLimit = 5 * time.Minute

// NewFunction returns a function without instances. It runs at most max instances.
func NewFunction(spec Spec, max int) *Function {
	return &Function{spec: spec, max: max, all: map[*member]struct{}{}}
}

// Invoke delivers an event and waits for its response. If ctx ends first, Invoke returns and
// the function still finishes the event, as in Lambda. It fails with ErrThrottled, ErrTooLarge,
// ErrClosed, a *FunctionError, or the error of ctx.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, ErrTooLarge
	}
	done := make(chan result, 1)
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, ErrClosed
	}
	f.events.Add(1)
	f.mu.Unlock()
	go func() {
		defer f.events.Done()
		payload, err := f.run(payload)
		done <- result{payload, err}
	}()
	select {
	case r := <-done:
		return r.payload, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *Function) run(payload []byte) ([]byte, error) {
	for {
		m, fresh, err := f.acquire()
		if err != nil {
			return nil, err
		}
		in := m.invocation(payload)
		if err := m.deliver(in); err != nil {
			f.drop(m)
			if fresh {
				return nil, err
			}
			continue // an idle instance had died, and it has not seen the event
		}
		answer, err := m.await(in)
		f.release(m)
		return answer, err
	}
}

func (f *Function) acquire() (m *member, fresh bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, false, ErrClosed
	}
	if n := len(f.idle); n > 0 {
		m := f.idle[n-1]
		f.idle = f.idle[:n-1]
		return m, false, nil
	}
	if f.busy() >= f.max {
		return nil, false, ErrThrottled
	}
	m, err = f.start()
	return m, true, err
}

// busy returns the number of instances that count for the limit. Instances of an earlier
// version do not count: they are ending.
func (f *Function) busy() int {
	n := 0
	for m := range f.all {
		if m.version == f.version {
			n++
		}
	}
	return n
}

// start starts an instance of the current version. The caller holds the lock.
func (f *Function) start() (*member, error) {
	i, err := Start(f.spec)
	if err != nil {
		return nil, err
	}
	m := &member{Instance: i, version: f.version}
	f.all[m] = struct{}{}
	go func() {
		<-i.Done()
		f.drop(m)
	}()
	return m, nil
}

// release makes an instance idle, or ends it if it is of an earlier version.
func (f *Function) release(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.all[m]; !ok {
		return
	}
	if m.version != f.version || f.closed {
		go m.Stop()
		return
	}
	m.since = time.Now()
	f.idle = append(f.idle, m)
	if oldest := f.idle[0]; len(f.idle) > 1 && time.Since(oldest.since) > idleLimit {
		f.idle = f.idle[1:]
		go oldest.Stop()
	}
}

// drop removes an instance that has ended.
func (f *Function) drop(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, m)
	for n, idle := range f.idle {
		if idle == m {
			f.idle = append(f.idle[:n:n], f.idle[n+1:]...)
			return
		}
	}
}

// Replace starts an instance of another binary. When that instance is ready, it takes over.
// Events under way finish in their instances, and no event waits. If the new binary does not
// get ready, the old one stays, and the error gives the reason.
func (f *Function) Replace(ctx context.Context, binary string) error {
	f.mu.Lock()
	spec := f.spec
	f.mu.Unlock()
	spec.Binary = binary
	i, err := Start(spec)
	if err != nil {
		return err
	}
	if _, err := i.Ready(ctx); err != nil {
		i.Stop()
		return err
	}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		i.Stop()
		return ErrClosed
	}
	old := f.idle
	f.spec = spec
	f.version++
	m := &member{Instance: i, version: f.version, since: time.Now()}
	f.all[m] = struct{}{}
	f.idle = []*member{m}
	f.mu.Unlock()
	go func() {
		<-i.Done()
		f.drop(m)
	}()
	for _, m := range old {
		m.Stop()
	}
	return nil
}

// Warm makes sure that an instance runs and is ready for its first event.
func (f *Function) Warm(ctx context.Context) error {
	m, _, err := f.acquire()
	if err != nil {
		return err
	}
	if _, err := m.Ready(ctx); err != nil {
		m.Stop()
		return err
	}
	f.release(m)
	return nil
}

// PIDs returns the process ids of the instances, in no order.
func (f *Function) PIDs() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]int, 0, len(f.all))
	for m := range f.all {
		ids = append(ids, m.PID())
	}
	return ids
}

// Close refuses further events, waits up to the grace period for the events under way, and ends
// every process.
func (f *Function) Close(grace time.Duration) {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	finished := make(chan struct{})
	go func() {
		f.events.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(grace):
	}
	f.mu.Lock()
	members := make([]*member, 0, len(f.all))
	for m := range f.all {
		members = append(members, m)
	}
	f.mu.Unlock()
	var stopped sync.WaitGroup
	for _, m := range members {
		stopped.Go(m.Stop)
	}
	stopped.Wait()
}
