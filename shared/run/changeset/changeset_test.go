package changeset_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// at lies in the future, so that nothing expires.
var (
	at         = time.Unix(4_000_000_000, 0).UTC()
	repository = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")
)

type rig struct {
	changeset.Store
	env *storagetest.Env
}

func open(t *testing.T) rig {
	env := storagetest.New(t)
	return rig{changeset.Store{DB: env.DynamoDB, Objects: env.S3, Table: env.Table("RunsTable"), Bucket: env.Bucket("RunsBucket"), Keep: time.Hour}, env}
}

// put stores a set as an evaluation does, and reports whether it was taken.
func (r rig) put(t *testing.T, set changeset.Set) bool {
	t.Helper()
	write, err := r.Write(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	err = table.Table{DB: r.DB, Name: r.Table}.Transact(t.Context(), write)
	_, newer := table.ConditionFailedAt(err, 0)
	if err != nil && !newer {
		t.Fatal(err)
	}
	return !newer
}

// set returns a set with n dirspaces whose names compress badly.
func set(of vcs.Repository, number int64, n int) changeset.Set {
	s := changeset.Set{Repository: of, Number: number, Base: "aa", Head: "bb", At: at, Stacks: []changeset.Stack{
		{Name: "net", Paths: [][]string{{"net"}}, Members: []changeset.Member{}},
		{Name: "app", Paths: [][]string{{"prod", "app"}, {"all", "app"}}, PlanAfter: []string{"net"}, ApplyAfter: []string{"net"}},
	}}
	for i := range n {
		s.Stacks[1].Members = append(s.Stacks[1].Members, changeset.Member{Dirspace: run.Dirspace{Dir: fmt.Sprintf("%x/%x", i*7919*104729, i*i*7919), Workspace: "default"}, Layer: i % 3})
	}
	return s
}

func (r rig) objects(t *testing.T) int {
	t.Helper()
	out, err := r.Objects.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &r.Bucket})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Contents)
}

func TestChangeSetIsReadBackWhateverItsSize(t *testing.T) {
	t.Parallel()
	r := open(t)
	for number, c := range []struct{ members, objects int }{{1, 0}, {5000, 1}} {
		want := set(repository, int64(number+1), c.members)
		want.Merged = "cc"
		if !r.put(t, want) {
			t.Fatal("the set was not taken")
		}
		got, err := r.Get(t.Context(), repository, want.Number)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d dirspaces are read back as %.300v, %v", c.members, got, err)
		}
		if n := r.objects(t); n != c.objects {
			t.Errorf("%d dirspaces: %d objects, want %d", c.members, n, c.objects)
		}
	}
	for _, of := range []vcs.Repository{vcs.Installation{VCS: vcs.GitHub, ID: "43"}.Repository("7"), vcs.Installation{VCS: vcs.GitLab, ID: "42"}.Repository("7"), repository.Installation.Repository("8")} {
		if _, err := r.Get(t.Context(), of, 1); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: got %v", of, err)
		}
	}
}

func TestOlderEvaluationDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	r := open(t)
	of := func(head string, after time.Duration) changeset.Set {
		s := set(repository, 1, 1)
		s.Head, s.At = head, at.Add(after)
		return s
	}
	for _, c := range []struct {
		set   changeset.Set
		taken bool
		want  string
	}{{of("b", 1000000), true, "b"}, {of("a", 0), false, "b"}, {of("b", 1000000), true, "b"}, {of("c", 2000000), true, "c"}} {
		taken := r.put(t, c.set)
		got, err := r.Get(t.Context(), repository, 1)
		if taken != c.taken || err != nil || got.Head != c.want {
			t.Errorf("set of %s: taken %t, then %s, %v", c.set.Head, taken, got.Head, err)
		}
	}
}

func TestSetsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*changeset.Set){
		"no commit":             func(s *changeset.Set) { s.Head = "" },
		"no pull request":       func(s *changeset.Set) { s.Number = 0 },
		"no repository":         func(s *changeset.Set) { s.Repository = vcs.Repository{} },
		"no time":               func(s *changeset.Set) { s.At = time.Time{} },
		"stack twice":           func(s *changeset.Set) { s.Stacks[1].Name, s.Stacks[1].Paths = "net", [][]string{{"net"}} },
		"stack without a path":  func(s *changeset.Set) { s.Stacks[0].Paths = nil },
		"path to another stack": func(s *changeset.Set) { s.Stacks[0].Paths = [][]string{{"prod"}} },
		"after an unknown one":  func(s *changeset.Set) { s.Stacks[0].PlanAfter = []string{"dns"} },
		"dirspace twice":        func(s *changeset.Set) { s.Stacks[0].Members = s.Stacks[1].Members },
		"layer below 0":         func(s *changeset.Set) { s.Stacks[1].Members[0].Layer = -1 },
		"too many dirspaces":    func(s *changeset.Set) { *s = set(repository, 1, changeset.MaxMembers+1) },
		"too many stacks":       func(s *changeset.Set) { s.Stacks = make([]changeset.Stack, changeset.MaxStacks+1) },
	} {
		s := set(repository, 1, 1)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if change(&s); s.Validate() == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

func TestRemovalLeavesWhatBelongsToOthers(t *testing.T) {
	t.Parallel()
	r := open(t)
	in := repository.Installation
	fill := func() {
		for _, of := range []vcs.Repository{repository, in.Repository("70"), vcs.Installation{VCS: vcs.GitHub, ID: "421"}.Repository("7")} {
			for number := range int64(3) {
				r.put(t, set(of, number+1, 5000))
			}
		}
	}
	fill()
	removeAll := func(remove func() (int, bool, error)) (removed int) {
		for {
			n, more, err := remove()
			if removed += n; err != nil || n > 2 {
				t.Fatalf("removed %d at once, %v", n, err)
			}
			if !more {
				return removed
			}
		}
	}
	if n := removeAll(func() (int, bool, error) { return r.RemoveRepository(t.Context(), repository, 2) }); n != 3 || r.objects(t) != 6 {
		t.Errorf("removed %d items, left %d objects; want 3 and 6", n, r.objects(t))
	}
	fill()
	if n := removeAll(func() (int, bool, error) { return r.RemoveInstallation(t.Context(), in, 2) }); n != 6 || r.objects(t) != 3 {
		t.Errorf("removed %d items, left %d objects; want 6 and 3", n, r.objects(t))
	}
	if _, err := r.Get(t.Context(), repository, 1); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("after the removal: %v", err)
	}
	if _, err := r.Get(t.Context(), vcs.Installation{VCS: vcs.GitHub, ID: "421"}.Repository("7"), 3); err != nil {
		t.Errorf("that of another installation: %v", err)
	}
}
