//go:build unix

package runtimeapi

import (
	"context"
	"sync"
	"time"
)

// Function runs instances of one function: an event goes to an idle one, or to
// a new one while there are fewer than the limit.
type Function struct {
	max int

	mu      sync.Mutex
	spec    Spec
	version int
	idle    []*member // the last one became idle last
	all     map[*member]struct{}
	closed  bool
	events  sync.WaitGroup // invocations under way
}

// member is an instance of some version of the function.
type member struct {
	*Instance
	version int
	since   time.Time // idle since
}

// idleLimit is how long surplus instances of a burst are kept.
const idleLimit = 5 * time.Minute

// NewFunction returns a function without instances. It runs max at most.
func NewFunction(spec Spec, max int) *Function {
	return &Function{spec: spec, max: max, all: map[*member]struct{}{}}
}

// Invoke delivers an event and waits for its answer. When ctx ends first the
// event goes on without its caller, as in Lambda. It fails with ErrThrottled,
// ErrTooLarge, ErrClosed, a *FunctionError, or the error of ctx.
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
			continue // an idle instance had died; it has not seen the event
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

// busy counts the instances that the limit is about. Those of an earlier
// version are ending and make room.
func (f *Function) busy() int {
	n := 0
	for m := range f.all {
		if m.version == f.version {
			n++
		}
	}
	return n
}

// start starts an instance of the current version. The lock is held.
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

// drop forgets an instance that has ended.
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

// Replace starts an instance of another binary and lets it take over once it
// is ready: events under way finish where they are, no event waits. If the new
// binary does not get ready the old one stays, and the error says why.
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

// Close refuses further events, gives those under way the grace period to
// finish, and ends every process.
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
