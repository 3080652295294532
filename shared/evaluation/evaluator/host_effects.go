package evaluator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// hands are the client of the host and how it names the repository, for the effects of one
// invocation. They are opened when they are needed first.
type hands struct {
	host Host
	at   vcs.Description
}

// writer makes the effects of a decision at the host.
type writer struct {
	*Evaluator
	*hands
	of     vcs.Repository
	number int64
	held   *lane.Held
	d      *lane.Decision
}

// open opens the client of the host.
func (w *writer) open(ctx context.Context) error {
	if w.host != nil {
		return nil
	}
	client, err := w.Open(ctx, w.of.Installation)
	if err != nil {
		return err
	}
	found, err := repositoryOf(ctx, client, w.of)
	if err != nil {
		return err
	}
	w.hands.host, w.hands.at = client, found.Description
	return nil
}

// atHost makes an effect at the host.
func (w *writer) atHost(ctx context.Context, made effect) ([]table.Write, error) {
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	switch made.Kind {
	case setsStatus:
		return nil, w.host.SetStatus(ctx, w.at, made.Commit, *made.Status)
	case comments:
		return w.comment(ctx, made)
	case edits:
		return w.edit(ctx, made)
	case folds:
		return w.fold(ctx, made)
	case reacts:
		return nil, w.host.React(ctx, w.at, w.number, made.Comment)
	case merges:
		return w.merge(ctx, made)
	case deletesBranch:
		return nil, w.deleteBranch(ctx, made)
	}
	return nil, fmt.Errorf("an effect has the unknown kind %q", made.Kind)
}

// comment writes a comment once: after a lost response, it looks for the comment first.
func (w *writer) comment(ctx context.Context, made effect) ([]table.Write, error) {
	if w.d.Attempted {
		found, err := w.host.FindComment(ctx, w.at, w.number, strings.TrimSpace(texts.Marker(made.Key)))
		if err == nil {
			return w.remember(ctx, made, found.ID)
		}
		if !errors.Is(err, vcshost.ErrGone) {
			return nil, err
		}
	}
	w.d.Attempted = true
	if err := w.held.Progress(ctx, *w.d); err != nil {
		return nil, err
	}
	written, err := w.host.CreateComment(ctx, w.at, w.number, made.Text)
	if err != nil {
		if vcshost.NothingDone(err) {
			w.d.Attempted = false
		}
		return nil, err
	}
	return w.remember(ctx, made, written.ID)
}

// edit replaces the text of the comment with the last result. If there is none, it writes
// one.
func (w *writer) edit(ctx context.Context, made effect) ([]table.Write, error) {
	p, _, err := w.pull(ctx)
	if err != nil {
		return nil, err
	}
	for _, old := range p.Shown {
		err := w.host.EditComment(ctx, w.at, w.number, old.Comment, made.Text)
		if errors.Is(err, vcshost.ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return w.remember(ctx, made, old.Comment)
	}
	return w.comment(ctx, made)
}

// fold folds the comments of earlier results, or removes them.
func (w *writer) fold(ctx context.Context, made effect) ([]table.Write, error) {
	p, row, err := w.pull(ctx)
	if err != nil {
		return nil, err
	}
	for _, old := range p.Shown {
		if old.Decision == made.Shows {
			continue
		}
		switch made.Strategy {
		case repoconfig.CommentAppend:
		case repoconfig.CommentDelete:
			err = w.host.DeleteComment(ctx, w.at, w.number, old.Comment)
		default:
			err = w.host.HideComment(ctx, w.at, w.number, old.Comment)
		}
		if err != nil && !errors.Is(err, vcshost.ErrGone) && !refused(err) {
			return nil, err
		}
	}
	kept := slices.DeleteFunc(p.Shown, func(s shown) bool { return s.Decision != made.Shows })
	p.Shown = kept
	write, err := w.writePull(w.of.PullRequest(w.number), p, row)
	return []table.Write{write}, err
}

// remember returns the write that remembers a comment with a result.
func (w *writer) remember(ctx context.Context, made effect, id string) ([]table.Write, error) {
	if made.Shows == "" {
		return nil, nil
	}
	p, row, err := w.pull(ctx)
	if err != nil {
		return nil, err
	}
	p.Shown = slices.DeleteFunc(p.Shown, func(s shown) bool { return s.Comment == id })
	p.Shown = append(p.Shown, shown{id, made.Shows})
	write, err := w.writePull(w.of.PullRequest(w.number), p, row)
	return []table.Write{write}, err
}

// pull reads what is remembered of the pull request. Only the holder of the lane writes
// it.
func (w *writer) pull(ctx context.Context) (*pull, lane.Row, error) {
	row, err := w.Lanes.Pull(ctx, w.of.PullRequest(w.number))
	p := &pull{}
	if err == nil && len(row.Body) > 0 {
		err = json.Unmarshal(row.Body, p)
	}
	return p, row, err
}

// merge merges the pull request. A comment says so if the host does not.
func (w *writer) merge(ctx context.Context, made effect) ([]table.Write, error) {
	err := w.host.Merge(ctx, w.at, w.number, *made.Merge)
	if err == nil || !errors.Is(err, vcshost.ErrNotMergeable) && !refused(err) {
		return nil, err
	}
	why := "the host does not allow it"
	var rejected *vcshost.Rejection
	if errors.As(err, &rejected) && rejected.Words != "" {
		why = rejected.Words
	}
	made.Text = texts.NotMerged(why) + "\n" + texts.Marker(made.Key)
	return w.comment(ctx, made)
}

// deleteBranch deletes the branch of a pull request that was merged.
func (w *writer) deleteBranch(ctx context.Context, made effect) error {
	p, err := w.host.PullRequest(ctx, w.at, w.number)
	if err != nil || !p.Merged || p.Branch != made.Branch || p.From != w.of.ID {
		return err
	}
	return w.host.DeleteBranch(ctx, w.at, made.Branch)
}
