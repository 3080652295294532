package evaluator

import (
	"context"
	"errors"
	"math"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
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
	// reading says that nothing may be stored.
	reading bool
	// head is the default branch. It is empty until it is read.
	head vcshost.Branch
}

// enter opens the client of a repository, and asks the host what the repository is like.
func (e *Evaluator) enter(ctx context.Context, of vcs.Repository) (*place, error) {
	client, err := e.Open(ctx, of.Installation)
	if err != nil {
		return nil, err
	}
	found, err := repositoryOf(ctx, client, of)
	if err != nil {
		return nil, err
	}
	return &place{Evaluator: e, of: of, repo: found, host: client, hist: e.historian(of)}, nil
}

// Pages of the list of an installation's repositories that are read for one of them.
const (
	listPages = 10
	listSize  = 100
)

// repositoryOf asks the host what a repository is like.
//
// The secret of a GitLab group's webhook is in each delivery, so a delivery may name a
// project of another group: that one is refused. GitHub serves repositories by their ids,
// but its documentation does not say so. Where it does not, the repository is looked for
// among those of the installation.
func repositoryOf(ctx context.Context, client Reader, of vcs.Repository) (vcshost.Repository, error) {
	if of.Installation.VCS == vcs.GitLab {
		return client.OwnRepository(ctx, of.ID)
	}
	found, gone := client.Repository(ctx, of.ID)
	if !errors.Is(gone, vcshost.ErrGone) {
		return found, gone
	}
	for page, n := 1, 0; page != 0 && n < listPages; n++ {
		list, err := client.Repositories(ctx, page, listSize)
		if err != nil {
			return vcshost.Repository{}, err
		}
		for _, r := range list.Repositories {
			if r.ID == of.ID {
				return r, nil
			}
		}
		page = list.Next
	}
	return vcshost.Repository{}, gone
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
	// read is what the host said for an apply with its requirements. It is nil if it was
	// not asked.
	read *rules.Facts
}

// look reads a pull request and its history.
//
// The merge of a pull request gets its place if remember is true. Otherwise it has one only
// if it got one before: who merely looks at an old pull request must not make its merge the
// newest one.
func (p *place) look(ctx context.Context, number int64, remember bool) (*scene, error) {
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
		m, err := p.merge(ctx, s.pr, remember)
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
	if subject.MergedAt == justMerged {
		s.history.merges.NewestMerge = s.pr.MergedSHA
	}
	if subject.State == rules.Closed || s.fork() {
		_, err := p.hist.holders(ctx) // what it locks stays locked
		return s, err
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// justMerged is the place of a merge that has none yet: behind all others.
const justMerged = math.MaxInt64

// merge returns the merge of a pull request. With remember, it gives the merge its place.
func (p *place) merge(ctx context.Context, pr vcshost.PullRequest, remember bool) (runstore.Merge, error) {
	if remember && !p.reading {
		return p.Runs.Merged(ctx, p.of, runstore.Merge{Number: pr.Number, Branch: pr.BaseBranch, Commit: pr.MergedSHA}, p.Now())
	}
	m, known, err := p.Runs.MergeOf(ctx, p.of, pr.Number)
	if err == nil && !known {
		m = runstore.Merge{Number: pr.Number, Seq: justMerged, Commit: pr.MergedSHA}
	}
	return m, err
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
	def, err := s.defaultBranch(ctx)
	if err != nil {
		return err
	}
	s.loaded, err = s.Source.Load(ctx, s.host, s.place.place(), source.Wanted{
		Commit: s.working().Commit, Default: def, Source: s.pr.Branch, Destination: s.pr.BaseBranch,
		Base: s.pr.BaseSHA, Head: s.pr.SHA, Applied: s.history.results.AppliedBefore(s.history.subject),
	})
	if errors.Is(err, vcshost.ErrGone) {
		s.loaded, err = source.Loaded{Mistakes: repoconfig.Mistakes{{
			At:      repoconfig.Position{File: "the branch"},
			Problem: "the host cannot compare it with its destination, or has one of its commits no more: rebase it on the destination, and push",
		}}}, nil
	}
	if err != nil {
		return err
	}
	s.ready = true
	var wanted []run.Dirspace
	if s.loaded.Set != nil {
		wanted = rules.Dirspaces(s.loaded.Set.Members) // in their order
	}
	return s.hist.complete(ctx, &s.history, wanted)
}

// place returns how the repository is named.
func (p *place) place() source.Place {
	return source.Place{Repository: p.of, Described: p.repo.Description}
}

// defaultBranch reads the head of the default branch, once.
func (p *place) defaultBranch(ctx context.Context) (vcshost.Branch, error) {
	if p.head.SHA != "" {
		return p.head, nil
	}
	var err error
	p.head, err = p.host.Branch(ctx, p.repo.Description, p.repo.DefaultBranch)
	return p.head, err
}

// defaults returns the configuration of the default branch. It is nil if that has mistakes.
func (p *place) defaults(ctx context.Context) (*repoconfig.Config, error) {
	def, err := p.defaultBranch(ctx)
	if err != nil {
		return nil, err
	}
	file, mistakes, err := p.Source.ConfigAt(ctx, p.host, p.place(), def)
	if err != nil || len(mistakes) > 0 {
		return nil, err
	}
	config, wrong := repoconfig.LoadDefaultBranch(file)
	if wrong != nil {
		return nil, nil
	}
	return config, nil
}

// destined reports whether pull requests into the destination branch are worked on.
func (s *scene) destined() bool {
	return s.loaded.Config != nil && rules.DestinationAllowed(s.loaded.Config.Destinations, s.repo.DefaultBranch, s.pr.BaseBranch, s.pr.Branch)
}

// snapshot returns what decisions follow from.
func (s *scene) snapshot() decide.Snapshot {
	made := decide.Snapshot{
		Now: s.Now(), Subject: s.history.subject, Sign: sign(s.of), CIFile: ciFile(s.of), DefaultBranch: s.repo.DefaultBranch, Fork: s.fork(),
		Merges: s.history.merges, Results: s.history.results, Owners: s.history.owners, Active: s.history.active,
		RunURL: func(id run.ID) string { return s.url(s.of, id) },
		Facts:  rules.Facts{State: s.history.subject.State, Draft: s.pr.Draft, Mergeable: s.pr.Merge == vcshost.MergePossible, MergeUnknown: s.pr.Merge == vcshost.MergeUnknown, Author: s.pr.Author.Login},
	}
	if s.ready {
		made.Mistakes, made.Config, made.Tree, made.Set, made.Changed = s.loaded.Mistakes, s.loaded.Config, s.loaded.Tree, s.loaded.Set, s.loaded.Changed
		made.Guard = s.loaded.Guard
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

// settled reads an open pull request until the host knows whether it has a conflict, or
// for some seconds. If it changes meanwhile, its event is evaluated next.
func (s *scene) settled(ctx context.Context) error {
	if !s.pr.Open || s.pr.Merge != vcshost.MergeUnknown {
		return nil
	}
	again, err := source.Settled(ctx, s.host, s.repo.Description, s.number)
	if err == nil && again.SHA == s.pr.SHA && again.Open {
		s.pr.Merge = again.Merge
	}
	return err
}

// asking returns what an operation needs to be known.
func (s *scene) asking(o rules.Operation, automatic bool, actor vcshost.Profile) source.Asking {
	asking := source.Asking{Operation: o, Automatic: automatic, Config: s.loaded.Config, Changed: s.loaded.Changed, CIFile: ciFile(s.of), Actor: actor}
	if s.loaded.Set != nil {
		for _, m := range s.loaded.Set.Members {
			asking.Dirspaces = append(asking.Dirspaces, m.Dirspace)
			if s.loaded.Guard != nil {
				if d := s.loaded.Guard.Find(m.Dirspace.Dirspace); d != nil {
					asking.Dirspaces = append(asking.Dirspaces, d)
				}
			}
		}
	}
	return asking
}

// facts reads what an operation needs to be known, and who asks for it.
func (s *scene) facts(ctx context.Context, o rules.Operation, automatic bool, actor vcshost.Profile) (rules.Facts, rules.Actor, error) {
	if s.loaded.Config == nil {
		return s.snapshot().Facts, rules.Actor{Login: actor.Login}, nil
	}
	made, who, err := source.Facts(ctx, s.host, s.repo.Description, s.pr, s.asking(o, automatic, actor))
	if err == nil && !automatic && (o == rules.OpApply || o == rules.OpApplyAutoapprove) {
		s.read = &made
	}
	return made, who, err
}
