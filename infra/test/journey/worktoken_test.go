//go:build unix

package journey

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
)

// uuids finds everything in a response that has the form of a work token.
var uuids = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// TestReaderOfRunsCannotAskForTheirWork tries to get the token of a run, and with it plans,
// with everything that the API shows: before the CI job has asked for the work, while it
// works, and after the end.
func TestReaderOfRunsCannotAskForTheirWork(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	in := s.Installation(t, "github")
	reader := s.Client(s.Key(t, s.User(t, in), "run_read"))
	made := s.Run(t, in)
	attempt := func(when, job string) {
		t.Helper()
		base := "/api/v1/github/installations/" + in.ID
		one := base + "/work-manifests/" + string(made.ID)
		shown := map[string]bool{string(made.ID): true}
		for _, target := range []string{base + "/work-manifests", base + "/dirspaces", one, one + "/outputs"} {
			resp := reader.Do(t, "GET", target, "").Want(t, 200)
			for _, found := range uuids.FindAllString(string(resp.Body), -1) {
				shown[found] = true
			}
			if bytes.Contains(resp.Body, []byte(made.Work)) || bytes.Contains(resp.Body, []byte(made.Token)) {
				t.Errorf("%s: %s shows the work token or the token of the run", when, target)
			}
		}
		var is struct {
			RunID  *string `json:"run_id"`
			Commit string  `json:"branch_ref"`
		}
		reader.Do(t, "GET", one, "").Want(t, 200).Read(t, &is)
		if got := is.RunID; got == nil && job != "" || got != nil && *got != job || is.Commit != Commit {
			t.Fatalf("%s: the API shows the CI job %v and the commit %q", when, got, is.Commit)
		}
		body, err := json.Marshal(map[string]string{"run_id": "77", "sha": is.Commit})
		if err != nil {
			t.Fatal(err)
		}
		for id := range shown {
			path := "/api/github/v1/work-manifests/" + id
			s.Do(t, Request{Method: "POST", Target: path + "/initiate", Body: string(body)}).Want(t, 404)
			s.Do(t, Request{Method: "POST", Target: path + "/access-token", Authorization: Bearer(id)}).Want(t, 403)
		}
	}
	attempt("before the CI job", "")
	s.Runner(t, in, made, "POST", "/initiate", `{"run_id":"77","sha":"`+Commit+`"}`).Want(t, 200)
	attempt("while the CI job works", "77")
	s.Runner(t, in, made, "PUT", "", `{"steps":[]}`).Want(t, 200)
	attempt("after the end", "77")
	if printed, err := s.output(); err != nil || bytes.Contains(printed, []byte(made.Work)) {
		t.Errorf("the stack printed the work token (%v)", err)
	}
}
