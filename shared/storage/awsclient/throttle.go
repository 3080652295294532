package awsclient

import (
	"errors"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// slowDown is the error code with which S3 refuses for load.
const slowDown = "SlowDown"

// Throttled reports whether the last attempt of a call that failed with err
// was refused for load: by an error code that says so, or by status 429 or 503.
// An earlier attempt whose answer was lost may have taken effect all the same.
func Throttled(err error) bool {
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) {
		return cancelledFor(canceled, "ThrottlingError", "ProvisionedThroughputExceeded")
	}
	if code := code(err); code == slowDown || code != conflict && isDefinite(code) {
		return true
	}
	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		return false
	}
	status := response.HTTPStatusCode()
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// Contended reports whether the last attempt of a call that failed with err
// was refused because transactions of others are under way on its items, for
// load besides or not. It did nothing; an earlier attempt may have.
func Contended(err error) bool {
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) {
		return !Throttled(err) && cancelledFor(canceled, "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")
	}
	return code(err) == conflict
}

// code is the error code that the service answered, or empty.
func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

func isDefinite(code string) bool {
	_, ok := definite[code]
	return ok
}

// cancelledFor reports whether a transaction failed for some of these reasons
// and for no other.
func cancelledFor(canceled *types.TransactionCanceledException, reasons ...string) bool {
	found := false
	for _, item := range canceled.CancellationReasons {
		switch reason := aws.ToString(item.Code); {
		case reason == "None", reason == "":
		case slices.Contains(reasons, reason):
			found = true
		default:
			return false
		}
	}
	return found
}
