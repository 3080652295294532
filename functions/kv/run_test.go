package main

import (
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestRunUsesTheStoreInItsOwnNameWhileItIsActive(t *testing.T) {
	t.Parallel()
	of := functiontest.New(t, function)
	member := servedOn(of, of.Role, artifact.Limits{Stored: 1 << 30, Uploading: 1 << 30, Uploads: 1})
	run := func(id string, active bool) rig {
		c := access.OfRun(id, vcs.Installation{VCS: vcs.GitHub, ID: "1"}, active)
		return member.as(&c)
	}
	first, second, ended := run("one", true), run("two", true), run("one", false)
	first.want(t, "PUT", "/key/plan", `{"data":"x"}`, 200, rec(true, "null", 0, "plan", 3, 0))
	second.want(t, "GET", "/key/plan", "", 200, rec(true, `"x"`, 0, "plan", 3, 0))
	for _, target := range []string{"/key/plan", "/api/v1/github/kv/2/key/plan", "/api/v1/gitlab/kv/1/key/plan"} {
		caller := first
		if target == "/key/plan" {
			caller = ended
		}
		caller.want(t, "GET", target, "", 403, "")
		caller.want(t, "PUT", target, `{"data":"y"}`, 403, "")
	}
	// Each run has a quota of its own for the uploads that it has under way.
	announce := `{"size":4,"sha256":"` + strings.Repeat("0", 64) + `"}`
	for _, r := range []rig{first, second} {
		if resp := r.ask(t, "POST", "/artifact/key/zip", announce); resp.StatusCode != 201 || !strings.Contains(resp.Body, `"created_by":"`+r.caller.User+`"`) {
			t.Errorf("%s: got %d %s", r.caller.User, resp.StatusCode, resp.Body)
		}
		r.refused(t, "POST", "/artifact/key/zip", announce, "TOO_MANY_UPLOADS", "")
	}
	stored := of.Env.Dump("KvTable")
	for _, principal := range []string{"run:one", "run:two"} {
		if !strings.Contains(stored, principal) {
			t.Errorf("the table does not name %s", principal)
		}
	}
	member.caller.Expires = time.Now().Add(time.Hour).Unix()
	member.want(t, "GET", "/key/plan", "", 200, rec(true, `"x"`, 0, "plan", 3, 0))
}
