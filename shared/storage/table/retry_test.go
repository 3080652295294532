package table_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/table"
)

func TestOnlyRefusalsForLoadAreThrottling(t *testing.T) {
	t.Parallel()
	plain := storagetest.New(t)
	for name, c := range map[string]struct {
		kind storagetest.Kind
		want bool
	}{
		"throttled":    {storagetest.Throttle, true},
		"server error": {storagetest.ServerError, false},
		"lost answer":  {storagetest.LoseAnswer, false},
		"refused":      {storagetest.Refuse, false},
	} {
		var f storagetest.Faults
		f.Add(storagetest.Fault{Kind: c.kind})
		env := plain.WithFaults(&f)
		_, read := env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String(plain.Table("OperationsTable")), Key: attr.Item{"pk": attr.String("p"), "sk": attr.String("s")},
		})
		_, bucket := env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(plain.Bucket("KvBucket")), Key: aws.String("k")})
		for what, err := range map[string]error{"table": read, "bucket": bucket} {
			if got := table.Throttled(fmt.Errorf("read: %w", err)); err == nil || got != c.want {
				t.Errorf("%s, %s: %v is throttling: %t, want %t", what, name, err, got, c.want)
			}
		}
	}
	if table.Throttled(nil) || table.Throttled(errors.New("other")) {
		t.Error("got throttling without a word from the server")
	}
}

func TestTransactionIsThrottledOrContendedByItsReasons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codes                []string
		throttled, contended bool
	}{
		{[]string{"None", "ThrottlingError"}, true, false},
		{[]string{"ProvisionedThroughputExceeded", "None"}, true, false},
		{[]string{"ThrottlingError", "ConditionalCheckFailed"}, false, false},
		{[]string{"TransactionConflict", "None"}, false, true},
		{[]string{"TransactionConflict", "ThrottlingError"}, false, true},
		{[]string{"TransactionConflict", "ConditionalCheckFailed"}, false, false},
		{[]string{"None"}, false, false},
		{nil, false, false},
	} {
		err := &types.TransactionCanceledException{}
		for _, code := range c.codes {
			err.CancellationReasons = append(err.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
		}
		wrapped := fmt.Errorf("write: %w", err)
		if got := table.Throttled(wrapped); got != c.throttled {
			t.Errorf("%q throttled: got %t, want %t", c.codes, got, c.throttled)
		}
		if got := table.Contended(wrapped); got != c.contended {
			t.Errorf("%q contended: got %t, want %t", c.codes, got, c.contended)
		}
	}
}

func TestStatusesThatMeanLoad(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{429: true, 503: true, 500: false, 502: false, 400: false, 403: false} {
		err := &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
			Err:      &smithy.GenericAPIError{Code: "ServiceUnavailable"},
		}}
		if got := table.Throttled(fmt.Errorf("put: %w", err)); got != want {
			t.Errorf("status %d: got %t, want %t", status, got, want)
		}
	}
}

// A single write conflicts with another caller's transaction. It did nothing, so
// both kinds of client try again.
func TestWriteThatMeetsATransactionIsTriedAgain(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	plain := storagetest.New(t)
	for name, option := range map[string]func(*dynamodb.Options){
		"client": func(o *dynamodb.Options) { o.Retryer = awsclient.Config().Retryer() }, "definite": table.RetryDefinite,
	} {
		for _, c := range []struct{ nth, calls int }{{1, 2}, {0, 3}} {
			var f storagetest.Faults
			f.Add(storagetest.Fault{Nth: c.nth, Kind: storagetest.Conflict})
			_, err := plain.WithFaults(&f).DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: aws.String(plain.Table("OperationsTable")), Key: attr.Item{"pk": attr.String("p"), "sk": attr.String("s")},
			}, option)
			if got := f.Calls("UpdateItem"); got != c.calls || table.Contended(err) != (c.nth == 0) || table.Throttled(err) {
				t.Errorf("%s, conflict at %d: got %d calls, %v; want %d calls", name, c.nth, got, err, c.calls)
			}
		}
	}
}

func TestTriesEndAtTheirLimitOrWithTheContext(t *testing.T) {
	t.Parallel()
	tries := func(ctx context.Context, limit int, try func(n int) (last bool)) (made []int) {
		for n := range table.Tries(ctx, limit) {
			made = append(made, n)
			if try(n) {
				break
			}
		}
		return made
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		made, want []int
	}{
		"to the limit":                    {tries(t.Context(), 4, func(int) bool { return false }), []int{0, 1, 2, 3}},
		"to the break":                    {tries(t.Context(), 4, func(n int) bool { return n == 1 }), []int{0, 1}},
		"to the end of the context":       {tries(ctx, 4, func(n int) bool { cancel(); return false }), []int{0}},
		"one in a context that has ended": {tries(ended, 4, func(int) bool { return false }), []int{0}},
		"none":                            {tries(t.Context(), 0, func(int) bool { return false }), nil},
	} {
		if !slices.Equal(c.made, c.want) {
			t.Errorf("%s: got tries %v, want %v", name, c.made, c.want)
		}
	}
}
