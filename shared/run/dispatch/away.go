package dispatch

import (
	"context"
	"errors"
	"sync"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// away are the installations whose host did not work during an invocation: it did not
// respond, failed, or takes no more requests. It may be nil: then none is.
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

// errAway says that the host was not asked, because an earlier request failed.
var errAway = errors.New("an earlier request to the host has failed: the next invocation asks again")

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
	d.noticed(of, err)
	return err
}

// noticed remembers an installation whose host does not work now. A refusal that is about
// one run only says nothing about the others.
func (d Dispatcher) noticed(of vcs.Installation, err error) {
	if err == nil || errors.Is(err, vcshost.ErrGone) {
		return
	}
	if problem, known := vcshost.Explain(of.VCS, err); !known || !problem.Permanent {
		d.away.add(of)
	}
}
