package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/fault"
)

// ErrOver is answered for a delivery that is done or ignored, or is not there:
// there is nothing to process.
var ErrOver = errors.New("the delivery is over")

// Begin counts a try of the delivery at a key and answers it, or ErrOver. The
// count is written before the try, so that a delivery that ends the worker's
// process is known by it.
func (s Store) Begin(ctx context.Context, k Key) (Delivery, error) {
	out, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: k.item(), ReturnValues: types.ReturnValueAllNew,
		UpdateExpression:         aws.String("ADD tries :one"),
		ConditionExpression:      aws.String("#state IN (:received, :parked)"),
		ExpressionAttributeNames: map[string]string{"#state": "state"},
		ExpressionAttributeValues: attr.Item{
			":one": attr.Int(1), ":received": attr.String(string(Received)), ":parked": attr.String(string(Parked)),
		},
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

// Finish ends a delivery that Begin answered: Done, or Ignored for a reason.
func (s Store) Finish(ctx context.Context, d Delivery, to State, problem string, now time.Time) error {
	was := d.NextTry
	reminded := d.State == Parked
	d.State, d.Problem, d.NextTry = to, problem, time.Time{}
	return s.move(ctx, d, now, reminded, was, nil)
}

// Park ends a try that failed: the delivery is tried again after a pause that
// doubles with each try, or never once it has had MaxTries.
func (s Store) Park(ctx context.Context, d Delivery, problem string, now time.Time) (Delivery, error) {
	was, reminded := d.NextTry, d.State == Parked
	d.State, d.Problem, d.NextTry = Parked, problem, time.Time{}
	if d.Tries < MaxTries {
		d.NextTry = now.Add(pause(d.Tries)).Truncate(time.Millisecond)
	}
	reminder := reminderKey(d.Key(), d.NextTry)
	reminder["lane"], reminder["place"] = attr.String(d.Key().Lane), attr.String(d.Key().Place)
	reminder["ttl"] = attr.Time(d.ReceivedAt.Add(Keep))
	return d, s.move(ctx, d, now, reminded, was, reminder)
}

// pause before the try after the n-th: about a minute, then twice as long each
// time, at most six hours. Drawn, so that what failed together does not come
// again together.
func pause(tries int) time.Duration {
	const first, most = time.Minute, 6 * time.Hour
	p := most
	if doubled := first << min(tries-1, 16); doubled < most {
		p = max(doubled, first)
	}
	return p/2 + rand.N(p) // half to one and a half
}

// move writes what became of a try, with the end of the old reminder and the
// new one, in one transaction. Only the delivery's last try may: if another was
// begun meanwhile, or an operator has it redelivered, it answers ErrOver and
// changes nothing. Repeating it changes nothing either.
func (s Store) move(ctx context.Context, d Delivery, now time.Time, reminded bool, was time.Time, reminder attr.Item) error {
	values := attr.Item{
		":state": attr.String(string(d.State)), ":at": attr.Time(now), ":tries": attr.Int(int64(d.Tries)), ":problem": attr.String(d.Problem),
	}
	expression := "SET #state = :state, processed_at = :at, problem = :problem"
	if d.NextTry.IsZero() {
		expression += " REMOVE next_try"
	} else {
		expression += ", next_try = :next"
		values[":next"] = attr.Int(d.NextTry.UnixMilli())
	}
	writes := []types.TransactWriteItem{{Update: &types.Update{
		TableName: &s.Table, Key: d.Key().item(), UpdateExpression: &expression,
		ConditionExpression:       aws.String("tries = :tries"),
		ExpressionAttributeNames:  map[string]string{"#state": "state"},
		ExpressionAttributeValues: values,
	}}}
	if reminded {
		writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{TableName: &s.Table, Key: reminderKey(d.Key(), was)}})
	}
	if reminder != nil {
		writes = append(writes, s.put(reminder, ""))
	}
	_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	if unmet(err, 0) {
		return ErrOver
	}
	if err != nil {
		return fmt.Errorf("move delivery to %s: %w", d.State, err)
	}
	return nil
}

// Due answers the keys of parked deliveries whose next try has come, those that
// wait longest first, at most limit of them.
func (s Store) Due(ctx context.Context, now time.Time, limit int) ([]Key, error) {
	return s.reminders(ctx, "pk = :pk AND sk < :until", millis(now), limit)
}

// Stuck answers the keys of parked deliveries that are not tried again by
// themselves, at most limit of them.
func (s Store) Stuck(ctx context.Context, limit int) ([]Key, error) {
	return s.reminders(ctx, "pk = :pk AND sk >= :until", neverAgain, limit)
}

func (s Store) reminders(ctx context.Context, condition, until string, limit int) ([]Key, error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    &condition,
		ExpressionAttributeValues: attr.Item{":pk": attr.String(parked), ":until": attr.String(until)},
	})
	if err != nil {
		return nil, fmt.Errorf("list parked deliveries: %w", err)
	}
	keys := make([]Key, len(out.Items))
	for i, item := range out.Items {
		r := attr.Read(item)
		keys[i] = Key{Lane: r.String("lane"), Place: r.String("place")}
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("decode reminder: %w", err)
		}
	}
	return keys, nil
}

// Redeliver has a delivery processed again, whatever came of it, with as many
// tries as a new one. The table's stream wakes the worker.
func (s Store) Redeliver(ctx context.Context, vcs, id string) (Delivery, error) {
	d, err := s.Get(ctx, vcs, id)
	if err != nil {
		return Delivery{}, err
	}
	writes := []types.TransactWriteItem{{Update: &types.Update{
		TableName: &s.Table, Key: d.Key().item(),
		UpdateExpression: aws.String("SET #state = :received, tries = :none, redelivered = if_not_exists(redelivered, :none) + :one REMOVE problem, next_try"),
		// What was read decides which reminder goes; a try that ended meanwhile has made another.
		ConditionExpression:      aws.String("#state = :was AND (attribute_not_exists(tries) OR tries = :tries)"),
		ExpressionAttributeNames: map[string]string{"#state": "state"},
		ExpressionAttributeValues: attr.Item{
			":received": attr.String(string(Received)), ":was": attr.String(string(d.State)),
			":none": attr.Int(0), ":one": attr.Int(1), ":tries": attr.Int(int64(d.Tries)),
		},
	}}}
	if d.State == Parked {
		writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{TableName: &s.Table, Key: reminderKey(d.Key(), d.NextTry)}})
	}
	_, err = s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	if unmet(err, 0) {
		return Delivery{}, fault.Busyf("CONTENDED", "the delivery is being processed: try again in a moment")
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("redeliver: %w", err)
	}
	d.State, d.Tries, d.Problem, d.NextTry = Received, 0, "", time.Time{}
	return d, nil
}
