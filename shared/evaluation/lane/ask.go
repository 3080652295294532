package lane

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Attributes of a request's item.
const (
	attrRequest = "request" // JSON
	// attrAutomatic is an attribute of its own: a later request that is not automatic
	// must not take back an earlier one that waits.
	attrAutomatic = "automatic"
	// attrSender and attrSenderID are who caused the automatic request: what it may do is
	// what they may do.
	attrSender   = "sender"
	attrSenderID = "sender_id"
	attrRev      = "rev" // another one each time the request is made
	attrSince    = "since"
)

// Ask stores a request. now is the time of this server.
func (s Store) Ask(ctx context.Context, r Request, now time.Time) error {
	writes, err := s.WriteAsk(r, now)
	if err != nil {
		return err
	}
	if err := s.table().Transact(ctx, writes...); err != nil {
		return fmt.Errorf("ask for an evaluation of %s: %w", r.Repository, err)
	}
	return nil
}

// WriteAsk returns the two writes that store a request. They have no condition, and
// belong in the transaction that stores the fact behind the request. If a request with
// the same name waits, the new one takes its place in the order of the lane. The
// reminder of the earlier one stays, and Due drops it.
func (s Store) WriteAsk(r Request, now time.Time) ([]table.Write, error) {
	if !r.Repository.Installation.VCS.Valid() || !r.Repository.Installation.ID.Valid() || !r.Repository.ID.Valid() || r.At.IsZero() {
		return nil, fmt.Errorf("the request %s of %s has no repository or no time", r.Name(), r.Repository)
	}
	automatic := r.Automatic
	r.Automatic = false
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode request %s: %w", r.Name(), err)
	}
	sort := sortRequest + r.Name()
	due := now.Add(wake)
	edit := table.Change(key(r.Repository, sort)).
		Set(attrRequest, attr.String(string(text))).Set(attrRev, attr.String(rand.Text())).SetFirst(attrSince, millis(r.At)).
		Set(attrInstallation, attr.String(string(r.Repository.Installation.ID))).
		Set(attrDue, millis(due)).Set(attrTTL, attr.Time(now.Add(Keep))).Remove(attrFailed)
	if automatic {
		edit.Set(attrAutomatic, attr.Bool(true)).Set(attrSender, attr.String(r.Sender)).Set(attrSenderID, attr.String(string(r.SenderID)))
	}
	return []table.Write{s.table().WriteUpdate(edit), s.reminders().Put(reminder(r.Repository, sort, due))}, nil
}

// reminder returns the reminder of an item of a lane.
func reminder(r vcs.Repository, sort string, due time.Time) queue.Reminder {
	return queue.Reminder{List: dueList, ID: r.String() + " " + sort, At: time.UnixMilli(due.UnixMilli()).UTC()}
}

// parseReminder returns the repository and the sort key of a reminder's item.
func parseReminder(r queue.Reminder) (vcs.Repository, string, error) {
	name, sort, ok := strings.Cut(r.ID, " ")
	parts := strings.Split(name, "/")
	if !ok || len(parts) != 3 {
		return vcs.Repository{}, "", fmt.Errorf("the reminder %q names no item of a lane", r.ID)
	}
	return vcs.Installation{VCS: vcs.VCS(parts[0]), ID: vcs.ID(parts[1])}.Repository(vcs.ID(parts[2])), sort, nil
}

// Wakes returns the repository whose lane a record of the table's stream is about. It
// reports whether the record says that a request was made.
func Wakes(record stream.Record) (vcs.Repository, bool) {
	k, is, was := attr.Read(record.Key), attr.Read(record.New), attr.Read(record.Old)
	if !strings.HasPrefix(k.String("sk"), sortRequest) || is.String(attrRev) == "" || is.String(attrRev) == was.String(attrRev) {
		return vcs.Repository{}, false
	}
	parts := strings.Split(k.String("pk"), "#")
	if len(parts) != 4 {
		return vcs.Repository{}, false
	}
	return vcs.Installation{VCS: vcs.VCS(parts[1]), ID: vcs.ID(parts[2])}.Repository(vcs.ID(parts[3])), true
}
