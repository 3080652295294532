package installation_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/installation"
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
		version string // empty: named in passing
	}{
		{at("", "passing"), ""}, {at(installation.Installed, "one"), "1"}, {at(installation.Suspended, "two"), "2"}, {at(installation.Uninstalled, "three"), "3"},
	}
	n := 0
	for order := range permutations([]int{0, 1, 2, 3}) {
		n++
		id := fmt.Sprint(n)
		for _, i := range append(order, order[0]) {
			f := facts[i]
			f.ID = id
			author := change.Author{Principal: "test", Request: uuid.NewString(), At: time.Unix(4_000_000_000, 0)}
			var err error
			if f.version == "" {
				err = s.Ensure(t.Context(), author, f.Installation)
			} else {
				err = s.Apply(t.Context(), author, f.Installation, f.version)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.Get(t.Context(), "github", id); err != nil || got.State != installation.Uninstalled || got.Name != "three" {
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
	if err := s.Delivered(t.Context(), author, "gitlab", "77"); err != nil {
		t.Errorf("an unknown one: %v", err)
	}
	if _, err := s.Get(t.Context(), "gitlab", "77"); err == nil {
		t.Error("a delivery has made an installation")
	}
	if _, err := s.Save(t.Context(), author, installation.Installation{VCS: "gitlab", ID: "77", Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Delivered(t.Context(), author, "gitlab", "77"); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), "gitlab", "77"); err != nil || got.State != installation.Installed || got.Name != "acme" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}
