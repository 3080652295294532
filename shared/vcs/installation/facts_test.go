package installation_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func TestNewestFactOfAnInstallationWinsInAnyOrder(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := installation.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	at := func(state installation.State, name string) installation.Installation {
		return installation.Installation{VCS: "github", Name: name, State: state, TargetType: "Organization"}
	}
	facts := []struct {
		installation.Installation
		version string // empty: only mentioned
	}{
		{at("", "passing"), ""}, {at(installation.Installed, "one"), "1"}, {at(installation.Suspended, "two"), "2"}, {at(installation.Uninstalled, "three"), "3"},
	}
	n := 0
	for order := range permutations([]int{0, 1, 2, 3}) {
		n++
		id := fmt.Sprint(n)
		for _, i := range append(order, order[0]) {
			f := facts[i]
			f.ID = vcs.ID(id)
			author := change.Author{Principal: "test", Request: uuid.NewString(), At: time.Unix(4_000_000_000, 0)}
			var err error
			if f.version == "" {
				err = s.Ensure(t.Context(), author, f.Installation)
			} else {
				err = s.Apply(t.Context(), author, f.Installation, vcs.Version(f.version))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.Get(t.Context(), vcs.Installation{VCS: "github", ID: vcs.ID(id)}); err != nil || got.State != installation.Uninstalled || got.Name != "three" {
			t.Errorf("order %v: %+v, %v", order, got, err)
		}
	}
	if n != 24 {
		t.Errorf("%d orders", n)
	}
}

// permutations yields each order of a list.
func permutations(list []int) func(func([]int) bool) {
	return func(yield func([]int) bool) {
		var walk func(done, rest []int) bool
		walk = func(done, rest []int) bool {
			if len(rest) == 0 {
				return yield(slices.Clone(done))
			}
			for i := range rest {
				if !walk(append(slices.Clone(done), rest[i]), slices.Delete(slices.Clone(rest), i, i+1)) {
					return false
				}
			}
			return true
		}
		walk(nil, list)
	}
}

func TestFirstDeliveryInstallsAPendingInstallation(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := installation.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	author := change.Author{Principal: "test", Request: "1", At: time.Unix(4_000_000_000, 0)}
	if err := s.Delivered(t.Context(), author, vcs.Installation{VCS: "gitlab", ID: "77"}); err != nil {
		t.Errorf("an unknown one: %v", err)
	}
	if _, err := s.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"}); err == nil {
		t.Error("a delivery has made an installation")
	}
	if _, err := s.Save(t.Context(), author, installation.Installation{VCS: "gitlab", ID: "77", Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Delivered(t.Context(), author, vcs.Installation{VCS: "gitlab", ID: "77"}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"}); err != nil || got.State != installation.Installed || got.Name != "acme" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

// TestNameAndStateAreToldApart renames an account. The name gets its own version
// among the facts that also state the name.
func TestNameAndStateAreToldApart(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := installation.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	n := 0
	for order := range permutations([]int{0, 1, 2}) {
		n++
		i := installation.Installation{VCS: "github", ID: vcs.ID(fmt.Sprint(n)), TargetType: "User"}
		for _, step := range append(order, order...) {
			author := change.Author{Principal: "test", Request: uuid.NewString(), At: time.Unix(4_000_000_000, 0)}
			var err error
			switch step {
			case 0:
				i.Name, i.State = "one", installation.Installed
				err = s.Apply(t.Context(), author, i, "1")
			case 1:
				i.Name = "renamed"
				err = s.Rename(t.Context(), author, i, "3")
			default: // suspended before, with a later version, and with the old name
				i.Name, i.State = "one", installation.Suspended
				err = s.Apply(t.Context(), author, i, "2")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Get(t.Context(), vcs.Installation{VCS: "github", ID: vcs.ID(i.ID)})
		if err != nil || got.Name != "renamed" || got.State != installation.Suspended || got.TargetType != "User" {
			t.Errorf("order %v: %+v, %v", order, got, err)
		}
	}
	fresh := installation.Installation{VCS: "github", ID: "99", Name: "renamed"}
	if err := s.Rename(t.Context(), change.Author{Principal: "test", Request: "1", At: time.Unix(4_000_000_000, 0)}, fresh, "3"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), vcs.Installation{VCS: "github", ID: "99"}); err != nil || got.State != installation.Installed {
		t.Errorf("one that was not known: %+v, %v", got, err)
	}
}
