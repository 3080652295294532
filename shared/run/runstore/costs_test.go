package runstore_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// small and large are the runs whose costs are counted.
const (
	small = 1
	large = 5000
)

// plan creates a run of n directories, whose ids are as long as on AWS.
func plan(t *testing.T, s runstore.Store, n int) run.Run {
	return planOf(t, s, many(n))
}

func planOf(t *testing.T, s runstore.Store, list []run.Dirspace) run.Run {
	c := creation(run.Plan, list)
	c.Token = runstore.Token{Hash: make([]byte, 32), Sealed: make([]byte, 130)}
	c.Manifest.Body = make([]byte, 2000)
	return create(t, s, c, 0)
}

// counted has a scenario for each row of costs.md: it prepares an operation and
// returns it.
var counted = map[string]func(*testing.T, runstore.Store) func() error{
	"create a run of 1 directory, the first of its repository": func(t *testing.T, s runstore.Store) func() error {
		return func() error { planOf(t, s, directories(small)); return nil }
	},
	"create a run of 5,000 directories, the first of its repository": func(t *testing.T, s runstore.Store) func() error {
		return func() error { planOf(t, s, directories(large)); return nil }
	},
	"claim": func(t *testing.T, s runstore.Store) func() error {
		id := plan(t, s, small).ID
		return func() error { claim(t, s, id, 0); return nil }
	},
	"claim, while an apply of 5,000 directories runs": func(t *testing.T, s runstore.Store) func() error {
		start(t, s, create(t, s, creation(run.Apply, many(large)), 0).ID, "1", 0)
		id := create(t, s, creation(run.Plan, dirs("elsewhere")), 0).ID
		return func() error { claim(t, s, id, 0); return nil }
	},
	"claim, where nothing waits": func(t *testing.T, s runstore.Store) func() error {
		claim(t, s, plan(t, s, small).ID, 0)
		return func() error { _, _, err := s.Claim(t.Context(), repository, lease, at(0)); return err }
	},
	"record that the host is asked": func(t *testing.T, s runstore.Store) func() error {
		got := claim(t, s, plan(t, s, small).ID, 0)
		return func() error { _, err := s.Asking(t.Context(), got, at(0)); return err }
	},
	"record a dispatch": func(t *testing.T, s runstore.Store) func() error {
		got := claim(t, s, plan(t, s, small).ID, 0)
		return func() error {
			_, err := s.Dispatched(t.Context(), got, runstore.HostRun{ID: "15800000001", URL: "https://github.com/acme/infra/actions/runs/15800000001"}, at(0))
			return err
		}
	},
	"initiate": func(t *testing.T, s runstore.Store) func() error {
		id := plan(t, s, small).ID
		claim(t, s, id, 0)
		return func() error { _, err := s.Initiate(t.Context(), id, job("15800000001"), at(0)); return err }
	},
	"initiate, repeated": func(t *testing.T, s runstore.Store) func() error {
		id := plan(t, s, small).ID
		start(t, s, id, "1", 0)
		return func() error { _, err := s.Initiate(t.Context(), id, job("1"), at(0)); return err }
	},
	"complete a run of 1 directory":       completing(small),
	"complete a run of 5,000 directories": completing(large),
	"complete, repeated": func(t *testing.T, s runstore.Store) func() error {
		complete := completing(small)(t, s)
		if err := complete(); err != nil {
			t.Fatal(err)
		}
		return complete
	},
	"abort a run of 1 directory":       aborting(small),
	"abort a run of 5,000 directories": aborting(large),
	"unlock, with one run to abort": func(t *testing.T, s runstore.Store) func() error {
		plan(t, s, small)
		return func() error {
			_, err := s.Unlock(t.Context(), repository, run.OriginOfPullRequest(17), "ann", at(0))
			return err
		}
	},
	"read a run of 1 directory":       reading(small),
	"read a run of 5,000 directories": reading(large),
	"read what decides about a run's token": func(t *testing.T, s runstore.Store) func() error {
		id := plan(t, s, small).ID
		return func() error { _, err := s.Bearer(t.Context(), id); return err }
	},
	"read the run of a CI run": func(t *testing.T, s runstore.Store) func() error {
		start(t, s, plan(t, s, small).ID, "1", 0)
		return func() error { _, err := s.ByCIRun(t.Context(), repository, "1"); return err }
	},
}

func completing(n int) func(*testing.T, runstore.Store) func() error {
	return func(t *testing.T, s runstore.Store) func() error {
		id := plan(t, s, n).ID
		start(t, s, id, "1", 0)
		return func() error { _, err := s.Complete(t.Context(), id, done(n), at(time.Minute)); return err }
	}
}

func aborting(n int) func(*testing.T, runstore.Store) func() error {
	return func(t *testing.T, s runstore.Store) func() error {
		id := plan(t, s, n).ID
		start(t, s, id, "1", 0)
		return func() error {
			_, _, err := s.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, at(time.Minute))
			return err
		}
	}
}

func reading(n int) func(*testing.T, runstore.Store) func() error {
	return func(t *testing.T, s runstore.Store) func() error {
		id := plan(t, s, n).ID
		return func() error {
			r, err := s.Get(t.Context(), id)
			if err == nil && len(r.Dirspaces) != n {
				t.Errorf("got %d directories, want %d", len(r.Dirspaces), n)
			}
			return err
		}
	}
}

// TestOperationsUseWhatTheDocumentSays counts the requests and the units of each
// operation, and compares them with costs.md.
func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	document, err := costs.Read()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := document.Operations("What the store of runs uses")
	if err != nil {
		t.Fatal(err)
	}
	for name := range rows {
		if counted[name] == nil {
			t.Errorf("nothing counts %q", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counted)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, meter := costs.New(t)
			s := over(env)
			s.DB = meter.DynamoDB()
			operate := counted[name](t, s)
			meter.Start()
			if err := operate(); err != nil {
				t.Fatal(err)
			}
			meter.Stop()
			want, ok := rows[name]
			if got := meter.Used(); !ok || !maps.Equal(got.DynamoDB, want.Use.DynamoDB) || got.Reads != want.Use.Reads || got.Writes != want.Use.Writes {
				t.Errorf("counted %v, %v read units, %v write units; costs.md says %v", got.DynamoDB, got.Reads, got.Writes, want.Use)
			}
		})
	}
}
