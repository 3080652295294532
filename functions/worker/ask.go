package main

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/evaluation/comment"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// maxCommandAge is how old a comment may be whose command is run. Hosts deliver for three
// days at most ("Redelivering webhooks", GitHub documentation). Lanes remember for longer
// which commands were decided about. So a copy of an old delivery, whose signature stays
// valid, runs no command again.
const maxCommandAge = 3 * 24 * time.Hour

// inTime returns the facts without the commands that are too old to be run, and texts
// that describe those.
func inTime(d delivery.Delivery, facts []vcsevent.Fact, now time.Time) (kept []vcsevent.Fact, old []string) {
	for _, f := range facts {
		c, ok := f.(*vcsevent.Commented)
		if !ok || now.Sub(happened(c.Moment, d)) <= maxCommandAge {
			kept = append(kept, f)
			continue
		}
		if _, is := commandOf(d, c); is {
			old = append(old, fmt.Sprintf("the command of comment %s of pull request %d, because it is older than %s", c.Comment, c.Number, maxCommandAge))
		}
	}
	return kept, old
}

// happened returns the time at which a fact became true, as far as this server knows.
func happened(m vcs.Moment, d delivery.Delivery) time.Time {
	if latest := d.ReceivedAt.Add(vcs.MaxAhead); m.At.IsZero() || m.At.After(latest) {
		return d.ReceivedAt
	}
	return m.At
}

// commandOf returns the request to evaluate a comment. It reports false for an ordinary
// comment, and for one that a program wrote.
func commandOf(d delivery.Delivery, c *vcsevent.Commented) (lane.Request, bool) {
	if c.Bot {
		return lane.Request{}, false
	}
	if _, is, _ := comment.Parse(c.Text); !is { // the evaluation replies to a command that is wrong
		return lane.Request{}, false
	}
	return lane.Request{
		Kind: lane.Command, Repository: d.Installation.Repository(c.Repository), Number: c.Number, Sender: c.Sender, SenderID: c.SenderID,
		Comment: c.Comment, Text: c.Text, At: happened(c.Moment, d),
	}, true
}

// automatic are the actions after which a plan starts by itself (orchestration, 3 and
// 3.1). One of another base branch is such an action too: it has other changes.
var automatic = map[vcsevent.PullAction]bool{
	vcsevent.PullOpened: true, vcsevent.PullReopened: true, vcsevent.PullPushed: true, vcsevent.PullReady: true, vcsevent.PullRetargeted: true,
}

// pullOf returns the request to evaluate a pull request. It reports false if nothing can
// follow from what happened. The end of a pull request asks too, because it frees locks.
// If its delivery was lost, any later one that shows the end asks instead.
func pullOf(d delivery.Delivery, c *vcsevent.PullRequestSeen) (lane.Request, bool) {
	if c.Action == vcsevent.PullOther && pullrequest.State(c.State) == pullrequest.Open {
		return lane.Request{}, false
	}
	return lane.Request{
		Kind: lane.Pull, Repository: d.Installation.Repository(c.Repository), Number: c.Number, Sender: c.Sender, SenderID: c.SenderID,
		Automatic: automatic[c.Action], At: happened(c.Moment, d),
	}, true
}

// pushed asks for the evaluation of a push to the default branch.
func (f facts) pushed(ctx context.Context, d delivery.Delivery, c *vcsevent.Pushed) error {
	return f.ask(ctx, lane.Request{
		Kind: lane.Push, Repository: d.Installation.Repository(c.Repository), Sender: c.Sender, SenderID: c.SenderID, At: happened(c.Moment, d),
	}, version(late(c.Moment, d), d))
}

// ask stores a request that follows from a fact of a version. It stores nothing if the
// repository has gone since. It is safe to repeat.
func (f facts) ask(ctx context.Context, r lane.Request, at vcs.Version) error {
	writes, err := f.lanes.WriteAsk(r, f.now())
	if err != nil {
		return err
	}
	err = table.Table{DB: f.lanes.DB}.Transact(ctx, append([]table.Write{f.repositories.NotEmptied(r.Repository, at)}, writes...)...)
	if _, emptied := table.ConditionFailedAt(err, 0); emptied {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write request %s: %w", r.Name(), err)
	}
	return nil
}
