package table

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
)

// Limits of the attempts of one request.
const (
	// MaxAttempts is how often a client sends a request. A handler has at most 29 s
	// at the gateway, and the attempts must take clearly less.
	MaxAttempts = 3
	// MaxBackoff is the longest pause between two attempts.
	MaxBackoff = 500 * time.Millisecond
)

// NoEffect contains the error codes after which DynamoDB has certainly changed
// nothing ("Error handling with DynamoDB", AWS documentation). The SDK treats some
// of them as a fault of the caller, and so would not repeat the request.
var NoEffect = retry.RetryableErrorCode{Codes: map[string]struct{}{
	"ProvisionedThroughputExceededException": {},
	"RequestLimitExceeded":                   {},
	"ThrottlingException":                    {},
	conflict:                                 {},
	"TransactionInProgressException":         {},
}}

const (
	// conflict refuses a write of an item that a transaction is writing.
	conflict = "TransactionConflictException"
	// slowDown is the error code with which S3 refuses because of load.
	slowDown = "SlowDown"
)

// RetryDefinite is the client option that SentOnce sets.
func RetryDefinite(o *dynamodb.Options) { o.Retryer = definite() }

// definite returns the retryer of RetryDefinite. It is shared, because it is
// expensive to make. A shared one has no token bucket: otherwise one caller's
// retries would use up another's.
var definite = sync.OnceValue(func() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = MaxAttempts, MaxBackoff, ratelimit.None
		o.Retryables = []retry.IsErrorRetryable{
			NoEffect,
			retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				return aws.BoolTernary(neverSent(err))
			}),
		}
	})
})

// neverSent reports whether err happened before there was a connection.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// Answered reports whether the server responded to the call that failed with err.
// If so, the request has ended and cannot take effect later.
func Answered(err error) bool { return status(err) != 0 }

// Ambiguous reports whether a call that failed with err may still have taken
// effect, because the response was lost or the server failed while it worked.
func Ambiguous(err error) bool {
	if err == nil || neverSent(err) {
		return false
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorFault() == smithy.FaultServer || api.ErrorCode() == "InternalServerError"
	}
	return true
}

// Throttled reports whether the last attempt of a call that failed with err was
// refused because of load. The error code says so, or the status is 429 or 503.
// Throttled knows the codes of DynamoDB and of S3. An earlier attempt whose
// response was lost may still have taken effect.
func Throttled(err error) bool {
	if Canceled(err) {
		return canceledFor(Reasons(err), CodeThrottled, CodeThroughput)
	}
	if code := code(err); code == slowDown || code != conflict && NoEffect.IsErrorRetryable(err) == aws.TrueTernary {
		return true
	}
	status := status(err)
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// Contended reports whether the last attempt of a call that failed with err was
// refused because other transactions write its items. Load may be a second reason.
// The last attempt changed nothing; an earlier attempt may have changed something.
func Contended(err error) bool {
	if Canceled(err) {
		return !Throttled(err) && canceledFor(Reasons(err), CodeConflict, CodeThrottled, CodeThroughput)
	}
	return code(err) == conflict
}

// code returns the error code of the service's response. It is empty if there is
// none.
func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

// status returns the HTTP status of the service's response. It is 0 if there is
// none.
func status(err error) int {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		return 0
	}
	return response.HTTPStatusCode()
}

// Tries yields the numbers of up to limit tries, from 0, and pauses before each but
// the first. A loop over it ends after the last try, or in a pause if the context
// ends: then ctx.Err is not nil.
func Tries(ctx context.Context, limit int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := range limit {
			if Pause(ctx, n) != nil || !yield(n) {
				return
			}
		}
	}
}

// GaveUp returns the error of an operation after the last of its tries: that of the
// context if it ended during the tries, otherwise contended.
func GaveUp(ctx context.Context, contended error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return contended
}

// Pause waits before the next try after n failed tries. For n = 0 it does not wait.
// Otherwise it waits a random time whose limit grows with n, at most 200 ms. If the
// context ends meanwhile, it returns the context's error.
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
