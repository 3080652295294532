package repository

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// item reads the item of a repository.
func item(t *testing.T, s Store, installation, id string) attr.Item {
	t.Helper()
	out, err := s.DB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &s.Table, Key: key(vcs.Installation{VCS: "github", ID: vcs.ID(installation)}.Repository(vcs.ID(id))), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

var author = change.Author{Principal: "test", Request: "1", At: time.Unix(4_000_000_000, 0)}

func open(t *testing.T) (*storagetest.Env, Store) {
	env := storagetest.New(t)
	return env, Store{DB: env.DynamoDB, Table: env.Table("VcsTable")}
}

// over returns the store with faults in its calls.
func over(env *storagetest.Env, f *storagetest.Faults) Store {
	return Store{DB: env.WithFaults(f).DynamoDB, Table: env.Table("VcsTable")}
}

func TestRepeatedFactTakesOneCall(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	private := true
	one := vcs.Description{ID: "7", Owner: "acme", Name: "infra", Private: &private}
	if err := s.Apply(t.Context(), author, vcs.Installation{VCS: "gitlab", ID: "43"}, one, "1"); err != nil {
		t.Fatal(err)
	}
	for name, take := range map[string]func(Store) error{
		"described": func(s Store) error {
			return s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, one, "5")
		},
		"given": func(s Store) error {
			return s.Given(t.Context(), author, vcs.Installation{VCS: "github", ID: "43"}, one, "5")
		},
		"without time": func(s Store) error {
			return s.Describe(t.Context(), author, vcs.Installation{VCS: "gitlab", ID: "42"}, one, "5", "")
		},
		"gone": func(s Store) error {
			return s.Gone(t.Context(), author, vcs.Installation{VCS: "gitlab", ID: "43"}.Repository("7"), "5", nil)
		},
	} {
		var calls [2]int
		for i := range calls {
			var f storagetest.Faults
			if err := take(over(env, &f)); err != nil {
				t.Fatal(err)
			}
			calls[i] = f.Calls("")
		}
		if calls != [2]int{1, 1} {
			t.Errorf("%s: %v calls, want one each time", name, calls)
		}
	}
}

// TestFactsThatMeetAreAllKept lets another writer write before each call.
func TestFactsThatMeetAreAllKept(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	var f storagetest.Faults
	met := 0
	f.Add(storagetest.Fault{Before: func() {
		if met++; met > 3 {
			return
		}
		archived := met%2 == 0
		seen := vcs.Description{ID: "7", Owner: "acme", Name: fmt.Sprint("name", met), Archived: &archived}
		if err := s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen, vcs.Version(fmt.Sprint(met+1))); err != nil {
			t.Error(err)
		}
	}})
	if err := over(env, &f).Describe(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, vcs.Description{ID: "7", Owner: "acme", Name: "late", DefaultBranch: "main"}, "1", "9"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository("7"))
	if k := read(t, s, "42", "7"); err != nil || got.Name != "name3" || got.DefaultBranch != "main" || k.there != "9" {
		t.Errorf("%+v, %+v, %v", got, k, err)
	}
}

func TestLossMakesOneTaskHoweverItIsInterrupted(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	tasks := task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	for i, kind := range []storagetest.Kind{
		storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Conflict, storagetest.Throttle, storagetest.ServerError, storagetest.Duplicate, storagetest.Refuse,
	} {
		id := fmt.Sprint(i + 1)
		before, err := tasks.Due(t.Context(), task.Hosts, author.At.Add(time.Hour), 100)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, vcs.Description{ID: vcs.ID(id), Owner: "acme", Name: "infra"}, "1"); err != nil {
			t.Fatal(err)
		}
		var f storagetest.Faults
		f.Add(storagetest.Fault{Nth: 1, Kind: kind})
		for n, store := range []Store{over(env, &f), s, s} {
			removal := RemovalTask("", vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id)), "2")
			if err := store.Gone(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id)), "2", tasks.Writes(author, removal)); err != nil && n > 0 {
				t.Fatal(err)
			}
		}
		after, err := tasks.Due(t.Context(), task.Hosts, author.At.Add(time.Hour), 100)
		if err != nil || len(after)-len(before) != 1 {
			t.Errorf("fault %d: %d tasks, %v; want one", kind, len(after)-len(before), err)
		}
	}
}

func TestTaskOfALossIsTheSameWheneverItIsMade(t *testing.T) {
	t.Parallel()
	made := RemovalTask("", vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), "5")
	if again := RemovalTask("", vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), "5"); again != made {
		t.Errorf("made again it is %+v, not %+v", again, made)
	}
	for _, other := range []task.Task{
		RemovalTask("", vcs.Installation{VCS: "gitlab", ID: "42"}.Repository("7"), "5"), RemovalTask("", vcs.Installation{VCS: "github", ID: "4"}.Repository("27"), "5"), RemovalTask("", vcs.Installation{VCS: "github", ID: "42"}.Repository("8"), "5"), RemovalTask("", vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), "6"),
	} {
		if other.ID == made.ID {
			t.Errorf("another loss has the same task: %+v", other)
		}
	}
}

func TestLossMakesATaskWhereTheRepositoryWasKnown(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	tasks := task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	seen := func(id string) vcs.Description { return vcs.Description{ID: vcs.ID(id), Owner: "acme", Name: "infra"} }
	waiting := func() int {
		ids, err := tasks.Due(t.Context(), task.Hosts, author.At.Add(time.Hour), 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(ids)
	}
	for id, c := range map[string]struct {
		before func(id string) error
		tasks  int // of the losses as of the versions 5 and 6
	}{
		"1": {func(string) error { return nil }, 0},
		"2": {func(id string) error {
			return s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "1")
		}, 2},
		"3": {func(id string) error {
			return s.Given(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "1")
		}, 2},
		"4": {func(id string) error {
			return s.Describe(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "1", "")
		}, 2},
		"5": {func(id string) error {
			return s.Gone(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id)), "1", nil)
		}, 0},
		"6": {func(id string) error { // a late description of the time before a loss
			return errors.Join(s.Gone(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id)), "1", nil), s.Describe(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, seen(id), "2", ""))
		}, 2},
	} {
		if err := c.before(id); err != nil {
			t.Fatal(err)
		}
		others := waiting()
		for _, version := range []string{"5", "6", "6", "4"} {
			removal := RemovalTask("", vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id)), vcs.Version(version))
			if err := s.Gone(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id)), vcs.Version(version), tasks.Writes(author, removal)); err != nil {
				t.Fatal(err)
			}
		}
		if got := waiting() - others; got != c.tasks {
			t.Errorf("repository %s: %d tasks, want %d", id, got, c.tasks)
		}
		if k := read(t, s, "42", id); k.emptied != "6" || !k.gone() {
			t.Errorf("repository %s: the loss is not remembered: %+v", id, k)
		}
	}
}

func TestOwnDecisionYieldsToWhatIsNewer(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	if err := s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, vcs.Description{ID: "7", Owner: "acme", Name: "infra"}, "5"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		version string
		want    bool
	}{{"4", false}, {"5", false}, {"6", true}, {"6", false}} {
		if got, err := s.Remove(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), vcs.Version(c.version), nil); err != nil || got != c.want {
			t.Errorf("as of %s: removed %t, %v", c.version, got, err)
		}
	}
}
