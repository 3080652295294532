package table

import (
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// conditionError says that a condition of a write did not hold.
type conditionError struct {
	old   Item
	cause error
}

func (e *conditionError) Error() string { return e.cause.Error() }
func (e *conditionError) Unwrap() error { return e.cause }

// failure is the error of a write of one item.
func failure(err error) error {
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return &conditionError{old: failed.Item, cause: err}
	}
	return err
}

// ConditionFailed reports whether the write of one item changed nothing because a
// condition did not hold, and returns the item as it was then; empty if there is
// none, or if the write was no Edit with KeepOld.
func ConditionFailed(err error) (old Item, failed bool) {
	var e *conditionError
	if errors.As(err, &e) {
		return e.old, true
	}
	return nil, false
}

// ConditionFailedAt reports whether a transaction changed nothing because a
// condition of its nth write, counted from 0, did not hold, and returns that item as
// it was then; empty if there is none, or if the write was neither an Edit with
// KeepOld nor a WriteNew.
func ConditionFailedAt(err error, n int) (old Item, failed bool) {
	reasons := Reasons(err)
	if n >= len(reasons) || reasons[n].Code != CodeCondition {
		return nil, false
	}
	return reasons[n].Old, true
}

// Codes of reasons ("TransactWriteItems", AWS documentation).
const (
	// CodeNone is the code of a write that was not a reason.
	CodeNone = "None"
	// CodeCondition is the code of a write whose condition did not hold.
	CodeCondition = "ConditionalCheckFailed"
	// CodeConflict is the code of a write whose item another transaction writes.
	CodeConflict = "TransactionConflict"
	// CodeThrottled and CodeThroughput are the codes of writes that were refused
	// for load.
	CodeThrottled  = "ThrottlingError"
	CodeThroughput = "ProvisionedThroughputExceeded"
)

// Reason is why one write of a transaction cancelled it.
type Reason struct {
	// Code is one of the codes above, or another of DynamoDB.
	Code string
	// Old is the item as it was, for CodeCondition; empty if there is none.
	Old Item
}

// Reasons returns a reason for each write of a transaction that was cancelled and
// changed nothing, in the order of the writes; nil for other errors.
func Reasons(err error) []Reason {
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) {
		return nil
	}
	reasons := make([]Reason, len(canceled.CancellationReasons))
	for i, r := range canceled.CancellationReasons {
		reasons[i] = Reason{Code: aws.ToString(r.Code), Old: r.Item}
		if reasons[i].Code == "" {
			reasons[i].Code = CodeNone
		}
	}
	return reasons
}

// Canceled reports whether a transaction was cancelled and changed nothing.
func Canceled(err error) bool {
	var canceled *types.TransactionCanceledException
	return errors.As(err, &canceled)
}

// Overtaken reports whether a transaction was cancelled only because of other
// writers or load, so that a new one may succeed.
func Overtaken(err error) bool {
	return Canceled(err) && !slices.ContainsFunc(Reasons(err), func(r Reason) bool {
		return !slices.Contains([]string{CodeNone, CodeCondition, CodeConflict, CodeThrottled, CodeThroughput}, r.Code)
	})
}

// unmet reports whether a transaction was cancelled only because conditions did not
// hold.
func unmet(err error) bool { return canceledFor(Reasons(err), CodeCondition) }

// canceledFor reports whether there are reasons with some of the codes, and none
// with another.
func canceledFor(reasons []Reason, codes ...string) bool {
	found := false
	for _, r := range reasons {
		switch {
		case r.Code == CodeNone:
		case slices.Contains(codes, r.Code):
			found = true
		default:
			return false
		}
	}
	return found
}
