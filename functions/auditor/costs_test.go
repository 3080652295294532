package main

import (
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

func TestRecordsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, function, map[string]costs.Scenario{
		"record of a change":                 recording(1),
		"change that the stream sends again": recording(2),
		"change that leaves no record":       recording(0),
	}, "Audit trail")
}

// recording counts the cost of the last of several deliveries of a change. With 0
// deliveries, the change is one of an item that is not recorded.
func recording(times int) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, function))
		r.auditor = r.over(m.Role(function))
		author := change.Author{
			Principal: uuid.NewString(), Credential: uuid.NewString(), Request: uuid.NewString(), Source: "203.0.113.250", At: born,
		}
		known := repository.Store{DB: env.DynamoDB, Table: env.Table("VcsTable")}
		if err := known.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "12345678"}, vcs.Description{ID: "99001122", Owner: "acme", Name: "infra"}, "1"); err != nil {
			t.Fatal(err)
		}
		list := r.changes(t)
		if times == 0 {
			list[0].Change.Keys["pk"] = events.NewStringAttribute("UNKNOWN#github#12345678")
		}
		for n := 1; n < times; n++ {
			tell(t, r.auditor, list)
		}
		m.Start()
		m.Invoke("auditor")
		tell(t, r.auditor, list)
		return m
	}
}
