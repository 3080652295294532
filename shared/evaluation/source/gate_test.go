package source_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// TestGateIsPassedByThoseWhomItNames has the gates of orchestration, 22.
func TestGateIsPassedByThoseWhomItNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gate  result.Gate
		given string // logins
		want  bool
		calls string
	}{
		"names nobody":              {result.Gate{}, "eve cyd", false, ""},
		"everybody":                 {result.Gate{AnyOf: []string{"*"}}, "eve", true, ""},
		"everybody, nobody came":    {result.Gate{AnyOf: []string{"*"}}, "", false, ""},
		"by name":                   {result.Gate{AnyOf: []string{"user:eve", "user:bob"}}, "bob", true, ""},
		"by team":                   {result.Gate{AnyOf: []string{"team:sre"}}, "eve", true, "InTeam"},
		"by another team":           {result.Gate{AnyOf: []string{"team:sre"}}, "bob", false, "InTeam"},
		"one of two":                {result.Gate{AnyOf: []string{"user:eve", "user:bob"}, AnyOfCount: 2}, "bob", false, ""},
		"two of two":                {result.Gate{AnyOf: []string{"user:eve", "user:bob"}, AnyOfCount: 2}, "bob eve", true, ""},
		"number without people":     {result.Gate{AnyOfCount: 1}, "bob", false, ""},
		"each":                      {result.Gate{AllOf: []string{"user:bob", "role:admin"}}, "bob eve", true, "2 Role"},
		"each, one is missing":      {result.Gate{AllOf: []string{"role:admin", "user:cyd"}}, "bob eve", false, "2 Role"},
		"each and any":              {result.Gate{AllOf: []string{"user:bob"}, AnyOf: []string{"user:eve"}}, "bob eve", true, ""},
		"each and any, any missing": {result.Gate{AllOf: []string{"user:bob"}, AnyOf: []string{"user:eve"}}, "bob", false, ""},
	} {
		h := &host{roles: map[string]string{"eve": "admin", "bob": "write"}, teams: map[string][]string{"sre": {"eve"}}}
		var given []vcshost.Profile
		for _, login := range strings.Fields(c.given) {
			given = append(given, vcshost.Profile{ID: "1", Login: login})
		}
		got, err := source.Passed(t.Context(), h, place.Described, c.gate, given)
		if calls := h.take(); err != nil || got != c.want || calls != c.calls {
			t.Errorf("%s: got %t with %q, %v; want %t with %q", name, got, calls, err, c.want, c.calls)
		}
	}
	down := errors.New("down")
	h := &host{fails: map[string]error{"InTeam": down}}
	for _, g := range []result.Gate{{AnyOf: []string{"team:sre"}}, {AllOf: []string{"team:sre"}}} {
		if got, err := source.Passed(t.Context(), h, place.Described, g, []vcshost.Profile{{ID: "1", Login: "eve"}}); got || !errors.Is(err, down) {
			t.Errorf("got %t, %v", got, err)
		}
	}
}

func TestOnlyEntriesThatNameSomebodyCount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"access_control: {}":                                                  "false ",
		"access_control: {unlock: ['*']}":                                     "false ",
		"access_control: {unlock: ['user:ROB']}":                              "true ",
		"access_control: {unlock: ['role:read']}":                             "true Role",
		"access_control: {unlock: ['role:write']}":                            "false Role",
		policies("plan: ['team:dev']"):                                        "true InTeam",
		policies("apply: ['team:x']"):                                         "false InTeam",
		policies("apply_autoapprove: ['user:rob']"):                           "true ",
		policies("apply_force: ['user:rob']"):                                 "true ",
		policies("superapproval: ['user:rob']"):                               "true ",
		policies("apply_with_superapproval: ['*', 'role:admin', 'user:rob']"): "true ",
		policies("plan: ['*'], apply: ['*'], apply_force: ['user:zoe']"):      "false ",
	} {
		config, _ := configured(t, text)
		h := &host{roles: map[string]string{"rob": "read"}, teams: map[string][]string{"dev": {"rob"}}}
		got, err := source.Named(t.Context(), h, place.Described, config.AccessControl, vcshost.Profile{ID: "3", Login: "rob"})
		if shown := fmt.Sprint(got, " ", h.take()); err != nil || shown != want {
			t.Errorf("%s: got %q, %v; want %q", text, shown, err, want)
		}
	}
	down := errors.New("down")
	config, _ := configured(t, "access_control: {unlock: ['role:read']}")
	if _, err := source.Named(t.Context(), &host{fails: map[string]error{"Role": down}}, place.Described, config.AccessControl, vcshost.Profile{ID: "3", Login: "rob"}); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}

func TestAccountWithoutAnIDIsNobody(t *testing.T) {
	t.Parallel()
	h := &host{roles: map[string]string{"rob": "admin"}, teams: map[string][]string{"dev": {"rob"}}}
	for _, id := range []vcs.ID{"", "x", "0"} {
		got, err := source.Means(t.Context(), h, place.Described, vcshost.Profile{ID: id, Login: "rob"}, []string{"role:read", "team:dev"})
		if calls := h.take(); err != nil || got || calls != "" {
			t.Errorf("id %q: got %t with %q, %v", id, got, calls, err)
		}
	}
}
