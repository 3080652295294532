package dispatch

import (
	"context"
	"errors"
	"sync"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// away are the installations whose host did not respond in time during a sweep. It may be
// nil: then none is.
type away struct {
	mu   sync.Mutex
	list map[vcs.Installation]bool
}

func (a *away) add(i vcs.Installation) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.list == nil {
		a.list = map[vcs.Installation]bool{}
	}
	a.list[i] = true
}

func (a *away) has(i vcs.Installation) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.list[i]
}

// errAway says that the host was not asked, because it did not respond in time before.
var errAway = errors.New("the host did not respond in time to an earlier request of this sweep")

// ask sends a request about a run to its host. It gives the host callTime.
func (d Dispatcher) ask(ctx context.Context, r run.Run, send func(context.Context, Host) error) error {
	of := r.Repository.Installation
	if d.away.has(of) {
		return errAway
	}
	own, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	client, err := d.Open(own, of)
	if err == nil {
		err = send(own, client)
	}
	d.overdue(own, of, err)
	return err
}

// overdue remembers an installation whose host did not respond in time.
func (d Dispatcher) overdue(own context.Context, of vcs.Installation, err error) {
	if err != nil && (own.Err() != nil || errors.Is(err, context.DeadlineExceeded)) {
		d.away.add(of)
	}
}
