// Package death ends a worker of a test in the middle of its work: at one of its requests to
// the storage or to a host. All later requests are refused, as nobody is there to send them.
package death

import (
	"context"
	"sync"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// Death ends a worker at its Nth request, from 1. At the storage, that request takes effect
// and its response is lost. At a host, it takes effect if HostActs is set.
type Death struct {
	Nth      int
	HostActs bool
	// Kill ends the worker's context.
	Kill context.CancelFunc

	mu    sync.Mutex
	calls int
}

// Came reports whether the worker sent its Nth request.
func (d *Death) Came() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls >= d.Nth
}

// Storage is for storagetest.Faults.Choose.
func (d *Death) Storage(string) storagetest.Fault {
	switch last, dead := d.next(); {
	case dead:
		return storagetest.Fault{Kind: storagetest.Refuse}
	case last:
		return storagetest.Fault{Kind: storagetest.LoseAnswer}
	}
	return storagetest.Fault{}
}

// Host is for the Choose method of a stand-in.
func (d *Death) Host(string) *vcstest.Failure {
	if last, dead := d.next(); last || dead {
		d.Kill()
		return &vcstest.Failure{Late: d.HostActs && last}
	}
	return nil
}

func (d *Death) next() (last, dead bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if d.calls > d.Nth {
		d.Kill()
	}
	return d.calls == d.Nth, d.calls > d.Nth
}
