package admin_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func (r *rig) tasks() task.Store {
	return task.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Operations}
}

// due returns the ids of the erasures that a worker starts at a time.
func (r *rig) due(at time.Time) []string {
	r.t.Helper()
	ids, err := r.tasks().Due(r.t.Context(), task.Erasures, at, 10)
	if err != nil {
		r.t.Fatal(err)
	}
	return ids
}

// told stores an installation's state as its host states it.
func (r *rig) told(system, id string, state installation.State, version string) {
	r.t.Helper()
	store := installation.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Operations}
	author := change.Author{Principal: "webhook:" + system, Request: uuid.NewString(), At: time.Now()}
	if err := store.Apply(r.t.Context(), author, installation.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id), Name: "acme", State: state}, vcs.Version(version)); err != nil {
		r.t.Fatal(err)
	}
}

// idOf returns the id at the end of a command's result.
func idOf(t *testing.T, answer string) string {
	t.Helper()
	words := strings.Fields(answer)
	id, err := task.ParseID(words[len(words)-1])
	if err != nil {
		t.Fatalf("%q names no task", answer)
	}
	return id
}

func TestErasureOfAnInstallationBeginsWhenNobodyReachesIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, line := range []string{
		"user create ann", "user create ben", "installation create --vcs github --id 42 --name acme", "installation create --vcs github --id 43 --name other",
		"membership add --user ann --vcs github --installation 42", "membership add --user ben --vcs github --installation 43",
	} {
		r.must(line, "")
	}
	const erase = "erase installation --vcs github --id 42"
	for _, wrong := range []string{erase, erase + " --confirm other", erase + " --confirm ACME"} {
		r.refused(wrong, "nothing was changed")
		if !strings.Contains(r.notes.String(), "User ann loses") || strings.Contains(r.notes.String(), "ben") {
			t.Errorf("%s: it says %s", wrong, r.notes.String())
		}
	}
	r.refused("erase installation --vcs github --id 44 --confirm x", "there is no")
	if len(r.user("ann").Memberships) != 1 || len(r.due(time.Now().Add(time.Hour))) != 0 {
		t.Fatal("a refused command has changed something")
	}
	begun := time.Now()
	id := idOf(t, r.must(erase+" --confirm acme", "is being erased"))
	if len(r.user("ann").Memberships) != 0 || len(r.user("ben").Memberships) != 1 {
		t.Error("ann's membership alone was to end")
	}
	// An access token that was made just before lives for a minute.
	if early, late := r.due(begun.Add(time.Minute)), r.due(time.Now().Add(3*time.Minute)); len(early) != 0 || !slices.Equal(late, []string{id}) {
		t.Errorf("due after a minute %v, after three %v", early, late)
	}
	if again := idOf(t, r.must(erase+" --confirm acme", "")); again != id {
		t.Error("the repeated command started another erasure")
	}
	r.refused("membership add --user ann --vcs github --installation 42", "is being erased")
	r.must("task show "+id, "INSTALLATION_ERASURE  pending")
	r.must("task show "+id, "about    github installation 42")
	run, err := r.tasks().Begin(t.Context(), id, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if by := run.Author("r", time.Now()).Principal; by != "operator:tester" {
		t.Errorf("what it changes is recorded as done by %s", by)
	}
	run.Progress = task.Progress{Done: 7, Total: 7}
	if err := r.tasks().Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if err := r.tasks().End(t.Context(), run, task.Failed, "words", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.must("task show "+id, "done     7 of 7\nproblem  words")
	r.must("membership add --user ann --vcs github --installation 42", "now a member")
	if again := idOf(t, r.must(erase+" --confirm acme", "")); again == id {
		t.Error("an erasure that has failed is answered for a new one")
	}
	r.refused("task show "+uuid.NewString(), "no task")
}

func TestErasureThatWouldBeUndoneAtOnceIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.told("github", "42", installation.Installed, "1")
	r.refused("erase installation --vcs github --id 42 --confirm acme", "uninstalled first")
	r.told("github", "42", installation.Suspended, "2")
	r.refused("erase installation --vcs github --id 42 --confirm acme", "uninstalled first")
	r.told("github", "42", installation.Uninstalled, "3")
	r.must("installation create --vcs gitlab --id 43 --name acme", "")
	r.refused("erase installation --vcs gitlab --id 43 --confirm acme", "out of GitlabGroups")
	r.told("gitlab", "42", installation.Installed, "1")
	r.refused("erase installation --vcs gitlab --id 42 --confirm acme", "--webhook-removed")

	r.must("user create ann", "")
	r.must("account link --user ann --vcs github --id 9 --login ann", "")
	ann := r.user("ann")
	users := &user.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Operations}
	said := func(at time.Time, ids ...vcs.ID) {
		t.Helper()
		author := change.Author{Principal: ann.ID, Request: uuid.NewString(), At: at}
		if err := users.Replace(t.Context(), author, ann.ID, vcs.Account{VCS: "github", ID: "9"}, user.Hosted{Installations: ids, AskedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	said(time.Now().Add(-time.Hour), "42")
	r.refused("erase installation --vcs github --id 42 --confirm acme", "ann (until ")
	if ids := r.due(time.Now().Add(time.Hour)); len(ids) != 0 {
		t.Errorf("a refused command has started %v", ids)
	}
	r.must("erase installation --vcs gitlab --id 42 --confirm acme --webhook-removed", "is being erased")
	said(time.Now())
	r.must("erase installation --vcs github --id 42 --confirm acme", "is being erased")
}

func TestWordOfAHostThatHasLapsedHoldsUpNoErasure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "")
	r.must("account link --user ann --vcs github --id 9 --login ann", "")
	ann := r.user("ann")
	r.told("github", "42", installation.Uninstalled, "1")
	long := time.Now().Add(-user.KeyLapse - time.Minute)
	err := (&user.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Operations}).Replace(t.Context(),
		change.Author{Principal: ann.ID, Request: uuid.NewString(), At: long}, ann.ID, vcs.Account{VCS: "github", ID: "9"}, user.Hosted{Installations: []vcs.ID{"42"}, AskedAt: long})
	if err != nil {
		t.Fatal(err)
	}
	r.must("erase installation --vcs github --id 42 --confirm acme", "is being erased")
}

func TestErasureOfAPersonBeginsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "")
	r.must("account link --user ann --vcs github --id 9 --login ann", "")
	r.must("key create --user ann --name ci", "opk_")
	ann := r.user("ann")
	for _, wrong := range []string{"erase user ann", "erase user ann --confirm ben", "erase user " + ann.ID + " --confirm " + ann.ID} {
		r.refused(wrong, "nothing was changed")
		if !strings.Contains(r.notes.String(), "github:ann") || !strings.Contains(r.notes.String(), "1 API keys") {
			t.Errorf("%s: it says %s", wrong, r.notes.String())
		}
	}
	if len(r.due(time.Now().Add(time.Hour))) != 0 || !slices.Equal(r.user("ann").VCSs(), []vcs.VCS{vcs.GitHub}) || len(r.keys("ann")) != 1 {
		t.Error("a refused command has changed something")
	}
	id := idOf(t, r.must("erase user ann --confirm ann", "is being erased"))
	if again := idOf(t, r.must("erase user "+ann.ID+" --confirm ann", "")); again != id {
		t.Error("the repeated command started another erasure")
	}
	if !slices.Equal(r.due(time.Now()), []string{id}) {
		t.Error("it does not begin at once")
	}
	r.must("task show "+id, "about    user "+ann.ID)
	if _, err := (&user.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Operations}).Erase(t.Context(), ann.ID, change.Author{Principal: "x", Request: "y", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	r.refused("erase user ann --confirm ann", "there is no user")
	if again := idOf(t, r.must("erase user "+ann.ID+" --confirm "+ann.ID, "")); again != id {
		t.Error("without the user, the repeated command started another erasure")
	}
	got, err := r.tasks().Get(t.Context(), id, time.Now())
	if err != nil || got.VisibleTo(access.Caller{User: ann.ID}) || got.VisibleTo(access.Caller{}) {
		t.Errorf("task %+v, %v is shown to callers of the API", got, err)
	}
}

// TestErasureOfAPersonThatFailedBehindTheUserIsStartedAgain makes an erasure fail
// after the user is removed, and before the API keys are.
func TestErasureOfAPersonThatFailedBehindTheUserIsStartedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "")
	r.must("key create --user ann --name ci", "opk_")
	ann := r.user("ann")
	failed := idOf(t, r.must("erase user ann --confirm ann", "is being erased"))
	if _, err := (&user.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Operations}).Erase(t.Context(), ann.ID, change.Author{Principal: "x", Request: "y", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	run, err := r.tasks().Begin(t.Context(), failed, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.tasks().End(t.Context(), run, task.Failed, "words", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.refused("erase user ann --confirm ann", "with the user's id")
	r.must("task show "+failed, "about    user "+ann.ID)
	for _, wrong := range []string{"erase user " + ann.ID, "erase user " + ann.ID + " --confirm ann"} {
		r.refused(wrong, "nothing was changed")
		if !strings.Contains(r.notes.String(), "1 API keys") {
			t.Errorf("%s: it says %s", wrong, r.notes.String())
		}
	}
	if ids := r.due(time.Now().Add(time.Hour)); len(ids) != 0 {
		t.Errorf("a refused command has started %v", ids)
	}
	id := idOf(t, r.must("erase user "+ann.ID+" --confirm "+ann.ID, "is being erased"))
	got, err := r.tasks().Get(t.Context(), id, time.Now())
	if err != nil || id == failed || got.Subject != ann.ID || !slices.Equal(r.due(time.Now()), []string{id}) {
		t.Errorf("started %+v, %v", got, err)
	}
}
