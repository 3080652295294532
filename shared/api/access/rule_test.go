package access

import (
	"errors"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

var (
	now     = time.Unix(1_750_000_000, 0)
	github1 = vcs.Installation{VCS: "github", ID: "1"}
)

// reader returns a caller that may read the key-value store of installation 1 on
// both VCSs and of installation 2 on GitHub.
func reader(more ...Capability) Caller {
	return Caller{
		Kind: KindAccessToken, User: "u", Expires: now.Unix() + 1,
		Capabilities: Normalize(append(more, KVStoreRead)),
		Memberships:  []vcs.Installation{{VCS: "github", ID: "1"}, {VCS: "github", ID: "2"}, {VCS: "gitlab", ID: "1"}},
	}
}

func TestAuthorizeOnAnInstallation(t *testing.T) {
	rule := Rule{Needs: []Capability{KVStoreRead}, Scope: ScopeInstallation}
	expired := reader()
	expired.Expires = now.Unix()
	key := reader()
	key.Kind = KindAPIKey
	for name, c := range map[string]struct {
		caller Caller
		target vcs.Installation
		want   bool
	}{
		"member":                             {reader(), github1, true},
		"nobody":                             {Caller{}, github1, false},
		"API key":                            {key, github1, false},
		"token on its last second":           {expired, github1, false},
		"no member of the installation":      {reader(), vcs.Installation{VCS: "github", ID: "3"}, false},
		"member on the other VCS only":       {reader(), vcs.Installation{VCS: "gitlab", ID: "2"}, false},
		"restricted to it":                   {reader(Installation("1")), github1, true},
		"restricted to another":              {reader(Installation("2")), github1, false},
		"restricted to several":              {reader(Installation("2"), Installation("1")), github1, true},
		"restriction does not make a member": {reader(Installation("3")), vcs.Installation{VCS: "github", ID: "3"}, false},
		"restricted to its VCS":              {reader(VCS("github")), github1, true},
		"restricted to another VCS":          {reader(VCS("gitlab")), github1, false},
		"both restrictions, one in the way":  {reader(VCS("gitlab"), Installation("1")), github1, false},
		"no such installation":               {reader(), vcs.Installation{VCS: "github", ID: ""}, false},
	} {
		err := Authorize(c.caller, rule, c.target, now)
		if (err == nil) != c.want || err != nil && !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("%s: got %v, want allowed %v", name, err, c.want)
		}
	}
}

func TestAuthorizeNeedsEveryCapability(t *testing.T) {
	rule := Rule{Needs: []Capability{KVStoreRead, KVStoreWrite}, Scope: ScopeInstallation}
	if err := Authorize(reader(), rule, github1, now); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("with one of two capabilities: got %v, want forbidden", err)
	}
	if err := Authorize(reader(KVStoreWrite), rule, github1, now); err != nil {
		t.Errorf("with both: got %v, want nil", err)
	}
}

func TestTokenNeedsOneOfSomeCapabilitiesAndASessionNone(t *testing.T) {
	rule := Rule{TokenNeedsOne: []Capability{RunPlan, RunApply}, Scope: ScopeInstallation}
	person := reader()
	person.Kind = KindSession
	for name, c := range map[string]struct {
		caller Caller
		want   bool
	}{
		"none":    {reader(RunRead, RunAdmin), false},
		"one":     {reader(RunApply), true},
		"both":    {reader(RunPlan, RunApply), true},
		"session": {person, true},
	} {
		if err := Authorize(c.caller, rule, github1, now); (err == nil) != c.want {
			t.Errorf("%s: got %v, want allowed %t", name, err, c.want)
		}
	}
}

func TestZeroRuleAsksForAnAccessTokenOrASession(t *testing.T) {
	person := reader()
	person.Kind = KindSession
	if err := Authorize(person, Rule{}, vcs.Installation{}, now); err != nil {
		t.Errorf("session: %v", err)
	}
	if err := Authorize(person, Rule{Kinds: []Kind{KindAccessToken}}, vcs.Installation{}, now); err == nil {
		t.Error("a session was let through where only access tokens are")
	}
	person.Expires = now.Unix()
	if err := Authorize(person, Rule{}, vcs.Installation{}, now); err == nil {
		t.Error("a session was let through after its end")
	}
	if err := Authorize(reader(), Rule{}, vcs.Installation{}, now); err != nil {
		t.Errorf("access token: %v", err)
	}
	if err := Authorize(Caller{Kind: KindAPIKey, User: "u"}, Rule{}, vcs.Installation{}, now); err == nil {
		t.Error("an API key was let through")
	}
	if err := Authorize(Caller{}, Rule{}, vcs.Installation{}, now); err == nil {
		t.Error("nobody was let through")
	}
}

func TestPublicRuleAsksForNothing(t *testing.T) {
	if err := Authorize(Caller{}, Rule{Public: true}, vcs.Installation{}, now); err != nil {
		t.Error(err)
	}
}

func TestCallerRoundTripsThroughTheAuthorizerContext(t *testing.T) {
	want := reader(Installation("1"))
	context, err := want.Context()
	if err != nil {
		t.Fatal(err)
	}
	got, err := FromContext(context)
	if err != nil || got.User != want.User || !got.Capabilities.HasAll(want.Capabilities) || len(got.Memberships) != 3 {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []map[string]any{nil, {}, {"caller": 1}, {"caller": "{}"}, {"caller": "["}, {"caller": `{"user":"u"}`}} {
		if _, err := FromContext(bad); err == nil {
			t.Errorf("FromContext(%v) made a caller", bad)
		}
	}
}

func TestReadThatChangesNeedsASessionFromOurOwnPage(t *testing.T) {
	for name, c := range map[string]struct {
		kind    Kind
		ownPage bool
		changes bool
		want    bool
	}{
		"session from our page":                 {KindSession, true, true, true},
		"session from an unknown page":          {KindSession, false, true, false},
		"session from an unknown page, to read": {KindSession, false, false, true},
		"access token":                          {KindAccessToken, false, true, true},
	} {
		caller := Caller{Kind: c.kind, User: "u", FromOwnPage: c.ownPage}
		err := Authorize(caller, Rule{Changes: c.changes}, vcs.Installation{}, now)
		if (err == nil) != c.want || err != nil && !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("%s: got %v, want allowed %t", name, err, c.want)
		}
	}
}
