// Package awsclient makes the AWS clients of a function from its environment. It
// does not use the SDK's config package. With that package a function takes about a
// quarter longer to start (docs/performance.md), because of profiles, SSO and
// instance metadata, which no function has.
//
// A client repeats a request that failed. This includes a write whose response was
// lost and which may have taken effect: package table says what a write must do
// about that.
package awsclient

import (
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/storage/table"
)

// Limits of a request. The limits of its attempts are in package table.
const (
	dialTimeout    = time.Second
	attemptTimeout = 6 * time.Second
	idlePerHost    = 64
)

// Config reads region and credentials from the variables that Lambda sets
// (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN). The
// number of retries is limited, and the pauses between them vary randomly.
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
				o.MaxAttempts, o.MaxBackoff = table.MaxAttempts, table.MaxBackoff
				o.Retryables = append(o.Retryables, table.NoEffect)
			})
		},
	}
}

// DynamoDB makes a client. If AWS_ENDPOINT_URL_DYNAMODB is not empty, it names
// another server.
func DynamoDB(cfg aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if url := os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"); url != "" {
			o.BaseEndpoint = aws.String(url)
		}
	})
}
