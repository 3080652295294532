// Package awsclient makes the AWS clients of a function from its environment.
// It leaves out the SDK's config package, with which a function takes about a
// quarter longer to start (docs/performance.md), for profiles, SSO and instance
// metadata: none of which a function has.
//
// A client repeats what failed, also a write whose answer was lost and which
// may have taken effect. A write must bear that: it changes nothing the second
// time, or knows its own stamp (package change). One that cannot is to be made
// with RetryDefinite.
package awsclient

import (
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
)

// Limits of a storage call. A handler has at most 29 s at the gateway, so that
// three attempts of one call must fit well inside it.
const (
	attempts       = 3
	dialTimeout    = time.Second
	attemptTimeout = 6 * time.Second
	maxBackoff     = 500 * time.Millisecond
	idlePerHost    = 64
)

// Config reads region and credentials from the variables that Lambda sets
// (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN).
// Retries are bounded and jittered.
func Config() aws.Config {
	return aws.Config{
		Region: os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		HTTPClient: WithPlainBodies(awshttp.NewBuildableClient().
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
			WithTransportOptions(func(t *http.Transport) {
				t.MaxIdleConnsPerHost = idlePerHost
				t.ResponseHeaderTimeout = attemptTimeout
			})),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
				// The SDK takes a conflict for the caller's fault.
				o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: definite})
			})
		},
	}
}

// DynamoDB makes a client. AWS_ENDPOINT_URL_DYNAMODB, if not empty, names
// another server to talk to.
func DynamoDB(cfg aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if url := os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"); url != "" {
			o.BaseEndpoint = aws.String(url)
		}
	})
}

// definite are the error codes after which DynamoDB has certainly done
// nothing ("Error handling with DynamoDB", AWS documentation).
var definite = map[string]struct{}{
	"ProvisionedThroughputExceededException": {},
	"RequestLimitExceeded":                   {},
	"ThrottlingException":                    {},
	conflict:                                 {},
	"TransactionInProgressException":         {},
}

// conflict refuses a write of an item on which a transaction is under way.
const conflict = "TransactionConflictException"

// RetryDefinite is a client option for writes that must not be repeated
// blindly: it retries only where nothing can have happened, because the server
// said that it refused for load or for a transaction under way, or no
// connection was made.
func RetryDefinite(o *dynamodb.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
		o.Retryables = []retry.IsErrorRetryable{
			retry.RetryableErrorCode{Codes: definite},
			retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				return aws.BoolTernary(neverSent(err))
			}),
		}
	})
}

// neverSent reports whether err arose before a connection stood.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// Answered reports whether the server answered the call that failed with err,
// so that its request has ended and cannot take effect later.
func Answered(err error) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() != 0
}

// Ambiguous reports whether a call that failed with err may nevertheless have
// taken effect: the answer was lost, or the server failed while working on it.
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
