package access

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs"
)

func TestMembershipTextRoundTrips(t *testing.T) {
	for _, m := range []vcs.Installation{{VCS: "github", ID: "42"}, {VCS: "gitlab", ID: ""}, {VCS: "", ID: "7"}, {VCS: "gitlab", ID: "a/b"}} {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got vcs.Installation
		if err := json.Unmarshal(b, &got); err != nil || got != m {
			t.Errorf("%s: got %v, %v; want %v", b, got, err, m)
		}
	}
	for _, text := range []string{`""`, `"github"`, `7`, `{"vcs":"github"}`} {
		if err := json.Unmarshal([]byte(text), new(vcs.Installation)); err == nil {
			t.Errorf("%s: got a membership", text)
		}
	}
}

func TestCarryTakesWhatTheRestrictionsLeave(t *testing.T) {
	all := []vcs.Installation{{VCS: "github", ID: "1"}, {VCS: "github", ID: "2"}, {VCS: "gitlab", ID: "1"}}
	for _, c := range []struct {
		caps Set
		want []vcs.Installation
	}{
		{nil, all},
		{Set{VCS("github")}, all[:2]},
		{Set{Installation("1")}, []vcs.Installation{all[0], all[2]}},
		{Set{VCS("gitlab"), Installation("1")}, all[2:]},
		{Set{Installation("9")}, nil},
	} {
		got := Caller{Capabilities: c.caps, Partial: true}.Carry(all)
		if !slices.Equal(got.Memberships, c.want) || got.Partial {
			t.Errorf("%v: got %v, partial %t; want %v", c.caps, got.Memberships, got.Partial, c.want)
		}
	}
}

func TestCarryLeavesOutTooMany(t *testing.T) {
	var many []vcs.Installation
	for i := range MaxMemberships + 1 {
		many = append(many, vcs.Installation{VCS: "github", ID: vcs.ID(fmt.Sprint(i))})
	}
	if got := (Caller{}).Carry(many[1:]); got.Partial || len(got.Memberships) != MaxMemberships {
		t.Errorf("at the limit: got %d, partial %t", len(got.Memberships), got.Partial)
	}
	if got := (Caller{}).Carry(many); !got.Partial || got.Memberships != nil {
		t.Errorf("beyond the limit: got %d, partial %t", len(got.Memberships), got.Partial)
	}
	if got := (Caller{Capabilities: Set{Installation("7")}}).Carry(many); got.Partial || len(got.Memberships) != 1 {
		t.Errorf("restricted to one: got %v, partial %t", got.Memberships, got.Partial)
	}
}

func TestNarrowKeepsTheTargetAlone(t *testing.T) {
	all := []vcs.Installation{{VCS: "github", ID: "1"}, {VCS: "gitlab", ID: "1"}}
	c := Caller{Memberships: all, Partial: true}
	if got := c.Narrow(all, vcs.Installation{VCS: "gitlab", ID: "1"}); got.Partial || !slices.Equal(got.Memberships, all[1:]) || !got.Reaches(vcs.Installation{VCS: "gitlab", ID: "1"}) {
		t.Errorf("got %+v", got)
	}
	for _, target := range []vcs.Installation{{VCS: "gitlab", ID: "2"}, {VCS: "", ID: "1"}, {VCS: "github", ID: ""}, {}} {
		if got := c.Narrow(all, target); got.Partial || got.Memberships != nil || got.Reaches(target) {
			t.Errorf("%v: got %+v", target, got)
		}
	}
}
