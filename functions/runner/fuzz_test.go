package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/planstore"
)

// post returns a request with a body, for a run.
func post(t *testing.T, body []byte) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
	r.SetPathValue("work_manifest_id", "5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d")
	return r
}

// refused fails the test unless an error is a fault with a text for the runner.
func refused(t *testing.T, err error) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.ID == "" || f.Detail == "" {
		t.Fatalf("got %v, want a fault", err)
	}
}

// FuzzPlanBody checks that a body is refused, or holds a plan of a directory in its one
// form. The plan is what the body's base64 says.
func FuzzPlanBody(f *testing.F) {
	for _, body := range []string{
		planBody(net, "plan\x00", ""), planBody(app, "", `,"has_changes":false`), `{"path":".","workspace":"default","plan_data":"eA\r\n=="}`,
		`{"path":null}`, `{"path":"a/../b","workspace":"w","plan_data":""}`, `{"PATH":"a","workspace":"w","plan_data":"eA="}`, `[]`, `{"plan_data":{}}`, "\xff",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodePlan(post(t, body))
		if err != nil {
			refused(t, err)
			return
		}
		if again, err := run.NewDirspace(p.of.Dir, p.of.Workspace); err != nil || again != p.of {
			t.Fatalf("got %+v, %v", p.of, err)
		}
		var sent struct {
			Data string `json:"plan_data"`
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatal(err)
		}
		if want, err := base64.StdEncoding.DecodeString(sent.Data); err != nil || !bytes.Equal(want, p.bytes) || len(p.bytes) > maxPlan {
			t.Fatalf("got %d bytes, %v; want %d", len(p.bytes), err, len(want))
		}
	})
}

// FuzzUploadBody checks that a body is refused, or announces a plan of a directory in its
// one form, with a size and a SHA-256 in its one form.
func FuzzUploadBody(f *testing.F) {
	for _, body := range []string{
		uploadBody(net, "plan"), uploadBody(app, ""), `{"path":".","workspace":"default","size":1e3,"sha256":""}`, `{"size":9223372036854775808}`,
		`{"path":"a/../b","workspace":"w","size":1,"sha256":"x"}`, `{"size":{}}`, `null`, "\xff",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		u, err := decodeUpload(post(t, body))
		if err != nil {
			refused(t, err)
			return
		}
		if again, err := run.NewDirspace(u.of.Dir, u.of.Workspace); err != nil || again != u.of {
			t.Fatalf("got %+v, %v", u.of, err)
		}
		sum, err := hex.DecodeString(u.content.Digest)
		if err != nil || hex.EncodeToString(sum) != u.content.Digest || len(sum) != 32 || u.content.Size < 0 || u.content.Size > planstore.MaxUpload {
			t.Fatalf("got %+v", u.content)
		}
	})
}

// FuzzStartBody checks that a body is refused, or names a CI job.
func FuzzStartBody(f *testing.F) {
	for _, body := range []string{started, `{"run_id":"1","sha":"a","more":[{}]}`, `{"run_id":"\u0000","sha":"a"}`, `{"run_id":"é","sha":"a"}`, `"x"`, `{"sha":null}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		asked, err := decodeInitiate(post(t, body))
		if err != nil {
			refused(t, err)
			return
		}
		if !named(asked.job.Run) || !named(asked.job.Commit) {
			t.Fatalf("got %+v", asked.job)
		}
	})
}

// FuzzResultBody checks that results of each type of run are refused, or can be stored.
// An index and builders are never refused.
func FuzzResultBody(f *testing.F) {
	for _, body := range []string{planned, applied, hookFailed, `{"files":[{"path":"/a","id":"b"}]}`, `{"config":{}}`, `{"msg":"x"}`, `"x"`, `{"paths":{},"success":true}`, `{`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, of := range []run.Type{run.Plan, run.Apply, run.Index, run.BuildConfig, run.BuildTree} {
			r, err := read(of, body)
			if err != nil {
				if refused(t, err); !of.IsPlan() && !of.IsApply() {
					t.Fatalf("the result of %s is refused: %v", of, err)
				}
				continue
			}
			if _, err := run.EncodeOutcomes(r.Outcomes([]run.Dirspace{app, net})); err != nil {
				t.Fatal(err)
			}
			for _, s := range r.Steps {
				if !json.Valid(r.Payload(s)) {
					t.Fatalf("the payload %q of %s is not JSON", r.Payload(s), s.Name)
				}
			}
		}
	})
}
