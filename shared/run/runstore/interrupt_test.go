package runstore_test

import (
	"sync/atomic"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// interrupted makes a call of the store that dies directly after its nth request of
// an operation took effect. "" counts all operations. It reports whether there were
// so many requests.
func interrupted(t *testing.T, env *storagetest.Env, call func(runstore.Store) error, operation string, nth int) bool {
	t.Helper()
	var f storagetest.Faults
	var died atomic.Bool // items are written and removed several at a time
	f.Add(storagetest.Fault{Operation: operation, Nth: nth, Kind: storagetest.LoseAnswer, Before: func() { died.Store(true) }})
	f.Choose = func(string) storagetest.Fault {
		if died.Load() {
			return storagetest.Fault{Kind: storagetest.LoseRequest}
		}
		return storagetest.Fault{}
	}
	if err := call(over(env.WithFaults(&f))); (err == nil) == died.Load() {
		t.Fatalf("died %t, but got %v", died.Load(), err)
	}
	return died.Load()
}
