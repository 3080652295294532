package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/fault"
)

// Store keeps tasks in OperationsTable, one item each: pk TASK#<id>, sk TASK.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of OperationsTable.
	Table string
}

const sortKey = "TASK"

// ErrEnded is answered when a task cannot go to a state, because it has ended
// or has passed that state.
var ErrEnded = errors.New("the task cannot go to that state any more")

func key(id string) attr.Item {
	return attr.Item{"pk": attr.String(sortKey + "#" + id), "sk": attr.String(sortKey)}
}

// Get reads a task, strongly consistent. It answers fault.ErrNotFound for one
// that is unknown or was last changed longer than Keep before now.
func (s Store) Get(ctx context.Context, id string, now time.Time) (Task, error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.Table, Key: key(id), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Task{}, fmt.Errorf("read task: %w", err)
	}
	if len(out.Item) == 0 {
		return Task{}, fault.ErrNotFound
	}
	r := attr.Read(out.Item)
	t := Task{
		ID: id, Owner: r.String("owner"), VCS: r.String("vcs"), Installation: r.String("installation"),
		Name: r.String("name"), State: State(r.String("state")), UpdatedAt: r.Time("updated_at"),
	}
	if err := r.Err(); err != nil {
		return Task{}, fmt.Errorf("decode task %s: %w", id, err)
	}
	// The table removes expired items within days, not at once.
	if now.Sub(t.UpdatedAt) > Keep {
		return Task{}, fault.ErrNotFound
	}
	return t, nil
}

// Create stores a new task as Pending, by author at author.At; State and
// UpdatedAt of t are ignored. An id that is taken is an error, unless this very
// request has taken it.
func (s Store) Create(ctx context.Context, author change.Author, t Task) error {
	item := key(t.ID)
	for name, value := range map[string]string{
		"owner": t.Owner, "name": t.Name, "state": string(Pending), "vcs": t.VCS, "installation": t.Installation,
	} {
		if value != "" {
			item[name] = attr.String(value)
		}
	}
	item["updated_at"], item["ttl"] = attr.Time(author.At), attr.Time(author.At.Add(Keep))
	author.AddTo(item)
	_, err := s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err != nil && !took(err, author, Pending) {
		return fmt.Errorf("create task %s: %w", t.ID, err)
	}
	return nil
}

// took reports whether a write to a state failed only because it has taken
// effect before: the client repeats one whose answer was lost.
func took(err error, author change.Author, to State) bool {
	var unmet *types.ConditionalCheckFailedException
	if !errors.As(err, &unmet) {
		return false
	}
	r := attr.Read(unmet.Item)
	return r.String(change.AttrRequest) == author.Request && State(r.String("state")) == to
}

// Move takes a task to a state, by author at author.At. It answers ErrEnded
// where the task cannot go there from its present state, or does not exist.
// Moving it again by the same request to the same state changes nothing.
func (s Store) Move(ctx context.Context, author change.Author, id string, to State) error {
	values := attr.Item{
		":to": attr.String(string(to)), ":at": attr.Time(author.At), ":ttl": attr.Time(author.At.Add(Keep)),
	}
	var from []string
	for state, targets := range next {
		if slices.Contains(targets, to) {
			from = append(from, ":"+string(state))
			values[":"+string(state)] = attr.String(string(state))
		}
	}
	if len(from) == 0 {
		return ErrEnded
	}
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           &s.Table,
		Key:                 key(id),
		UpdateExpression:    aws.String("SET #state = :to, updated_at = :at, #ttl = :ttl, " + author.Set(values)),
		ConditionExpression: aws.String("#state IN (" + strings.Join(from, ", ") + ")"),
		ExpressionAttributeNames: map[string]string{
			"#state": "state", "#ttl": "ttl",
		},
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if took(err, author, to) {
		return nil
	}
	var ended *types.ConditionalCheckFailedException
	if errors.As(err, &ended) {
		return ErrEnded
	}
	if err != nil {
		return fmt.Errorf("move task %s to %s: %w", id, to, err)
	}
	return nil
}
