package awsclient

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// slowDown is the error code with which S3 refuses for load.
const slowDown = "SlowDown"

// Throttled reports whether the last attempt of a call that failed with err
// was refused for load. An earlier attempt whose answer was lost may have
// taken effect all the same.
func Throttled(err error) bool {
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) {
		return throttledItems(canceled.CancellationReasons)
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	_, ok := definite[api.ErrorCode()]
	return ok || api.ErrorCode() == slowDown
}

// throttledItems reports whether a transaction failed for load alone.
func throttledItems(reasons []types.CancellationReason) bool {
	throttled := false
	for _, reason := range reasons {
		switch aws.ToString(reason.Code) {
		case "None", "":
		case "ThrottlingError", "ProvisionedThroughputExceeded":
			throttled = true
		default:
			return false
		}
	}
	return throttled
}
