package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
)

func TestListsUseWhatTheDocumentSays(t *testing.T) {
	const one = "/work-manifests/{run}"
	costs.Check(t, function, map[string]costs.Scenario{
		"list runs, page of 20":                 counting("/work-manifests", false),
		"list runs of a directory, page of 20":  counting("/work-manifests?q=dir:net", false),
		"read one run":                          counting(one, false),
		"ask for a run that has not changed":    counting(one, true),
		"ask for outputs that have not changed": counting(one+"/outputs", true),
		"list directories, page of 20":          counting("/dirspaces", false),
		"list outputs, page of 20":              counting(one+"/outputs", false),
		"ask for the text of a step":            counting(one+"/outputs/3/text", false),
		"ask for the text of a run":             counting(one+"/text", false),
		"list workspaces, page of 20":           countingWorkspaces("/workspaces"),
		"list workspaces that wait, page of 20": countingWorkspaces("/workspaces?q=state:waiting+and+repo:infra"),
		"list the stacks of a pull request":     counting("/repos/7/prs/17/stacks", false),
		"ask for changes where there is none":   counting("/work-manifests?updated_since={now}", true),
		"ask for changes, one run":              counting("/work-manifests?updated_since={last}", false),
		"list drifts, page of 20":               counting("/api/v1/admin/drifts", false),
	}, "Lists of runs")
}

// counting counts a request to an installation with 25 completed runs. {run} is the
// newest one. If held, the caller has the response already.
func counting(target string, held bool) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, function))
		var id run.ID
		for range 25 {
			id = r.createAs(t, "42", func(s *run.Spec) {
				if strings.HasSuffix(target, "/drifts") {
					drift(s)
				}
			}, "net")
			r.report(t, id, 40)
		}
		r.changed(t, changeset.Stack{Name: "default", Paths: [][]string{{"default"}}, Members: members("net")})
		r.Serve(routes(over(m.Role(function))))
		last := r.Clock.Now()
		r.Clock.Add(2 * time.Second)
		target := base + strings.NewReplacer("{run}", string(id), "{last}", last.UTC().Format(time.RFC3339), "{now}", r.Clock.Now().UTC().Format(time.RFC3339)).Replace(target)
		if at := strings.Index(target, "/api/v1/admin"); at > 0 {
			target = target[at:]
		}
		event := httpapitest.Event(t, "GET", target, r.Caller, "")
		want := http.StatusOK
		if held {
			event.MultiValueHeaders["If-None-Match"] = []string{http.Header(r.Send(t, event).MultiValueHeaders).Get("ETag")}
			want = http.StatusNotModified
		}
		m.Start()
		m.Request("GET", target)
		if got := r.Send(t, event); got.StatusCode != want {
			t.Errorf("status %d %s", got.StatusCode, got.Body)
		}
		m.Stop()
		return m
	}
}

// countingWorkspaces counts a request to an installation whose one repository has 50
// workspaces. In each second one, changes wait. The others have outputs of an apply.
func countingWorkspaces(target string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, function))
		var waits, stands []string
		for n := range 25 {
			waits, stands = append(waits, fmt.Sprintf("app/%02d/a", n)), append(stands, fmt.Sprintf("app/%02d/b", n))
		}
		r.stand(t, run.Plan, "42", changes, waits...)
		r.stand(t, run.Apply, "42", outputs, stands...)
		r.Serve(routes(over(m.Role(function))))
		m.Start()
		m.Request("GET", base+target)
		if got := r.Do(t, "GET", base+target, ""); len(rows(t, got)) != 20 {
			t.Errorf("got %d %s", got.StatusCode, got.Body)
		}
		m.Stop()
		return m
	}
}

// report completes a run of one directory, as its runner does.
func (r *rig) report(t *testing.T, id run.ID, steps int) {
	t.Helper()
	var list []string
	for n := range steps {
		list = append(list, fmt.Sprintf(`{"scope":{"type":"dirspace","dir":"net","workspace":"default"},"step":"tf/step-%d","success":true,"payload":{"text":%q}}`, n, strings.Repeat("x", 500)))
	}
	r.send(t, id, list)
}
