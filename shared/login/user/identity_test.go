package user_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// ofAccount1 is a caller with a session of account 1 at GitHub.
var ofAccount1 = access.Caller{Kind: access.KindSession, Account: vcs.Account{VCS: vcs.GitHub, ID: "1"}}

// said returns a statement of a VCS.
func said(asked time.Time, ids ...vcs.ID) user.Hosted {
	return user.Hosted{Installations: ids, AskedAt: asked}
}

func (r *rig) signIn(t *testing.T, system vcs.VCS, id vcs.ID, login string) user.User {
	t.Helper()
	u, err := r.SignIn(ctx, system, user.Identity{ID: id, Login: login}, change.Author{Principal: "anonymous", Request: uuid.NewString(), At: now})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := r.Get(ctx, u.ID)
	if got := stored.Identities[system]; err != nil || got.ID != id || got.Login != login || u.Identities[system] != got {
		t.Errorf("stored is %+v, %v; want account %s with login %s", stored, err, id, login)
	}
	return u
}

func TestAccountIsKnownByItsIDAndNotByItsLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	operated := r.create(t, "alice")
	alice := r.signIn(t, "github", "1", "alice")
	if alice.ID == operated.ID {
		t.Error("a login of an operator's user's name became that user")
	}
	if alice.Name != "github:1" || alice.Identities["github"].Login != "alice" {
		t.Errorf("got %+v, want a user called github:1 with the login alice", alice)
	}
	if renamed := r.signIn(t, "github", "1", "alicia"); renamed.ID != alice.ID {
		t.Error("renamed, the account is another user")
	}
	if heir := r.signIn(t, "github", "2", "alice"); heir.ID == alice.ID || heir.ID == operated.ID {
		t.Error("who took a login inherits the user of who had it")
	}
	if twin := r.signIn(t, "gitlab", "1", "alice"); twin.ID == alice.ID {
		t.Error("an id of one VCS opens the user of that id at the other")
	}
	if found, err := r.ByName(ctx, "github:1"); err != nil || found.ID != alice.ID {
		t.Errorf("by name: got %+v, %v; want %s", found, err, alice.ID)
	}
}

// A login reads which user has the account, and then stores the account's present
// login and picture.
func TestLoginNeverTakesBackAnAccountThatAnOperatorHasUnlinked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice := r.signIn(t, "github", "1", "alice")
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
		if err := r.PutIdentity(ctx, alice.ID, "github", user.Identity{ID: "2", Login: "other"}, change.Author{Principal: "operator:ann", Request: uuid.NewString(), At: now}); err != nil {
			t.Error(err)
		}
	}})
	got, err := r.faulty.SignIn(ctx, "github", user.Identity{ID: "1", Login: "alicia"}, change.Author{Principal: "anonymous", Request: uuid.NewString(), At: now})
	if err != nil {
		t.Fatal(err)
	}
	if got.ID == alice.ID {
		t.Error("the account logs in as the user from which it was unlinked")
	}
	stored, err := r.Get(ctx, alice.ID)
	if err != nil || stored.Identities["github"].ID != "2" {
		t.Errorf("the user has account %+v, %v; want the one that the operator gave", stored.Identities["github"], err)
	}
}

func TestFirstLoginsAtOnceMakeOneUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			u, err := r.SignIn(ctx, "github", user.Identity{ID: "1", Login: "ann"}, operator())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			seen[u.ID]++
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("got users %v, want one", seen)
	}
}

func TestFirstLoginSurvivesALostAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: storagetest.LoseAnswer})
	made, err := r.faulty.SignIn(ctx, "github", user.Identity{ID: "1", Login: "ann"}, operator())
	if err != nil {
		t.Fatal(err)
	}
	if again := r.signIn(t, "github", "1", "ann"); again.ID != made.ID {
		t.Errorf("got user %s, want %s", again.ID, made.ID)
	}
}

func TestOperatorTiesAnAccountToAUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, ben := r.create(t, "ann"), r.create(t, "ben")
	link := func(u user.User, id vcs.ID) error {
		return r.PutIdentity(ctx, u.ID, "github", user.Identity{ID: id, Login: "x"}, operator())
	}
	if err := link(ann, "1"); err != nil {
		t.Fatal(err)
	}
	if got := r.signIn(t, "github", "1", "ann-at-github"); got.ID != ann.ID || got.Name != "ann" {
		t.Errorf("got %+v, want ann", got)
	}
	if err := link(ben, "1"); !errors.Is(err, user.ErrLinked) {
		t.Errorf("of an account that is ann's: got %v, want ErrLinked", err)
	}
	other := r.signIn(t, "github", "2", "other")
	if err := link(ann, "2"); !errors.Is(err, user.ErrLinked) {
		t.Errorf("of an account that has logged in: got %v, want ErrLinked", err)
	}
	// ann gets another account. From then on the former account belongs to a new
	// user.
	if err := link(ann, "3"); err != nil {
		t.Fatal(err)
	}
	if got := r.signIn(t, "github", "3", "ann3"); got.ID != ann.ID {
		t.Error("the new account is not ann")
	}
	if got := r.signIn(t, "github", "1", "was-anns"); got.ID == ann.ID || got.ID == other.ID {
		t.Error("the former account is still a user's")
	}
	// A user that a login has created can get another account, too, and keeps its
	// name.
	if err := link(other, "4"); err != nil {
		t.Fatal(err)
	}
	if got := r.signIn(t, "github", "2", "again"); got.ID == other.ID || got.Name == other.Name {
		t.Errorf("got %+v, want a user of its own", got)
	}
}

func TestReplaceLeavesNothingOfWhatTheVCSSaidBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.signIn(t, "github", "1", "ann")
	granted := vcs.Installation{VCS: "github", ID: "99"}
	if err := r.AddMembership(ctx, u.ID, granted, operator()); err != nil {
		t.Fatal(err)
	}
	at := func(ids ...vcs.ID) []vcs.Installation {
		var want []vcs.Installation
		for _, id := range ids {
			want = append(want, vcs.Installation{VCS: "github", ID: id})
		}
		return want
	}
	for _, c := range []struct {
		name  string
		ids   []vcs.ID
		asked time.Duration // after now
		want  []vcs.Installation
	}{
		{"first", []vcs.ID{"20", "10", "99"}, 0, at("10", "20", "99")},
		{"lost one of two", []vcs.ID{"10"}, time.Minute, at("10", "99")},
		{"asked before, received after", []vcs.ID{"10", "20"}, 30 * time.Second, at("10", "99")},
		{"another", []vcs.ID{"30"}, 2 * time.Minute, at("30", "99")},
		{"lost all", nil, 3 * time.Minute, at("99")},
		{"asked before, received after all were lost", []vcs.ID{"30"}, time.Minute, at("99")},
		{"back again", []vcs.ID{"30"}, 4 * time.Minute, at("30", "99")},
	} {
		if err := r.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "1"}, said(now.Add(c.asked), c.ids...)); err != nil {
			t.Fatal(err)
		}
		got, err := r.Get(ctx, u.ID)
		if m := got.MembershipsFor(ofAccount1, now.Add(c.asked)); err != nil || !slices.Equal(m, c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.name, m, err, c.want)
		}
		if !slices.Equal(got.Memberships, []vcs.Installation{granted}) {
			t.Errorf("%s: an operator gave %v, want it to stay", c.name, got.Memberships)
		}
	}
	if err := r.Replace(ctx, operator(), uuid.NewString(), vcs.Account{VCS: vcs.GitHub, ID: "1"}, said(now)); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("of nobody: got %v, want ErrNotFound", err)
	}
	f := new(fault.Error)
	if err := r.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "1"}, said(now, make([]vcs.ID, user.MaxHosted+1)...)); !errors.As(err, &f) || f.ID != "TOO_MANY_INSTALLATIONS" {
		t.Errorf("of too many: got %v, want TOO_MANY_INSTALLATIONS", err)
	}
}

func TestOlderWordNeverReplacesANewerOneThatIsTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.signIn(t, "github", "1", "ann")
	for _, c := range []struct {
		name string
		said user.Hosted
	}{
		{"a first statement", said(now)},
		{"the same statement, asked for later", said(now.Add(2 * time.Minute))},
		{"another statement, asked for between them and received late", said(now.Add(time.Minute), "42")},
		{"the same, asked for before all", said(now.Add(-time.Minute), "42")},
	} {
		if err := r.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "1"}, c.said); err != nil {
			t.Fatal(err)
		}
		got, err := r.Get(ctx, u.ID)
		if m := got.MembershipsFor(ofAccount1, now.Add(2*time.Minute)); err != nil || len(m) > 0 {
			t.Fatalf("%s: got %v, %v; want no membership", c.name, m, err)
		}
	}
}

func TestOverlappingListsEndWithTheLatestStatement(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.signIn(t, "github", "1", "ann")
	// Between the read and the write of an older list, a newer one is stored.
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Before: func() {
		if err := r.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "1"}, said(now.Add(time.Minute))); err != nil {
			t.Error(err)
		}
	}})
	if err := r.faulty.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "1"}, said(now, "42")); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Get(ctx, u.ID); err != nil || len(got.Hosted["github"].Installations) > 0 {
		t.Errorf("got %v, %v; want the later statement, none", got.Hosted, err)
	}
}

func TestAnotherAccountOfTheUserTakesNothingOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.signIn(t, "github", "1", "ann")
	if err := r.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "1"}, said(now, "42")); err != nil {
		t.Fatal(err)
	}
	link := func(id vcs.ID, login string) user.User {
		t.Helper()
		if err := r.PutIdentity(ctx, u.ID, "github", user.Identity{ID: id, Login: login}, operator()); err != nil {
			t.Fatal(err)
		}
		got, err := r.Get(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	key := access.Caller{Kind: access.KindAPIKey}
	if got := link("1", "renamed"); len(got.MembershipsFor(ofAccount1, now)) != 1 {
		t.Errorf("the same account under another name: got %+v, want that its membership stays", got)
	}
	got := link("2", "ben")
	if _, said := got.Hosted["github"]; said || len(got.MembershipsFor(key, now)) > 0 || got.Admits(ofAccount1) || !got.Admits(key) {
		t.Errorf("got %+v, want nothing of the former account", got)
	}
	// A list that the former account asked for arrives now. So does one of a call
	// that had read the user before.
	if err := r.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "1"}, said(now.Add(time.Hour), "42")); err != nil {
		t.Fatal(err)
	}
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Before: func() { link("3", "carl") }})
	if err := r.faulty.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "2"}, said(now.Add(time.Hour), "42")); err != nil {
		t.Fatal(err)
	}
	if got := link("3", "carl"); len(got.Hosted) > 0 {
		t.Errorf("got %+v, want no statement about a former account", got.Hosted)
	}
	if err := r.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "3"}, said(now.Add(time.Hour), "7")); err != nil {
		t.Fatal(err)
	}
	if got := link("3", "carl"); !slices.Equal(got.Hosted["github"].Installations, []vcs.ID{"7"}) {
		t.Errorf("got %+v, want the statement about the present account", got.Hosted)
	}
}

func TestSessionIsAdmittedWithItsAccountAlone(t *testing.T) {
	t.Parallel()
	u := user.User{Identities: map[vcs.VCS]user.Identity{"github": {ID: "1"}}}
	for name, c := range map[string]struct {
		caller access.Caller
		want   bool
	}{
		"its account":           {ofAccount1, true},
		"another account":       {access.Caller{Kind: access.KindSession, Account: vcs.Account{VCS: "github", ID: "2"}}, false},
		"same id, other VCS":    {access.Caller{Kind: access.KindSession, Account: vcs.Account{VCS: "gitlab", ID: "1"}}, false},
		"of no account":         {access.Caller{Kind: access.KindSession, Account: vcs.Account{VCS: "github"}}, false},
		"of no VCS":             {access.Caller{Kind: access.KindSession}, false},
		"an API key":            {access.Caller{Kind: access.KindAPIKey}, true},
		"an access token":       {access.Caller{Kind: access.KindAccessToken}, true},
		"of a VCS without ties": {access.Caller{Kind: access.KindSession, Account: vcs.Account{VCS: "gitlab"}}, true},
	} {
		if got := u.Admits(c.caller); got != c.want {
			t.Errorf("%s: admitted %t, want %t", name, got, c.want)
		}
	}
}

func TestWordOfAVCSLapses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.signIn(t, "github", "1", "ann")
	if err := r.Replace(ctx, operator(), u.ID, vcs.Account{VCS: "github", ID: "1"}, said(now, "1")); err != nil {
		t.Fatal(err)
	}
	u, err := r.Get(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind  access.Kind
		after time.Duration
		want  int
	}{
		{access.KindSession, 0, 1},
		{access.KindSession, user.SessionLapse - time.Second, 1},
		{access.KindSession, user.SessionLapse, 0},
		{access.KindAPIKey, user.SessionLapse, 1},
		{access.KindAPIKey, user.KeyLapse - time.Second, 1},
		{access.KindAPIKey, user.KeyLapse, 0},
		{access.KindAccessToken, user.KeyLapse, 0},
	} {
		if got := u.MembershipsFor(access.Caller{Kind: c.kind, Account: vcs.Account{VCS: vcs.GitHub, ID: "1"}}, now.Truncate(time.Millisecond).Add(c.after)); len(got) != c.want {
			t.Errorf("%s after %v: got %v, want %d", c.kind, c.after, got, c.want)
		}
	}
}
