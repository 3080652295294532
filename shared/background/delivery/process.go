package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// ErrOver says that nothing of a delivery may be processed now: the delivery is
// over or does not exist, another try of it has begun since, or it is not due yet.
var ErrOver = errors.New("nothing of the delivery is to be processed")

// Begin counts a try of a delivery and returns the delivery. The table's stream
// reported its key. Begin returns ErrOver unless the delivery is Received: a parked
// one waits for its next try, however often the stream reports it. The count is
// written before the try. So it shows which delivery kills the worker. The delivery
// is due again after a Lease, so that it does not stay before others.
func (s Store) Begin(ctx context.Context, k Key, now time.Time) (Delivery, error) {
	return s.begin(ctx, k, now, "#state = :received", attr.Item{":received": attr.String(string(Received))})
}

// BeginDue does what Begin does, for a key that Due has returned. It returns
// ErrOver unless the delivery is still due.
func (s Store) BeginDue(ctx context.Context, k Key, now time.Time) (Delivery, error) {
	return s.begin(ctx, k, now, "#state IN (:received, :parked) AND due <= :now", attr.Item{
		":received": attr.String(string(Received)), ":parked": attr.String(string(Parked)), ":now": attr.Int(now.UnixMilli()),
	})
}

func (s Store) begin(ctx context.Context, k Key, now time.Time, condition string, values attr.Item) (Delivery, error) {
	values[":one"], values[":lease"] = attr.Int(1), attr.Int(now.Add(Lease).UnixMilli())
	out, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: k.item(), ReturnValues: types.ReturnValueAllNew,
		UpdateExpression:         aws.String("SET due = :lease ADD tries :one, begun :one"),
		ConditionExpression:      &condition,
		ExpressionAttributeNames: map[string]string{"#state": "state"}, ExpressionAttributeValues: values,
	})
	var over *types.ConditionalCheckFailedException
	if errors.As(err, &over) {
		return Delivery{}, ErrOver
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("begin delivery: %w", err)
	}
	return decode(out.Attributes)
}

// Finish ends a delivery that was begun: as Done, or as Ignored for a reason. It
// returns ErrOver and changes nothing if another try was begun since, or if an
// operator redelivered it. A second call changes nothing.
func (s Store) Finish(ctx context.Context, d Delivery, to State, problem string, now time.Time) error {
	d.State, d.Problem, d.NextTry, d.Applied = to, problem, time.Time{}, 0
	return s.end(ctx, d, now, "", 0)
}

// Park ends a try that failed. The delivery is tried again after a pause that
// doubles with each try. After MaxTries it is stuck. Applied is kept for the next
// try. Park returns ErrOver in the same cases as Finish.
func (s Store) Park(ctx context.Context, d Delivery, problem string, now time.Time) (Delivery, error) {
	if d.Tries >= MaxTries {
		return s.GiveUp(ctx, d, problem, now)
	}
	d.State, d.Problem = Parked, problem
	d.NextTry = now.Add(backoff.Pause(d.Tries)).Truncate(time.Millisecond)
	return d, s.end(ctx, d, now, parked, d.NextTry.UnixMilli())
}

// GiveUp ends a try that failed and would fail each time. The delivery becomes
// stuck, or dismissed if its installation already has MaxStuck stuck ones. GiveUp
// returns ErrOver in the same cases as Finish.
func (s Store) GiveUp(ctx context.Context, d Delivery, problem string, now time.Time) (Delivery, error) {
	lane := d.Key().Lane
	others, err := s.stuckOf(ctx, lane)
	if err != nil {
		return d, err
	}
	d.State, d.Problem, d.NextTry = Parked, problem, time.Time{}
	if len(others) >= MaxStuck {
		d.State, d.Problem = Dismissed, problem+fmt.Sprintf("; dismissed, as %d others of its installation are stuck", len(others))
		return d, s.end(ctx, d, now, "", 0)
	}
	return d, s.end(ctx, d, now, stuck, stuckAt(lane, now))
}

// Continue ends a try that stored only a part of the facts. Applied is kept. The
// table's stream wakes the worker for the rest, with as many tries as a new
// delivery has. Continue returns ErrOver in the same cases as Finish.
func (s Store) Continue(ctx context.Context, d Delivery, now time.Time) (Delivery, error) {
	condition, values := last(d)
	values[":received"], values[":none"], values[":one"] = attr.String(string(Received)), attr.Int(0), attr.Int(1)
	values[":applied"], values[":in"], values[":due"] = attr.Int(int64(d.Applied)), attr.String(received(d.ID)), attr.Int(now.Add(Lease).UnixMilli())
	d.State, d.Problem, d.NextTry = Received, "", time.Time{}
	// The count of tries begins anew, so this also counts as a redelivery.
	return d, s.update(ctx, d, &condition, values, "SET #state = :received, tries = :none, applied = :applied, "+
		"redelivered = if_not_exists(redelivered, :none) + :one, due_in = :in, due = :due REMOVE begun, problem, next_try")
}

// backoff is how long a delivery that has failed waits before it is tried again.
var backoff = queue.Backoff{First: time.Minute, Most: 6 * time.Hour}

// end writes the outcome of a try, and the delivery's new place in the index. If
// dueIn is empty, the delivery leaves the index.
func (s Store) end(ctx context.Context, d Delivery, now time.Time, dueIn string, due int64) error {
	condition, values := last(d)
	values[":state"], values[":at"], values[":problem"] = attr.String(string(d.State)), attr.Time(now), attr.String(d.Problem)
	set, remove := "SET #state = :state, processed_at = :at, problem = :problem", " REMOVE begun"
	keep := func(name string, value types.AttributeValue, there bool) {
		if !there {
			remove += ", " + name
			return
		}
		set += ", " + name + " = :" + name
		values[":"+name] = value
	}
	keep("next_try", attr.Int(d.NextTry.UnixMilli()), !d.NextTry.IsZero())
	keep("applied", attr.Int(int64(d.Applied)), d.Applied > 0)
	keep("due_in", attr.String(dueIn), dueIn != "")
	keep("due", attr.Int(due), dueIn != "")
	return s.update(ctx, d, &condition, values, set+remove)
}

// last returns the condition that no other try of the delivery has begun, and that
// it was not redelivered since. The second part is needed because the count of
// tries begins anew after a redelivery.
func last(d Delivery) (string, attr.Item) {
	values := attr.Item{":tries": attr.Int(int64(d.Tries))}
	if d.redelivered == 0 {
		return "tries = :tries AND attribute_not_exists(redelivered)", values
	}
	values[":life"] = attr.Int(d.redelivered)
	return "tries = :tries AND redelivered = :life", values
}

// update makes the write that ends a try, or returns ErrOver.
func (s Store) update(ctx context.Context, d Delivery, condition *string, values attr.Item, expression string) error {
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: d.Key().item(), UpdateExpression: &expression, ConditionExpression: condition,
		ExpressionAttributeNames: map[string]string{"#state": "state"}, ExpressionAttributeValues: values,
	})
	var over *types.ConditionalCheckFailedException
	if errors.As(err, &over) {
		return ErrOver
	}
	if err != nil {
		return fmt.Errorf("end delivery as %s: %w", d.State, err)
	}
	return nil
}
