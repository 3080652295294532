package gitlabhost_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestRoleFollowsFromTheAccessLevel(t *testing.T) {
	t.Parallel()
	client, host, _ := withContent(t)
	levels := map[int64]int{8: 50, 60: 60, 50: 50, 40: 40, 30: 30, 25: 25, 20: 20, 15: 15, 10: 10, 5: 5}
	host.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: levels, Projects: []vcstest.Project{{ID: 7, PathWithNamespace: "acme/infra"}}})
	for account, want := range map[string]string{ // the account is the level
		"60": "admin", "50": "admin", "40": "maintain", "30": "write", "25": "triage", "20": "triage", "15": "read", "10": "read", "5": "", "4": "",
	} {
		if got, err := client.Role(t.Context(), infra, vcshost.Profile{ID: vcs.ID(account), Login: "x"}); err != nil || got != want {
			t.Errorf("level %s: got %q, %v, want %q", account, got, err, want)
		}
	}
	for body, wrong := range map[string]bool{
		`{}`: true, `{"id":50,"access_level":50,"state":"blocked"}`: false, `{"id":51,"access_level":50,"state":"active"}`: false,
	} {
		host.Fail(vcstest.Failure{Match: "/members/all/", Times: 1, Status: 200, Body: body})
		if got, err := client.Role(t.Context(), infra, vcshost.Profile{ID: "50", Login: "x"}); got != "" || (err != nil) != wrong {
			t.Errorf("%s: got %q, %v", body, got, err)
		}
	}
	for _, id := range []vcs.ID{"", "x", "../7"} {
		if got, err := client.Role(t.Context(), infra, vcshost.Profile{ID: id}); got != "" || err == nil {
			t.Errorf("account %q: got %q, %v", id, got, err)
		}
	}
}

func TestTeamHasOnlyTheDirectMembersOfItsGroup(t *testing.T) {
	t.Parallel()
	client, host, _ := withContent(t)
	const ours, direct, above, minimal = 8, 1, 2, 3
	all := map[int64]int{ours: 50, direct: 30, above: 50, minimal: 5}
	for id, path := range map[int64]string{78: "acme/sre", 79: "acme/sre/night", 80: "acme/123"} {
		host.Set(vcstest.Group{ID: id, FullPath: path, Inherited: all, Direct: map[int64]int{direct: 30, minimal: 5}})
	}
	host.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: all, Direct: map[int64]int{above: 50}})
	host.Set(vcstest.Group{ID: 123, FullPath: "other/sre", Inherited: all, Direct: all})
	host.Set(vcstest.Group{ID: 81, FullPath: "acme/secret", Inherited: map[int64]int{direct: 30}, Direct: map[int64]int{direct: 30}})
	for _, c := range []struct {
		team    string
		account vcs.ID
		want    bool
	}{
		{"sre", "1", true},
		{"acme/sre", "1", true},
		{"sre/night", "1", true},
		{"acme/sre/night", "1", true},
		{"123", "1", true},
		{"sre", "2", false},
		{"sre", "3", false},
		{"sre", "4", false},
		{"acme", "2", true},
		{"acme", "1", false},
		{"other/sre", "1", false},
		{"other/sre", "2", false},
		{"../other/sre", "1", false},
		{"secret", "1", false},
		{"missing", "1", false},
		{"", "1", false},
	} {
		if got, err := client.InTeam(t.Context(), infra, c.team, vcshost.Profile{ID: c.account, Login: "x"}); err != nil || got != c.want {
			t.Errorf("account %s in %q: got %t, %v", c.account, c.team, got, err)
		}
	}
	digits := vcs.Description{ID: "7", Owner: "123", Name: "infra"}
	if got, err := client.InTeam(t.Context(), digits, "123", vcshost.Profile{ID: "1"}); err != nil || got {
		t.Errorf("a path of digits was taken for an id: %t, %v", got, err)
	}
}
