package admin_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/vcs"
)

const (
	addAnn  = "membership add --user ann --vcs github --installation 42"
	erase42 = "erase installation --vcs github --id 42 --confirm acme"
)

// beside runs a command whose requests to storage can be made to fail.
func (r *rig) beside(line string, faults *storagetest.Faults) error {
	o := *r.operator
	o.DB, o.Out, o.Notes = r.env.WithFaults(faults).DynamoDB, new(strings.Builder), new(strings.Builder)
	return o.Run(context.Background(), strings.Fields(line))
}

// TestMembershipBesideAnErasureEndsWithIt runs one of the two commands completely
// before each request to storage of the other. So it covers every order in which
// one of them is not interrupted. In every case, nobody is a member of an
// installation that is being erased, because what a member writes would remain
// after the erasure.
func TestMembershipBesideAnErasureEndsWithIt(t *testing.T) {
	t.Parallel()
	for _, order := range []struct{ outer, inner string }{{addAnn, erase42}, {erase42, addAnn}} {
		for n := 1; ; n++ {
			r, met := besideErasure(t), false
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Nth: n, Before: func() {
				met = true
				_, _ = r.run(order.inner)
			}})
			outer := r.beside(order.outer, &faults)
			if !met {
				break
			}
			r.noMemberOfTheErased(fmt.Sprintf("%s before request %d of %s (%v)", order.inner, n, order.outer, outer))
		}
	}
}

// TestMembershipWhoseAnswerIsLostEndsWithTheErasure loses the write of a
// membership, or its response, while an erasure begins.
func TestMembershipWhoseAnswerIsLostEndsWithTheErasure(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]storagetest.Kind{
		"the answer is lost": storagetest.LoseAnswer, "the write arrives late": storagetest.Late, "the write arrives twice": storagetest.Duplicate,
	} {
		for _, write := range []string{"UpdateItem", "TransactWriteItems"} {
			r := besideErasure(t)
			var faults storagetest.Faults
			begun := false
			faults.Add(storagetest.Fault{Operation: write, Kind: kind, Before: func() {
				if !begun {
					begun = true
					r.must(erase42, "is being erased")
				}
			}})
			err := r.beside(addAnn, &faults)
			if err := faults.Deliver(); err != nil {
				t.Fatal(err)
			}
			if begun {
				r.noMemberOfTheErased(fmt.Sprintf("%s of %s (%v)", name, write, err))
			}
		}
	}
}

// besideErasure returns a rig with a user and an installation.
func besideErasure(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.must("user create ann", "")
	r.must("installation create --vcs github --id 42 --name acme", "")
	return r
}

func (r *rig) noMemberOfTheErased(when string) {
	r.t.Helper()
	erasing := len(r.due(time.Now().Add(time.Hour))) > 0
	member := slices.Contains(r.user("ann").Memberships, vcs.Installation{VCS: "github", ID: "42"})
	if erasing && member {
		r.t.Errorf("%s: ann is a member of what is being erased", when)
	}
}
