package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestQueryLanguageIsThatOfTheContract asks the lists over HTTP for each key, with each
// operator. The runs are, the oldest first: A, a completed plan of a pull request; B, a
// completed unsafe apply on a branch, whose second directory failed; C, a run that looks
// for drift and is queued; D, an aborted plan of another repository, without a user.
func TestQueryLanguageIsThatOfTheContract(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.createAs(t, "42", func(s *run.Spec) { s.Environment = "prod" }, "net", "prod/db")
	r.works(t, a, 90*time.Second)
	r.complete(t, a, true, true)
	b := r.createAs(t, "42", func(s *run.Spec) {
		s.Type, s.Kind, s.User = run.UnsafeApply, run.Kind{Name: run.Branch}, "bob"
		s.Source = s.Base
		s.Dirspaces[0].Workspace = "blue"
	}, "prod/db", "web")
	r.works(t, b, time.Second)
	if _, err := r.store.Complete(t.Context(), b, run.Result{Outcomes: []run.Outcome{run.HasResult | run.Succeeded, run.HasResult}}, r.Author()); err != nil {
		t.Fatal(err)
	}
	c := r.createAs(t, "42", func(s *run.Spec) { drift(s); s.User = "" }, "prod")
	d := r.createAs(t, "42", func(s *run.Spec) { s.Repository.ID, s.Name, s.User = "8", "infra-old", "" }, "web")
	if _, _, err := r.store.Abort(t.Context(), d, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.Author()); err != nil {
		t.Fatal(err)
	}
	name := map[run.ID]string{a: "A", b: "B", c: "C", d: "D"}
	day := r.Clock.Now().UTC().Format("2006-01-02")
	minute := r.Clock.Now().UTC().Format("2006-01-02 15:04")
	found, err := r.store.Get(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	minuteOfA := found.CreatedAt.Format("2006-01-02 15:04")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	inBerlin := found.CreatedAt.In(berlin).Format("2006-01-02 15:04")
	// Each row of the list of runs is a letter, the newest first.
	for q, want := range map[string]string{
		"": "DCBA", "   ": "DCBA", "id:" + string(b): "B", "id:" + strings.ToUpper(string(b)): "B", "id:00000000-0000-4000-8000-000000000000": "",
		"repo:infra": "CBA", "repo:infra*": "DCBA", "repo:Infra": "", "branch:main": "B", "branch:feat*": "DCA", "branch:feature": "", "pr:17": "DA", "pr:18": "",
		"user:alice": "A", "user:a*": "A", "user:": "DC", "not user:": "BA", "not user:alice": "B", "user:*": "BA",
		"type:plan": "DCA", "type:apply": "B", "type:unsafe-apply": "B", "type:autoplan": "", "kind:pr": "DA", "kind:drift": "C", "kind:branch": "B", "kind:index": "B", "kind:x": "",
		"not kind:index": "DCA", "state:queued": "C", "state:running": "", "state:completed": "BA", "state:aborted": "D", "not state:completed": "DC",
		"environment:prod": "A", "not environment:prod": "", "environment:": "DCB", "dir:web": "DB", "dir:prod": "C", "dir:prod/*": "BA", "dir:p*": "CBA", "not dir:web": "CA",
		"workspace:blue": "B", "workspace:default": "DCBA", "dir:web and workspace:blue": "B",
		"created_at:" + day: "DCBA", "created_at:" + day + "..": "DCBA", "created_at:.." + day: "", "created_at:2024..2025": "", "created_at:": "",
		`"created_at:` + minute + `.."`: "DCB", `"created_at:` + minuteOfA + `"`: "A", `'created_at:..` + minute + `'`: "A",
		"has_changes": "A", "destroys": "A", "not destroys": "", "duration:1m..": "A", "duration:..1m": "B", "duration:90s..91s": "A", "not duration:1m..": "B",
		"sort:asc": "ABCD", "sort:desc": "DCBA", "sort:desc sort:asc": "ABCD", "not sort:asc": "", "sort:asc and type:plan": "ACD",
		// Juxtaposition takes everything up to the end of the group as its right operand.
		"kind:drift and repo:none or user:bob": "B", "user:bob or kind:drift and repo:none": "B", "repo:infra user:bob or kind:drift": "CB", "(user:bob or kind:drift) repo:infra": "CB",
		"not user:alice user:bob or kind:pr": "B", "NOT type:plan OR pr:17": "DBA", `"kind:drift"`: "C", "kind:drift\trepo:infra": "C",
	} {
		target := base + "/work-manifests?q=" + url.QueryEscape(q)
		got := ""
		for _, id := range shown(t, r.Do(t, "GET", target, "")) {
			got += name[run.ID(id)]
		}
		if got != want {
			t.Errorf("runs under %q: got %s, want %s", q, got, want)
		}
	}
	for target, want := range map[string]string{
		"?d=asc": "ABCD", "?d=desc": "DCBA", "?d=asc&q=sort:desc": "DCBA", "?lite=true": "DCBA", "?lite=false&limit=2": "DC", "?tz=Nowhere/X": "DCBA",
		"?tz=Europe/Berlin&q=" + url.QueryEscape(`"created_at:`+inBerlin+`"`): "A",
	} {
		got := ""
		for _, id := range shown(t, r.Do(t, "GET", base+"/work-manifests"+target, "")) {
			got += name[run.ID(id)]
		}
		if got != want {
			t.Errorf("runs with %s: got %s, want %s", target, got, want)
		}
	}
	// A directory is its run with the name.
	for q, want := range map[string]string{
		"state:success": "B/prod/db A/prod/db A/net", "state:failure": "B/web", "state:pending": "C/prod", "state:queued": "C/prod", "state:running": "", "state:aborted": "D/web",
		"dir:prod/db": "B/prod/db A/prod/db", "dir:prod/*": "B/prod/db A/prod/db", "dir:prod/db and workspace:blue": "B/prod/db", "dir:web and workspace:blue": "",
		"has_changes": "A/prod/db A/net", "kind:index": "B/web B/prod/db", "not state:success and dir:web": "D/web B/web", "sort:asc and dir:web": "B/web D/web", "pr:17 and repo:infra": "A/prod/db A/net",
	} {
		var page struct {
			Dirspaces []struct {
				ID  run.ID
				Dir string
			}
		}
		r.Do(t, "GET", base+"/dirspaces?q="+url.QueryEscape(q), "").Read(t, &page)
		var list []string
		for _, one := range page.Dirspaces {
			list = append(list, name[one.ID]+"/"+one.Dir)
		}
		if wanted := strings.Fields(want); !slices.Equal(list, wanted) {
			t.Errorf("directories under %q: got %v, want %v", q, list, wanted)
		}
	}
	for target, want := range map[string]string{
		"/work-manifests?q=" + url.QueryEscape(`user:"x`): "PARSE_ERROR", "/work-manifests?q=not+not+pr:1": "PARSE_ERROR", "/work-manifests?q=pr:1+or": "PARSE_ERROR",
		"/work-manifests?q=()": "PARSE_ERROR", "/work-manifests?q=x+in+y": "PARSE_ERROR", "/work-manifests?q=x+in+dir": "IN_DIR_NOT_SUPPORTED",
		"/work-manifests?q=red": `"UNKNOWN_TAG","data":"red"`, "/work-manifests?q=sort:up": `"UNKNOWN_TAG","data":"sort"`, "/work-manifests?q=Repo:x": `"UNKNOWN_TAG","data":"Repo"`,
		"/work-manifests?q=destroys:yes": "UNKNOWN_TAG", "/work-manifests?q=id:7": "INVALID_ID", "/work-manifests?q=pr:abc": "INVALID_NUMBER",
		"/work-manifests?q=created_at:..": `"BAD_DATE_FORMAT","data":".."`, "/work-manifests?q=created_at:2024-13-01": "BAD_DATE_FORMAT",
		"/work-manifests?tz=Mars/X&q=created_at:2024": "UNKNOWN_TIME_ZONE", "/work-manifests?q=duration:5": "BAD_DURATION_FORMAT",
		"/dirspaces?q=state:completed": "Invalid state: completed", "/work-manifests?q=state:success": `"Invalid state: success","data":"the states are queued, running, completed, aborted"`, "/work-manifests?d=up": "INVALID_PARAMETER", "/work-manifests?lite=1": "INVALID_PARAMETER",
		"/work-manifests/" + string(a) + "/outputs?q=ignore_errors:x": "UNKNOWN_TAG", "/work-manifests/" + string(a) + "/outputs?q=idx:x": "INVALID_NUMBER",
		"/work-manifests/" + string(a) + "/outputs?q=repo:infra": "UNKNOWN_TAG",
	} {
		if got := r.Do(t, "GET", base+target, ""); got.StatusCode != 400 || !strings.Contains(got.Body, want) {
			t.Errorf("%s: %d %s, want %s", target, got.StatusCode, got.Body, want)
		}
	}
}

// TestQueriesOfOutputsSelectSteps asks for steps by each key.
func TestQueriesOfOutputsSelectSteps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t, "42", "net")
	r.report(t, id, 5)
	for q, want := range map[string]string{
		"": "[0 1 2 3 4]", "step:tf/step-1": "[1]", "not step:tf/step-1": "[0 2 3 4]", "state:success": "[0 1 2 3 4]", "state:failure": "[]", "idx:3": "[3]", "idx:3 or idx:1": "[1 3]",
		"scope:dirspace": "[0 1 2 3 4]", "scope:run": "[]", "dir:net and idx:0": "[0]", "workspace:default": "[0 1 2 3 4]", "flow:hooks": "[]", "subflow:pre": "[]",
		"ignore_errors": "[]", "not ignore_errors": "[0 1 2 3 4]", "sort:desc": "[4 3 2 1 0]",
	} {
		var page struct{ Steps []struct{ Idx int } }
		r.Do(t, "GET", base+"/work-manifests/"+string(id)+"/outputs?lite=true&q="+url.QueryEscape(q), "").Read(t, &page)
		got := []int{}
		for _, s := range page.Steps {
			got = append(got, s.Idx)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("steps under %q: got %v, want %s", q, got, want)
		}
	}
}

// works lets the runner of a run work for a time.
func (r *rig) works(t *testing.T, id run.ID, long time.Duration) {
	t.Helper()
	claimed, ok, err := r.store.Claim(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), time.Minute, r.Author())
	if err != nil || !ok || claimed.ID != id {
		t.Fatalf("claim: %s, %t, %v", claimed.ID, ok, err)
	}
	if _, err := r.store.Dispatched(t.Context(), claimed, runstore.HostRun{ID: string(id)}, r.Author()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Initiate(t.Context(), id, runstore.CIJob{Run: string(id), Commit: claimed.Source.Commit}, r.Author()); err != nil {
		t.Fatal(err)
	}
	r.Clock.Add(long)
	r.Caller.Expires = 0 // the tests take longer than an access token lives
}
