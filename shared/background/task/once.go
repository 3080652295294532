package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// slotKey returns the key of the item that names the last task of a kind. There is
// one such item for each owner and installation. For tasks that operators started,
// there is one for each installation or person that the task is about.
func slotKey(t Task) attr.Item {
	return attr.Item{
		"pk": attr.String("LAST#" + string(t.Kind) + "#" + string(t.Installation.VCS) + "#" + string(t.Installation.ID)),
		"sk": attr.String(cmp.Or(t.Owner, t.Subject, "-")),
	}
}

// Idle returns a condition for a transaction of another package: no task like t was
// started with CreateOnce since this call. A task is like t if it has the same
// Kind, Owner, Subject and Installation. If such a task is running, Idle returns
// that task and no condition.
func (s Store) Idle(ctx context.Context, t Task, now time.Time) (condition types.ConditionCheck, running *Task, err error) {
	last, there, err := s.slot(ctx, t)
	if err != nil {
		return types.ConditionCheck{}, nil, err
	}
	condition = types.ConditionCheck{TableName: &s.Table, Key: slotKey(t), ConditionExpression: aws.String("attribute_not_exists(pk)")}
	if !there {
		return condition, nil, nil
	}
	known, err := s.Get(ctx, last, now)
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		return types.ConditionCheck{}, nil, err
	}
	if err == nil && !known.Ended() {
		return types.ConditionCheck{}, &known, nil
	}
	condition.ConditionExpression = aws.String("id = :last")
	condition.ExpressionAttributeValues = attr.Item{":last": attr.String(last)}
	return condition, nil, nil
}

// slot returns the id of the task that a slot names.
func (s Store) slot(ctx context.Context, t Task) (last string, there bool, err error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, Key: slotKey(t), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return "", false, fmt.Errorf("read last task: %w", err)
	}
	return attr.Read(out.Item).String("id"), len(out.Item) > 0, nil
}

// CreateOnce does what Create does, unless the owner's last task of the kind at the
// installation has not ended yet. Then it returns that task. So repeated requests
// have one task at a time.
func (s Store) CreateOnce(ctx context.Context, author change.Author, t Task, now time.Time) (Task, error) {
	slot := slotKey(t)
	last, there, err := s.slot(ctx, t)
	if err != nil {
		return Task{}, err
	}
	condition, values := "attribute_not_exists(pk)", attr.Item(nil)
	if there {
		condition, values = "id = :last", attr.Item{":last": attr.String(last)}
		known, err := s.Get(ctx, last, now)
		if err == nil && (!known.Ended()) {
			return known, nil
		}
		if err != nil && !errors.Is(err, fault.ErrNotFound) {
			return Task{}, err
		}
	}
	slot["id"], slot["ttl"] = attr.String(t.ID), attr.Time(author.At.Add(Keep))
	err = s.transact(ctx, append([]types.TransactWriteItem{{Put: &types.Put{
		TableName: &s.Table, Item: slot, ConditionExpression: &condition, ExpressionAttributeValues: values,
	}}}, s.Writes(author, t)...))
	if errors.Is(err, ErrLost) {
		return Task{}, fault.Busyf("CONTENDED", "another request has just started the same: try again")
	}
	if err != nil {
		return Task{}, err
	}
	t.State, t.UpdatedAt = Pending, author.At.UTC().Truncate(time.Second)
	return t, nil
}

// quiet is how long a task of Gather waits for more requests of the same kind.
const quiet = 5 * time.Minute

// Gather creates a task of the server itself, which is requested at author.At.
// author.At is the present time, because the task's age counts from then. All
// requests for the same kind at the same installation within the same five minutes
// get one task. It begins when the five minutes are over. So each request is
// followed by a task, and there is at most one task in five minutes. The id of t is
// ignored.
func (s Store) Gather(ctx context.Context, author change.Author, t Task) error {
	due := author.At.Truncate(quiet).Add(quiet)
	t.ID = uuid.NewSHA1(gathered, fmt.Appendf(nil, "%s#%s#%s#%d", t.Kind, t.Installation.VCS, t.Installation.ID, due.UnixMilli())).String()
	t.Name = Title(t.Kind, t.ID, t.Installation.ID)
	err := s.transact(ctx, s.writes(author, t, due))
	if errors.Is(err, ErrLost) {
		return nil // the task exists already
	}
	return err
}

// gathered is the UUID namespace of the ids of such tasks.
var gathered = uuid.MustParse("5f6e2b0c-9f0e-4d0a-8f53-3c1f6f0a7f21")
