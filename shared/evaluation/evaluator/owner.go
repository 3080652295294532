package evaluator

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/run"
)

// owner is a pull request that may hold locks. Its JSON form is the one that is stored.
// Whether it holds them follows from its runs, its merge and its last unlock.
type owner struct {
	Subject rules.Subject   `json:"subject"`
	Set     []rules.Holding `json:"set"`
	About
	// Since is when it was stored first.
	Since time.Time `json:"-"`
}

func decodeOwner(e lane.Entry) (owner, error) {
	o := owner{Since: e.Since}
	if err := json.Unmarshal(e.Body, &o); err != nil {
		return o, fmt.Errorf("decode what %s may lock: %w", e.PullRequest, err)
	}
	return o, nil
}

// holdings returns what a pull request would lock: its change set, and what it applied at
// earlier commits.
func holdings(set *matching.ChangeSet, applied []run.Dirspace) []rules.Holding {
	var made []rules.Holding
	if set != nil {
		for _, m := range set.Members {
			made = append(made, rules.Holding{Dirspace: m.Dirspace.Dirspace, Policy: m.LockPolicy, DestBranchOnly: m.LockDestBranchOnly})
		}
	}
	for _, d := range applied {
		if !slices.ContainsFunc(made, func(h rules.Holding) bool { return h.Dirspace == d }) {
			made = append(made, rules.Holding{Dirspace: d, Policy: "strict"})
		}
	}
	return made
}
