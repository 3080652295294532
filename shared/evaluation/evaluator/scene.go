package evaluator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// place is a repository with the client of its host.
type place struct {
	*Evaluator
	of   vcs.Repository
	repo vcshost.Repository
	host Host
	hist *historian
}

// enter opens the client of a repository, and asks the host what the repository is like.
func (e *Evaluator) enter(ctx context.Context, of vcs.Repository) (*place, error) {
	client, err := e.Open(ctx, of.Installation)
	if err != nil {
		return nil, err
	}
	found, err := client.Repository(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	return &place{Evaluator: e, of: of, repo: found, host: client, hist: e.historian(of)}, nil
}

// scene is what was read for an evaluation of a pull request.
type scene struct {
	*place
	number  int64
	pr      vcshost.PullRequest
	history history
	loaded  source.Loaded
	// ready says that loaded and the whole history were read. They are not for a pull
	// request that is closed, or of a fork.
	ready bool
}

// look reads a pull request and its history. sender is who caused the evaluation.
func (p *place) look(ctx context.Context, number int64) (*scene, error) {
	s := &scene{place: p, number: number}
	var err error
	if s.pr, err = p.host.PullRequest(ctx, p.repo.Description, number); err != nil {
		return nil, err
	}
	subject := rules.Subject{
		Origin: run.OriginOfPullRequest(number), State: rules.Open,
		Base: run.Ref{Branch: s.pr.BaseBranch, Commit: s.pr.BaseSHA}, Head: run.Ref{Branch: s.pr.Branch, Commit: s.pr.SHA},
	}
	switch {
	case s.pr.Merged:
		subject.State = rules.Merged
		m, err := p.Runs.Merged(ctx, p.of, number, s.pr.MergedSHA, p.Now())
		if err != nil {
			return nil, err
		}
		subject.MergedAt = m.Seq
	case !s.pr.Open:
		subject.State = rules.Closed
	}
	if s.history, err = p.hist.begin(ctx, subject, number); err != nil {
		return nil, err
	}
	if subject.State == rules.Closed || s.fork() {
		return s, nil
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// fork reports whether the branch is in another repository.
func (s *scene) fork() bool { return s.pr.From != s.of.ID }

// working returns what runs of the pull request work on: its head, or after the merge the
// newest merge on the destination branch (orchestration, 6).
func (s *scene) working() run.Ref {
	if s.history.subject.State == rules.Merged {
		return run.Ref{Branch: s.pr.BaseBranch, Commit: s.history.merges.NewestMerge}
	}
	return s.history.subject.Head
}

// load reads the configuration, the files and the change, and what others did to the
// dirspaces of the change.
func (s *scene) load(ctx context.Context) error {
	var err error
	s.loaded, err = s.Source.Load(ctx, s.host, source.Request{
		Repository: s.of, At: s.repo.Description, Commit: s.working().Commit, Branch: s.pr.Branch, Destination: s.pr.BaseBranch,
		Base: s.pr.BaseSHA, Head: s.pr.SHA, Applied: s.history.results.AppliedBefore(s.history.subject),
	})
	if err != nil {
		return err
	}
	s.ready = true
	var wanted []run.Dispspace
	return s.hist.complete(ctx, &s.history, wanted)
}

// snapshot returns what decisions follow from.
func (s *scene) snapshot() decide.Snapshot {
	made := decide.Snapshot{
		Now: s.Now(), Subject: s.history.subject, Sign: sign(s.of), CIFile: ciFile(s.of), DefaultBranch: s.repo.DefaultBranch, Fork: s.fork(),
		Merges: s.history.merges, Results: s.history.results, Owners: s.history.owners, Active: s.history.active,
		RunURL: func(id run.ID) string { return s.url(s.of, id) },
		Facts:  rules.Facts{State: s.history.subject.State, Draft: s.pr.Draft, Mergeable: s.pr.Merge != vcshost.MergeConflict, Author: s.pr.Author.Login},
	}
	if s.ready {
		made.Mistakes, made.Config, made.Tree, made.Set, made.Changed = s.loaded.Mistakes, s.loaded.Config, s.loaded.Repository, s.loaded.Set, s.loaded.Changed
	}
	return made
}

// sign is how a host writes the number of a pull request.
func sign(of vcs.Repository) string {
	if of.Installation.VCS == vcs.GitLab {
		return "!"
	}
	return "#"
}

// ciFile is the path of the file that tells the CI of a host what to do.
func ciFile(of vcs.Repository) string {
	if of.Installation.VCS == vcs.GitLab {
		return ".gitlab-ci.yml"
	}
	return githubhost.Workflow
}

// mergeTries and mergePause say how often a host is asked whether a pull request has a
// conflict (orchestration, 6).
const (
	mergeTries = 6
	mergePause = 700 * time.Millisecond
)

// errNotReady says that the host does not know yet whether there is a conflict. It is asked
// again later.
var errNotReady = errors.New("the host has not found out yet whether the branches have a conflict")

// settled reads an open pull request until the host knows whether it has a conflict.
func (s *scene) settled(ctx context.Context) error {
	for n := 0; s.pr.Open && s.pr.Merge == vcshost.MergeUnknown; n++ {
		if n == mergeTries {
			return errNotReady
		}
		select {
		case <-time.After(mergePause):
		case <-ctx.Done():
			return ctx.Err()
		}
		again, err := s.host.PullRequest(ctx, s.repo.Description, s.number)
		if err != nil {
			return err
		}
		if again.SHA != s.pr.SHA || again.Open != s.pr.Open || again.BaseSHA != s.pr.BaseSHA {
			return fmt.Errorf("the pull request changed meanwhile: %w", errNotReady)
		}
		s.pr = again
	}
	return nil
}
