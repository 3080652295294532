package access

import (
	"encoding/json"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs"
)

func TestRunReachesItsOwnInstallationWhileItIsActive(t *testing.T) {
	t.Parallel()
	store := Rule{Kinds: append(DefaultKinds(), KindRun), Needs: []Capability{KVStoreRead, KVStoreWrite}, Scope: ScopeInstallation}
	report := Rule{Kinds: []Kind{KindRun}, Scope: ScopeVCS, EndedRun: true}
	active, ended := OfRun("r", github1, true), OfRun("r", github1, false)
	for name, c := range map[string]struct {
		caller Caller
		rule   Rule
		target vcs.Installation
		want   bool
	}{
		"store":                              {active, store, github1, true},
		"store of another installation":      {active, store, vcs.Installation{VCS: "github", ID: "2"}, false},
		"same id at the other VCS":           {active, store, vcs.Installation{VCS: "gitlab", ID: "1"}, false},
		"store, ended":                       {ended, store, github1, false},
		"another capability":                 {active, Rule{Kinds: store.Kinds, Needs: []Capability{AuditRead}, Scope: ScopeInstallation}, github1, false},
		"route of people and keys":           {active, Rule{Scope: ScopeInstallation}, github1, false},
		"route of no installation":           {active, Rule{}, vcs.Installation{}, false},
		"report":                             {active, report, vcs.Installation{VCS: "github"}, true},
		"report, ended":                      {ended, report, vcs.Installation{VCS: "github"}, true},
		"report at the other VCS":            {ended, report, vcs.Installation{VCS: "gitlab"}, false},
		"report by an access token":          {reader(), report, vcs.Installation{VCS: "github"}, false},
		"an access token is never \"ended\"": {reader(KVStoreWrite), store, github1, true},
	} {
		if err := Authorize(c.caller, c.rule, c.target, now); (err == nil) != c.want {
			t.Errorf("%s: got %v, want allowed %t", name, err, c.want)
		}
	}
}

func TestRunPassesThroughTheAuthorizersContext(t *testing.T) {
	t.Parallel()
	context, err := OfRun("5b0e7f7a", github1, true).Context()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	var passed map[string]any
	if err := json.Unmarshal(text, &passed); err != nil {
		t.Fatal(err)
	}
	got, err := FromContext(passed)
	if err != nil || got.Run() != "5b0e7f7a" || got.User != "run:5b0e7f7a" || !got.Active || !got.Reaches(github1) {
		t.Errorf("got %+v, %v", got, err)
	}
	got.Kind = KindSession
	if got.Run() != "" {
		t.Error("a session has a run")
	}
}
