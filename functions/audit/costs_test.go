package main

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit"
)

func TestListsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, function, map[string]costs.Scenario{
		"records of an installation, page of 50":             counting(of42, 50),
		"records of a key, page of 50":                       counting(of42+"&key=plan/1", 50),
		"the caller's own records, page of 50":               counting(path, 50),
		"records of an action that is rare, 1,000 looked at": counting(of42+"&action=key.remove", 0),
	}, "Audit")
}

// counting counts a page that must have want records, of a trail of sixty days.
func counting(target string, want int) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, function))
		fill(t, env, 1200)
		r.Serve(routes(over(m.Role(function))))
		m.Start()
		m.Request("GET", target)
		if status, ids, _ := r.get(t, target); status != 200 || len(ids) != want {
			t.Errorf("status %d, %d records", status, len(ids))
		}
		return m
	}
}

// fill adds n records over sixty days. The newest is from now.
func fill(t *testing.T, env *storagetest.Env, n int) {
	t.Helper()
	records := audit.Store{DB: env.DynamoDB, Table: env.Table("AuditTable")}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			_, err := records.Put(ctx, audit.Record{
				ID: fmt.Sprintf("%032d", i), At: born.Add(-time.Duration(i) * 60 * 24 * time.Hour / time.Duration(n)), Action: "key.write",
				Subject: "plan/1", Actor: audit.Actor{ID: "ann"}, VCS: "github", Installation: "42",
				After: map[string]any{"version": 1, "size": 100, "committed": true},
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
