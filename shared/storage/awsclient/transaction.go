package awsclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Overtaken reports whether a transaction was cancelled only by what others
// did or by load, so that a new one may succeed.
func Overtaken(err error) bool {
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) {
		return false
	}
	for _, reason := range canceled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "None", conditionFailed, "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		default:
			return false
		}
	}
	return true
}

// conditionFailed is the reason of an item whose condition did not hold.
const conditionFailed = "ConditionalCheckFailed"

// ConditionFailed reports whether a transaction was cancelled because the
// condition of its nth item, counted from 0, did not hold.
func ConditionFailed(err error, n int) bool {
	var canceled *types.TransactionCanceledException
	return errors.As(err, &canceled) && n < len(canceled.CancellationReasons) &&
		aws.ToString(canceled.CancellationReasons[n].Code) == conditionFailed
}

// transactTries bounds how often Transact makes a transaction.
const transactTries = 6

// Transact makes writes in one transaction, again and again where others or load
// cancel it without any effect, until it is made, the condition of a write does
// not hold, or a few tries are over. Its error is that of the last try, for
// ConditionFailed. Where an answer was lost, the condition of a write must tell
// that it was made before.
func Transact(ctx context.Context, db *dynamodb.Client, writes []types.TransactWriteItem) error {
	var err error
	for n := range transactTries {
		if paused := Pause(ctx, n); paused != nil {
			return paused
		}
		_, err = db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		if err == nil || unmet(err) || !Overtaken(err) && !Throttled(err) {
			return err
		}
	}
	return err
}

// unmet reports whether a transaction was cancelled because a condition did not
// hold.
func unmet(err error) bool {
	var canceled *types.TransactionCanceledException
	return errors.As(err, &canceled) && cancelledFor(canceled, conditionFailed)
}

// Pause waits before the try after n lost ones: not at all for n = 0, then
// jittered and growing, at most 200 ms. It answers the error of a context that
// ends meanwhile.
func Pause(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	limit := min(5*time.Millisecond<<n, 200*time.Millisecond)
	select {
	case <-time.After(rand.N(limit)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
