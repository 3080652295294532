package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Redeliver makes the worker process a delivery again, whatever its state, with as
// many tries as a new one. It returns fault.ErrNotFound if there is no such
// delivery. The table's stream wakes the worker. The result of a try that is
// running now is ignored.
func (s Store) Redeliver(ctx context.Context, system vcs.VCS, id string, now time.Time) (Delivery, error) {
	d, err := s.Get(ctx, system, id)
	if err != nil {
		return Delivery{}, err
	}
	err = s.revive(ctx, d.Key(), d.ID, now, "attribute_exists(pk)", false, attr.Item{})
	if errors.Is(err, ErrOver) {
		return Delivery{}, fault.ErrNotFound
	}
	if err != nil {
		return Delivery{}, err
	}
	d.State, d.Problem, d.NextTry = Received, "", time.Time{}
	d.Tries, d.Begun, d.Applied = 0, 0, 0
	d.redelivered++
	return d, nil
}

// again makes the worker process a delivery again that the host has sent a second
// time. It does so only if nothing else would try the delivery again, and if its
// host has caused fewer than MaxRedelivered such repetitions. refused is the error
// of the transaction that found the id taken. It holds the key of the stored
// delivery.
func (s Store) again(ctx context.Context, d Delivery, refused error) error {
	var canceled *types.TransactionCanceledException
	if !errors.As(refused, &canceled) {
		return refused
	}
	r := attr.Read(canceled.CancellationReasons[1].Item)
	key := Key{Lane: r.String("lane"), Place: r.String("place")}
	if err := r.Err(); err != nil || key.Lane == "" {
		return fmt.Errorf("decode delivery %s: %w", d.ID, errors.Join(err, errors.New("it does not say where it lies")))
	}
	err := s.revive(ctx, key, d.ID, d.ReceivedAt, "(#state = :parked AND attribute_not_exists(next_try) OR #state = :dismissed) AND "+
		"(attribute_not_exists(revived) OR revived < :most)", true, attr.Item{
		":parked": attr.String(string(Parked)), ":dismissed": attr.String(string(Dismissed)), ":most": attr.Int(MaxRedelivered),
	})
	if errors.Is(err, ErrOver) {
		return nil
	}
	return err
}

// revive gives a delivery the state of a new one; only its time of arrival stays.
// It returns ErrOver if the condition does not hold. Repetitions that a host caused
// are counted separately, too.
func (s Store) revive(ctx context.Context, key Key, id string, now time.Time, condition string, byHost bool, values attr.Item) error {
	values[":received"], values[":none"], values[":one"] = attr.String(string(Received)), attr.Int(0), attr.Int(1)
	values[":in"], values[":due"] = attr.String(received(id)), attr.Int(now.Add(Lease).UnixMilli())
	set := "SET #state = :received, tries = :none, redelivered = if_not_exists(redelivered, :none) + :one, due_in = :in, due = :due"
	if byHost {
		set += ", revived = if_not_exists(revived, :none) + :one"
	}
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: key.item(), ConditionExpression: &condition,
		UpdateExpression:         aws.String(set + " REMOVE problem, next_try, begun, applied"),
		ExpressionAttributeNames: map[string]string{"#state": "state"}, ExpressionAttributeValues: values,
	})
	var unmet *types.ConditionalCheckFailedException
	if errors.As(err, &unmet) {
		return ErrOver
	}
	if err != nil {
		return fmt.Errorf("redeliver: %w", err)
	}
	return nil
}

// ErrNotParked is the error for a delivery that cannot be dismissed.
var ErrNotParked = errors.New("the delivery is not parked: only what has failed, and is not being tried, can be dismissed")

// Dismiss closes a parked delivery that nobody is to try again, and keeps its
// problem. by is the principal who dismisses it. The delivery is still listed and
// can be redelivered. Dismiss returns ErrNotParked if the delivery is not parked,
// or was tried since d was read.
func (s Store) Dismiss(ctx context.Context, d Delivery, by string) error {
	condition, values := last(d)
	condition += " AND #state = :parked"
	values[":parked"], values[":dismissed"] = attr.String(string(Parked)), attr.String(string(Dismissed))
	values[":problem"] = attr.String(d.Problem + "; dismissed by " + by)
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: d.Key().item(), ConditionExpression: &condition,
		UpdateExpression:         aws.String("SET #state = :dismissed, problem = :problem REMOVE due_in, due, next_try, applied"),
		ExpressionAttributeNames: map[string]string{"#state": "state"}, ExpressionAttributeValues: values,
	})
	var unmet *types.ConditionalCheckFailedException
	if errors.As(err, &unmet) {
		return ErrNotParked
	}
	if err != nil {
		return fmt.Errorf("dismiss delivery: %w", err)
	}
	return nil
}
