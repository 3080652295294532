package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/costs"
	"github.com/opsplane/opsplane/shared/audit"
)

func TestListsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, "AuditFunction", map[string]costs.Scenario{
		"records of an installation, page of 50 of one day": counting(of42),
		"the caller's own records, page of 50 of one day":   counting(path),
	}, "Audit")
}

func counting(target string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := newRig(t)
		for n := range 100 {
			at := audit.Store{DB: env.DynamoDB, Table: env.Table("AuditTable")}
			record := audit.Record{
				ID: fmt.Sprintf("%032d", n), At: born.Add(-time.Duration(n) * time.Minute / 10), Action: "key.write", Subject: "plan/1",
				Actor: audit.Actor{ID: "ann"}, VCS: "github", Installation: "42", After: map[string]any{"version": 1, "size": 100, "committed": true},
			}
			if _, err := at.Put(t.Context(), record); err != nil {
				t.Fatal(err)
			}
		}
		r.use(trail{records: audit.Store{DB: m.DynamoDB(), Table: env.Table("AuditTable")}, users: r.users})
		m.Start()
		m.Request("GET", target)
		if status, ids, _ := r.get(t, target); status != 200 || len(ids) != 50 {
			t.Errorf("status %d, %d records", status, len(ids))
		}
		return m
	}
}
