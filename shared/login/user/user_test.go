package user_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

var (
	ctx = context.Background()
	now = time.Unix(4_000_000_000, 500_000_000).UTC()
)

// rig is the table, and the table with faults.
type rig struct {
	*user.Store
	faulty *user.Store
	faults storagetest.Faults
}

func newRig(t *testing.T) *rig {
	t.Helper()
	env := storagetest.New(t)
	r := &rig{}
	r.Store = &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	r.faulty = &user.Store{DB: env.WithFaults(&r.faults).DynamoDB, Table: r.Table}
	return r
}

func operator() change.Author {
	return change.Author{Principal: "operator:test", Request: uuid.NewString(), At: now}
}

func (r *rig) create(t *testing.T, name string) user.User {
	t.Helper()
	u, err := r.Create(ctx, name, operator())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUserIsFoundByIDAndByName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made := r.create(t, "Ann-1.x_y")
	want := user.User{ID: made.ID, Name: "Ann-1.x_y", CreatedAt: now.Truncate(time.Second)}
	for name, get := range map[string]func() (user.User, error){
		"create":             func() (user.User, error) { return made, nil },
		"by id":              func() (user.User, error) { return r.Get(ctx, made.ID) },
		"by name":            func() (user.User, error) { return r.ByName(ctx, "Ann-1.x_y") },
		"by name, its case":  func() (user.User, error) { return r.ByName(ctx, "ANN-1.X_Y") },
		"after another user": func() (user.User, error) { r.create(t, "ben"); return r.Get(ctx, made.ID) },
	} {
		if got, err := get(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
		}
	}
	if _, err := r.Get(ctx, uuid.NewString()); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := r.ByName(ctx, "nobody"); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestNamesAreUniqueWhateverTheirCase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for i := range 8 {
		wg.Go(func() {
			_, err := r.Create(ctx, []string{"ann", "Ann", "ANN"}[i%3], operator())
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !errors.Is(err, user.ErrExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("got %d users of one name", made)
	}
}

func TestNamesHaveAForm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"", "-a", ".a", "_a", "a b", "a/b", "a#b", "é", "a\n", "a\x00", strings.Repeat("a", 65)} {
		_, err := r.Create(ctx, name, operator())
		if f := new(fault.Error); !errors.As(err, &f) || f.ID != "INVALID_USER_NAME" {
			t.Errorf("%q: got %v, want INVALID_USER_NAME", name, err)
		}
	}
	r.create(t, strings.Repeat("a", 64))
	r.create(t, "7")
}

func TestCreateSurvivesALostAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: storagetest.LoseAnswer})
	made, err := r.faulty.Create(ctx, "ann", operator())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.ByName(ctx, "ann"); err != nil || got.ID != made.ID {
		t.Errorf("got %v, %v; want %s", got, err, made.ID)
	}
}

func TestConflictIsNoTakenName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.Conflict})
	if _, err := r.faulty.Create(ctx, "ann", operator()); err == nil || errors.Is(err, user.ErrExists) {
		t.Errorf("got %v, want another error than ErrExists", err)
	}
}

func TestMembershipsAddUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.create(t, "ann")
	var want []vcs.Installation
	var wg sync.WaitGroup
	for i := range 10 {
		m := vcs.Installation{VCS: vcs.All()[i%2], ID: vcs.ID(fmt.Sprint(i))}
		want = append(want, m)
		for range 2 {
			wg.Go(func() {
				if err := r.AddMembership(ctx, u.ID, m, operator()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	slices.SortFunc(want, func(a, b vcs.Installation) int { return strings.Compare(a.String(), b.String()) })
	got, err := r.Get(ctx, u.ID)
	if err != nil || !slices.Equal(got.Memberships, want) {
		t.Errorf("got %v, %v; want %v", got.Memberships, err, want)
	}
	if err := r.AddMembership(ctx, uuid.NewString(), want[0], operator()); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("of nobody: got %v, want ErrNotFound", err)
	}
	err = r.AddMembership(ctx, u.ID, vcs.Installation{VCS: "svn", ID: "1"}, operator())
	if f := new(fault.Error); !errors.As(err, &f) || f.ID != "INVALID_VCS" {
		t.Errorf("unknown VCS: got %v, want INVALID_VCS", err)
	}
}

func TestIdentityTiesAUserToAVCS(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.create(t, "ann")
	if got := u.VCSs(); got == nil || len(got) != 0 {
		t.Errorf("got %v, want an empty list", got)
	}
	if err := r.AddMembership(ctx, u.ID, vcs.Installation{VCS: "gitlab", ID: "7"}, operator()); err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"old", "ann-at-github"} {
		if err := r.PutIdentity(ctx, u.ID, "github", user.Identity{ID: "583231", Login: login, AvatarURL: "https://a.example/1"}, operator()); err != nil {
			t.Fatal(err)
		}
	}
	u, err := r.Get(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.VCSs(); !slices.Equal(got, vcs.All()) {
		t.Errorf("got %v, want both", got)
	}
	want := user.Identity{ID: "583231", Login: "ann-at-github", AvatarURL: "https://a.example/1"}
	if got, ok := u.Login("github"); !ok || got != want {
		t.Errorf("got %v, %t; want %v", got, ok, want)
	}
	if got, ok := u.Login("gitlab"); !ok || got != (user.Identity{Login: "ann"}) {
		t.Errorf("got %v, %t; want the user's own name", got, ok)
	}
	if err := r.PutIdentity(ctx, uuid.NewString(), "github", want, operator()); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("of nobody: got %v, want ErrNotFound", err)
	}
	if err := r.PutIdentity(ctx, u.ID, "svn", want, operator()); err == nil {
		t.Error("got an identity at an unknown VCS")
	}
}

func TestEveryChangeHasItsAuthor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	author := operator()
	u, err := r.Create(ctx, "ann", author)
	if err != nil {
		t.Fatal(err)
	}
	check := func(step string, author change.Author, items int) {
		t.Helper()
		out, err := r.DB.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String(r.Table)})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, item := range out.Items {
			if attr.Read(item).String(change.AttrRequest) == author.Request {
				n++
			}
		}
		if n != items {
			t.Errorf("%s: got %d items by its author, want %d", step, n, items)
		}
	}
	check("create", author, 2)
	author = operator()
	if err := r.AddMembership(ctx, u.ID, vcs.Installation{VCS: "github", ID: "1"}, author); err != nil {
		t.Fatal(err)
	}
	check("membership", author, 1)
	author = operator()
	if err := r.PutIdentity(ctx, u.ID, "github", user.Identity{ID: "1", Login: "l"}, author); err != nil {
		t.Fatal(err)
	}
	check("identity", author, 2)
}
