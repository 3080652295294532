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

// ErrOver says that nothing of a delivery is to be processed now: the delivery is
// over or is not there, another try of it has begun since, or its time has not come.
var ErrOver = errors.New("nothing of the delivery is to be processed")

// Begin counts a try of the delivery at a key that the table's stream has told, and
// returns the delivery. It returns ErrOver unless the delivery is Received: a parked
// one waits for its next try, however often the stream tells of it. The count is
// written before the try, so that it shows which delivery kills the worker. The
// delivery is due again after a Lease, so that it does not stay ahead of others.
func (s Store) Begin(ctx context.Context, k Key, now time.Time) (Delivery, error) {
	return s.begin(ctx, k, now, "#state = :received", attr.Item{":received": attr.String(string(Received))})
}

// BeginDue is Begin for a key that Due has returned: ErrOver unless the delivery
// is still due.
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

// Finish ends a delivery that was begun: Done, or Ignored for a reason. It
// returns ErrOver, and changes nothing, if another try was begun since, or an
// operator had it redelivered. Repeating it changes nothing.
func (s Store) Finish(ctx context.Context, d Delivery, to State, problem string, now time.Time) error {
	d.State, d.Problem, d.NextTry, d.Applied = to, problem, time.Time{}, 0
	return s.end(ctx, d, now, "", 0)
}

// Park ends a try that failed: the delivery is tried again after a pause that
// doubles with each try, or is stuck once it has had MaxTries. What Applied says
// is kept for the next try. It returns ErrOver as Finish does.
func (s Store) Park(ctx context.Context, d Delivery, problem string, now time.Time) (Delivery, error) {
	if d.Tries >= MaxTries {
		return s.GiveUp(ctx, d, problem, now)
	}
	d.State, d.Problem = Parked, problem
	d.NextTry = now.Add(backoff.Pause(d.Tries)).Truncate(time.Millisecond)
	return d, s.end(ctx, d, now, parked, d.NextTry.UnixMilli())
}

// GiveUp ends a try that failed, and would fail however often it is repeated:
// the delivery is stuck, or is dismissed where its installation has MaxStuck
// already. It returns ErrOver as Finish does.
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

// Continue ends a try that has not come to its end, but on: what Applied says is
// kept, and the table's stream wakes the worker for the rest, with as many tries
// as a new delivery has. It returns ErrOver as Finish does.
func (s Store) Continue(ctx context.Context, d Delivery, now time.Time) (Delivery, error) {
	condition, values := last(d)
	values[":received"], values[":none"], values[":one"] = attr.String(string(Received)), attr.Int(0), attr.Int(1)
	values[":applied"], values[":in"], values[":due"] = attr.Int(int64(d.Applied)), attr.String(received(d.ID)), attr.Int(now.Add(Lease).UnixMilli())
	d.State, d.Problem, d.NextTry = Received, "", time.Time{}
	// Tries are counted anew, so that it is another life.
	return d, s.update(ctx, d, &condition, values, "SET #state = :received, tries = :none, applied = :applied, "+
		"redelivered = if_not_exists(redelivered, :none) + :one, due_in = :in, due = :due REMOVE begun, problem, next_try")
}

// backoff is how long a delivery that has failed waits before it is tried again.
var backoff = queue.Backoff{First: time.Minute, Most: 6 * time.Hour}

// end writes what became of a try, and where in the index the delivery lies from
// now on; nowhere for an empty dueIn.
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

// last is the condition that a try is the delivery's last, and of the life that
// it began in: tries are counted anew after a redelivery.
func last(d Delivery) (string, attr.Item) {
	values := attr.Item{":tries": attr.Int(int64(d.Tries))}
	if d.redelivered == 0 {
		return "tries = :tries AND attribute_not_exists(redelivered)", values
	}
	values[":life"] = attr.Int(d.redelivered)
	return "tries = :tries AND redelivered = :life", values
}

// update makes the one write that ends a try, or returns ErrOver.
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
