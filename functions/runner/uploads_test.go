package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/plancommand"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// uploadedPlan is what the runner stores after an upload.
const uploadedPlan = `{"delete": ["opsplane-plan"], "fetch": ["opsplane-plan"], "method": "cmd", "version": 1}`

func uploadBody(of run.Dirspace, plan string) string {
	return fmt.Sprintf(`{"path":%q,"workspace":%q,"size":%d,"sha256":"%x"}`, of.Dir, of.Workspace, len(plan), sha256.Sum256([]byte(plan)))
}

// announce asks where to upload a plan.
func (j job) announce(t testing.TB, of run.Dirspace, plan string) uploadTo {
	t.Helper()
	resp := j.ask(t, "POST", "/plans/upload", uploadBody(of, plan))
	resp.Want(t, 200, "")
	var to uploadTo
	resp.Read(t, &to)
	return to
}

// send uploads a plan, but does not store it.
func (j job) send(t testing.TB, of run.Dirspace, plan string) {
	t.Helper()
	to := j.announce(t, of, plan)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, to.URL, strings.NewReader(plan))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range to.Headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s, %v", response.Status, err)
	}
}

func query(of run.Dirspace) string {
	return "?" + url.Values{"path": {of.Dir}, "workspace": {of.Workspace}}.Encode()
}

func TestUploadedPlanGoesFromPlanToApply(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.start(t, at, run.Plan)
		want := strings.Repeat("a plan that no response could carry ", 10)
		j.send(t, net, want)
		for range 2 { // the response may be lost
			j.store(t, net, uploadedPlan, "").WantBody(t, 200, "")
		}
		j.store(t, app, "small", `,"has_changes":false`).WantBody(t, 200, "")
		j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
		if now := j.now(t); !now.Result.Outcomes[1].Has(run.PlanStored | run.HasChanges) {
			t.Errorf("got the outcomes %v", now.Result.Outcomes)
		}

		apply := r.start(t, at, run.Apply, j.chosen(t)...)
		var got fetched
		apply.fetch(t, "path", net).Read(t, &got)
		var document struct {
			Method        string
			Fetch, Delete []string
		}
		if err := json.Unmarshal(got.Data, &document); err != nil {
			t.Fatal(err)
		}
		address := apply.path("")
		if document.Method != "cmd" || !strings.HasSuffix(document.Fetch[len(document.Fetch)-1], address) || len(document.Delete) == 0 {
			t.Errorf("got %+v, want a command for %s", document, address)
		}
		for range 2 {
			resp := apply.ask(t, "GET", "/plans/download"+query(net), "")
			resp.Want(t, 200, "")
			var from downloadFrom
			resp.Read(t, &from)
			if from.Size != int64(len(want)) || from.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte(want))) {
				t.Errorf("got %+v", from)
			}
			if got := body(t, from.URL); got != want {
				t.Errorf("got %q", got)
			}
			if strings.Contains(resp.Body+string(got.Data), apply.token) || strings.Contains(r.Log.String(), "X-Amz-Signature") {
				t.Error("the command holds the token, or the log holds the URL")
			}
		}
		apply.fetch(t, "path", app).WantBody(t, 200, `{"data":"c21hbGw="}`)
		apply.ask(t, "PUT", "", applied).WantBody(t, 200, "")
		apply.ask(t, "GET", "/plans/download"+query(net), "").WantBody(t, 403, "")
	})
}

func body(t *testing.T, from string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s, %v", response.Status, err)
	}
	return string(text)
}

func TestUploadsAreRefusedToOthersThanTheirRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j, other := r.start(t, vcs.GitHub, run.Plan), r.start(t, vcs.GitHub, run.Plan)
	j.send(t, net, "plan")
	// The token of another run reaches neither route, and its own run has no upload.
	r.As(t, other.caller(t), "POST", j.path("/plans/upload"), uploadBody(net, "plan")).WantBody(t, 403, "")
	r.As(t, other.caller(t), "POST", j.path("/plans"), planBody(net, uploadedPlan, "")).WantBody(t, 403, "")
	other.store(t, net, uploadedPlan, "").Want(t, 400, "PLAN_NOT_UPLOADED")
	j.store(t, app, uploadedPlan, "").Want(t, 400, "PLAN_NOT_UPLOADED")
	j.store(t, net, uploadedPlan, "").WantBody(t, 200, "")
	j.ask(t, "GET", "/plans/download"+query(net), "").WantBody(t, 403, "")

	apply, unrelated := r.start(t, vcs.GitHub, run.Apply, j.chosen(t)...), r.start(t, vcs.GitHub, run.Apply)
	apply.ask(t, "POST", "/plans/upload", uploadBody(net, "plan")).WantBody(t, 403, "")
	r.As(t, unrelated.caller(t), "GET", apply.path("/plans/download"+query(net)), "").WantBody(t, 403, "")
	unrelated.ask(t, "GET", "/plans/download"+query(net), "").WantBody(t, 404, "")
	apply.ask(t, "GET", "/plans/download"+query(app), "").WantBody(t, 404, "")

	before := j.caller(t) // the authorizer has read the run before it ends
	if _, _, err := r.runs.Abort(t.Context(), j.id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.Author()); err != nil {
		t.Fatal(err)
	}
	r.As(t, before, "POST", j.path("/plans/upload"), uploadBody(net, "late")).WantBody(t, 403, "")
	r.As(t, before, "POST", j.path("/plans"), planBody(net, uploadedPlan, "")).WantBody(t, 403, "")
}

func TestUploadThatCannotBeKeptIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	of := func(path, workspace, size, sum string) string {
		return `{"path":` + path + `,"workspace":` + workspace + `,"size":` + size + `,"sha256":` + sum + `}`
	}
	const dir, space, sum = `"net"`, `"default"`, `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`
	for body, id := range map[string]string{
		``: "INVALID_BODY", `[]`: "INVALID_BODY", `{}`: "INVALID_BODY", of(dir, space, "null", sum): "INVALID_BODY", of(dir, space, "1.5", sum): "INVALID_BODY",
		of(dir, space, "-1", sum): "INVALID_SIZE", of(dir, space, "1", `"../../x"`): "INVALID_SHA256", of(dir, space, "1", strings.ToUpper(sum)): "INVALID_SHA256",
		of(`"other"`, space, "1", sum): "INVALID_DIRSPACE", of(`"../net"`, space, "1", sum): "INVALID_DIRSPACE", of(`"/net"`, space, "1", sum): "INVALID_DIRSPACE",
		of(`"net/../app"`, space, "1", sum): "INVALID_DIRSPACE", of(`"net\u0000default"`, `""`, "1", sum): "INVALID_DIRSPACE", of(dir, `"prod"`, "1", sum): "INVALID_DIRSPACE",
	} {
		j.ask(t, "POST", "/plans/upload", body).Want(t, 400, id)
	}
	j.ask(t, "POST", "/plans/upload", of(dir, space, strconv.FormatInt(planstore.MaxUpload+1, 10), sum)).Want(t, 413, "PLAN_TOO_LARGE")
	for _, target := range []string{"?path=net", "?workspace=default", "?path=../net&workspace=default"} {
		if got := j.ask(t, "GET", "/plans/download"+target, ""); got.StatusCode != 400 {
			t.Errorf("%s: got %d", target, got.StatusCode)
		}
	}
	if found := j.chosen(t); len(found) != 0 {
		t.Errorf("got the plans %+v", found)
	}
}

// TestPlansOfOtherStorageStayAsTheyAre has documents of the runner's other methods.
func TestPlansOfOtherStorageStayAsTheyAre(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	for _, document := range []string{
		`{"method":"cmd","version":1,"fetch":["aws","s3","cp","s3://b/k","$plan_dst_path"],"delete":["aws","s3","rm","s3://b/k"]}`,
		`{"method":"cmd","version":1,"fetch":["opsplane-plan","x"],"delete":[]}`, `{"method":"terrateam","version":1,"data":""}`, `opsplane-plan`, ``,
	} {
		j.store(t, net, document, "").WantBody(t, 200, "")
		found, err := j.plans.Of(t.Context(), j.id, j.Clock.Now())
		if err != nil || len(found) != 1 || found[0].Uploaded || found[0].Size != int64(len(document)) {
			t.Errorf("%s: got %+v, %v", document, found, err)
		}
	}
	config := plancommand.Storage("https://ops.example.com/api/github")
	stored, err := json.Marshal(map[string]any{"method": "cmd", "version": 1, "fetch": config["fetch"], "delete": config["delete"]})
	if err != nil || !plancommand.Stored(stored) || !plancommand.Stored([]byte(uploadedPlan)) {
		t.Errorf("%s is not taken for an upload, %v", stored, err)
	}
	if !slices.Contains(config["store"].([]any), any("store")) {
		t.Errorf("got %v", config["store"])
	}
}
