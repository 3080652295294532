package githubhost_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestRoleOfAnAccountIsThatOfItsId(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, role := range []string{"admin", "maintain", "write", "triage", "read", "none"} {
		r.host.Permit("acme", "infra", role, 1, role)
	}
	r.host.PermitCustom("acme", "infra", "custom", 1, "Deployer", "write")
	r.host.PermitCustom("acme", "infra", "old", 1, "", "admin")
	for name, c := range map[string]struct {
		account vcshost.Profile
		want    string
	}{
		"admin":                {vcshost.Profile{ID: "1", Login: "admin"}, "admin"},
		"maintain":             {vcshost.Profile{ID: "1", Login: "maintain"}, "maintain"},
		"write":                {vcshost.Profile{ID: "1", Login: "write"}, "write"},
		"triage":               {vcshost.Profile{ID: "1", Login: "triage"}, "triage"},
		"read":                 {vcshost.Profile{ID: "1", Login: "read"}, "read"},
		"none":                 {vcshost.Profile{ID: "1", Login: "none"}, ""},
		"nobody":               {vcshost.Profile{ID: "1", Login: "nobody"}, ""},
		"role of the company":  {vcshost.Profile{ID: "1", Login: "custom"}, "write"},
		"old server":           {vcshost.Profile{ID: "1", Login: "old"}, "admin"},
		"login of another now": {vcshost.Profile{ID: "2", Login: "admin"}, ""},
	} {
		if got, err := r.client.Role(t.Context(), infra, c.account); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
	for _, body := range []string{`{}`, `{"permission":"admin","role_name":"admin"}`, `{"role_name":"admin","user":{"id":1}}`} {
		r.host.Fail(vcstest.Failure{Match: "/permission", Times: 1, Status: 200, Body: body})
		if got, err := r.client.Role(t.Context(), infra, vcshost.Profile{ID: "1", Login: "admin"}); err == nil {
			t.Errorf("%s: got %q", body, got)
		}
	}
}

func TestOnlyActiveMembersAreInATeam(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.Team("acme", "sre", "ann", true)
	for team, want := range map[string]bool{"sre": true, "other": false, "": false, "..": false, "a/b": false} {
		if got, err := r.client.InTeam(t.Context(), infra, team, ann); err != nil || got != want {
			t.Errorf("%q: got %t, %v", team, got, err)
		}
	}
	if got, err := r.client.InTeam(t.Context(), infra, "sre", vcshost.Profile{ID: "2", Login: "bob"}); err != nil || got {
		t.Errorf("got %t, %v", got, err)
	}
	r.host.Fail(vcstest.Failure{Match: "/teams/", Times: 1, Status: 200, Body: `{"state":"pending","role":"member"}`})
	if got, err := r.client.InTeam(t.Context(), infra, "sre", ann); err != nil || got {
		t.Errorf("with an invitation: got %t, %v", got, err)
	}
	r.host.Fail(vcstest.Failure{Match: "/teams/", Times: 1, Status: 200, Body: `{}`})
	if got, err := r.client.InTeam(t.Context(), infra, "sre", ann); err == nil {
		t.Errorf("without a state: got %t", got)
	}
}
