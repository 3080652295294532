package awsclient_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/awsclient"
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
		_, table := env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String(plain.Table("OperationsTable")), Key: attr.Item{"pk": attr.String("p"), "sk": attr.String("s")},
		})
		_, bucket := env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(plain.Bucket("KvBucket")), Key: aws.String("k")})
		for what, err := range map[string]error{"table": table, "bucket": bucket} {
			if got := awsclient.Throttled(fmt.Errorf("read: %w", err)); err == nil || got != c.want {
				t.Errorf("%s, %s: %v is throttling: %t, want %t", what, name, err, got, c.want)
			}
		}
	}
	if awsclient.Throttled(nil) || awsclient.Throttled(errors.New("other")) {
		t.Error("got throttling without a word from the server")
	}
}

func TestTransactionIsThrottledIfLoadAloneStoppedIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codes []string
		want  bool
	}{
		{[]string{"None", "ThrottlingError"}, true},
		{[]string{"ProvisionedThroughputExceeded", "None"}, true},
		{[]string{"ThrottlingError", "ConditionalCheckFailed"}, false},
		{[]string{"TransactionConflict", "None"}, false},
		{[]string{"None"}, false},
		{nil, false},
	} {
		err := &types.TransactionCanceledException{}
		for _, code := range c.codes {
			err.CancellationReasons = append(err.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
		}
		if got := awsclient.Throttled(fmt.Errorf("write: %w", err)); got != c.want {
			t.Errorf("%q: got %t, want %t", c.codes, got, c.want)
		}
	}
}
