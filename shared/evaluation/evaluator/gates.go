package evaluator

import (
	"context"
	"errors"
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/comment"
	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// approval is what a person wrote about gates: "gate approve TOKEN". It counts for the
// commit that the pull request had.
type approval struct {
	Token   string          `json:"token"`
	Head    string          `json:"head"`
	Account vcshost.Profile `json:"account"`
}

// maxApprovals bounds what is remembered of a pull request.
const maxApprovals = 200

// approveGates remembers the approval of gates.
func (s *scene) approveGates(_ context.Context, c comment.Command, o *outcome, sender vcshost.Profile) error {
	for _, token := range c.Tokens {
		given := approval{token, s.pr.SHA, sender}
		if !slices.Contains(o.pull.Approvals, given) {
			o.pull.Approvals = append(o.pull.Approvals, given)
		}
	}
	if n := len(o.pull.Approvals); n > maxApprovals {
		o.pull.Approvals = o.pull.Approvals[n-maxApprovals:]
	}
	o.say(texts.GateApproved(c.Trigger, c.Tokens))
	return nil
}

// pendingGates returns the gates of the plans that a decision would apply which nobody has
// passed. The author of the pull request cannot pass one.
func (s *scene) pendingGates(ctx context.Context, o *outcome, d decide.Decision) ([]result.Gate, error) {
	var gates []result.Gate
	read := map[run.ID]bool{}
	for _, n := range d.Runs {
		for _, m := range n.Batch.Members {
			_, by := s.history.results[m.Dirspace.Dirspace].Plan(s.history.subject, s.history.merges)
			if by == nil || read[by.Run] {
				continue
			}
			read[by.Run] = true
			some, err := s.gates(ctx, by.Run)
			if err != nil {
				return nil, err
			}
			gates = append(gates, some...)
		}
	}
	gates = slices.DeleteFunc(gates, func(g result.Gate) bool { return !concerns(g, d) })
	if len(gates) == 0 {
		return nil, nil
	}
	return s.passing(ctx, o, gates)
}

// passing returns the gates that are not passed: those with a token by comments, those
// without by the approvals of the pull request.
func (s *scene) passing(ctx context.Context, o *outcome, gates []result.Gate) ([]result.Gate, error) {
	var pending []result.Gate
	for _, g := range gates {
		var given []vcshost.Profile
		if g.Token == "" {
			reviews, err := s.host.Reviews(ctx, s.repo.Description, s.number)
			if err != nil {
				return nil, err
			}
			given = approving(reviews.List)
		}
		for _, a := range o.pull.Approvals {
			if g.Token != "" && a.Token == g.Token && a.Head == s.pr.SHA {
				given = append(given, a.Account)
			}
		}
		given = slices.DeleteFunc(given, func(p vcshost.Profile) bool { return p.ID == s.pr.Author.ID })
		passed, err := source.Passed(ctx, s.host, s.repo.Description, g, given)
		if err != nil {
			return nil, err
		}
		if !passed {
			pending = append(pending, g)
		}
	}
	return pending, nil
}

// approving returns those whose last review approves.
func approving(list []vcshost.Review) []vcshost.Profile {
	var made []vcshost.Profile
	seen := map[string]bool{}
	for _, r := range slices.Backward(list) {
		if id := string(r.Author.ID); !seen[id] {
			seen[id] = true
			if r.Verdict == vcshost.Approves {
				made = append(made, r.Author)
			}
		}
	}
	return made
}

// gates reads the gates of a plan.
func (s *scene) gates(ctx context.Context, id run.ID) ([]result.Gate, error) {
	r, err := s.Runs.Get(ctx, id)
	if err != nil || r.Result == nil {
		return nil, harmless(err)
	}
	gates, err := s.Outputs.Gates(ctx, *r.Result)
	if errors.Is(err, output.ErrExpired) {
		return []result.Gate{{AnyOfCount: 1, Name: "the gates of the plan are not stored any more: plan again"}}, nil
	}
	return gates, err
}

// concerns reports whether a gate is about a dirspace that would be applied. A gate of a
// hook is about all.
func concerns(g result.Gate, d decide.Decision) bool {
	if g.Dir == "" {
		return true
	}
	return slices.ContainsFunc(d.Runs, func(n decide.NewRun) bool {
		return slices.ContainsFunc(n.Batch.Members, func(m *matching.Member) bool { return m.Dir == g.Dir && m.Workspace == g.Workspace })
	})
}
