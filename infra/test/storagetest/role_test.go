//go:build unix

package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/opsplane/opsplane/infra/test/iam"
)

// recorder is a test that keeps its failures instead of failing.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

// Errorf keeps the text.
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

// taken returns the failures since the last call.
func (r *recorder) taken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(r.failed, "\n")
	r.failed = nil
	return text
}

// TestRequestThatARoleForbidsFailsTheTest sends requests as functions of the template. The
// local servers accept all of them.
func TestRequestThatARoleForbidsFailsTheTest(t *testing.T) {
	t.Parallel()
	seen := &recorder{TB: t}
	e := New(seen)
	sessions, operations, kv, bucket := e.Table("SessionsTable"), e.Table("OperationsTable"), e.Table("KvTable"), e.Bucket("KvBucket")
	session := func(returned types.ReturnValue, change string) *dynamodb.UpdateItemInput {
		return &dynamodb.UpdateItemInput{
			TableName: &sessions, Key: keyOf(of("SESSION#1", 1, 0)), ReturnValues: returned, UpdateExpression: &change,
			ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberN{Value: "1"}},
		}
	}
	for name, c := range map[string]struct {
		function string
		do       func(ctx context.Context, e *Env) error
		want     []string // parts of the failure; nil if the request is allowed
	}{
		"allowed": {"IdentityFunction", func(ctx context.Context, e *Env) error {
			_, err := e.DynamoDB.UpdateItem(ctx, session("", "SET seen_at = :v"))
			return err
		}, nil},
		"asks for what it changed": {"IdentityFunction", func(ctx context.Context, e *Env) error {
			_, err := e.DynamoDB.UpdateItem(ctx, session(types.ReturnValueUpdatedNew, "SET seen_at = :v"))
			return err
		}, []string{"the role of IdentityFunction", "dynamodb:UpdateItem", "table/SessionsTable", "StringEqualsIfExists dynamodb:ReturnValues", "UPDATED_NEW"}},
		"changes another attribute": {"IdentityFunction", func(ctx context.Context, e *Env) error {
			_, err := e.DynamoDB.UpdateItem(ctx, session("", "SET user_id = :v"))
			return err
		}, []string{"dynamodb:Attributes", "user_id"}},
		"reads another table": {"SystemFunction", func(ctx context.Context, e *Env) error {
			_, err := e.DynamoDB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &sessions, Key: keyOf(of("SESSION#1", 1, 0))})
			return err
		}, []string{"dynamodb:GetItem on", "table/SessionsTable: no statement allows"}},
		"reads another partition": {"SystemFunction", func(ctx context.Context, e *Env) error {
			_, err := e.DynamoDB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &operations, Key: keyOf(of("USER#1", 1, 0))})
			return err
		}, []string{"ReadTasks", "ForAllValues:StringLike dynamodb:LeadingKeys", "USER#1"}},
		"sends an action that nobody knows": {"KvFunction", func(ctx context.Context, e *Env) error {
			_, err := e.DynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &kv})
			return err
		}, []string{"DescribeTableInput are not known"}},
		"writes below its prefix": {"KvFunction", func(ctx context.Context, e *Env) error {
			_, err := e.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("github/1/x")})
			return err
		}, nil},
		"writes beside its prefix": {"KvFunction", func(ctx context.Context, e *Env) error {
			_, err := e.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("collector/x")})
			return err
		}, []string{"s3:PutObject on arn:aws:s3:::KvBucket/collector/x"}},
		"signs an address that it may not use": {"KvFunction", func(ctx context.Context, e *Env) error {
			_, err := s3.NewPresignClient(e.S3).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("collector/x")})
			return err
		}, []string{"s3:GetObject on arn:aws:s3:::KvBucket/collector/x"}},
		"asks for an object that is missing": {"CollectorFunction", func(ctx context.Context, e *Env) error {
			_, err := e.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("collector/missing")})
			if absent := new(s3types.NoSuchKey); errors.As(err, &absent) {
				return nil
			}
			return err
		}, nil},
		"learns that an object is missing, without the right to list": {"CollectorFunction", func(ctx context.Context, e *Env) error {
			unable := *e.role
			unable.policy = slices.DeleteFunc(slices.Clone(unable.policy), func(s iam.Statement) bool { return s.Sid == "ListBodies" })
			_, err := newEnv(e.DynamoDBURL, e.S3URL, e.names, e.client, &unable).S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("collector/missing")})
			return err
		}, []string{"the object is missing", "s3:ListBucket on arn:aws:s3:::KvBucket: no statement allows"}},
		"with faults": {"SystemFunction", func(ctx context.Context, e *Env) error {
			_, err := e.WithFaults(new(Faults)).DynamoDB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &sessions, Key: keyOf(of("SESSION#1", 1, 0))})
			return err
		}, []string{"the role of SystemFunction"}},
		"with limited throughput": {"SystemFunction", func(ctx context.Context, e *Env) error {
			_, err := e.WithThroughput(PartitionThroughput).DynamoDB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &sessions, Key: keyOf(of("SESSION#1", 1, 0))})
			return err
		}, []string{"the role of SystemFunction"}},
	} {
		err := c.do(t.Context(), e.WithRole(c.function))
		got := seen.taken()
		if c.want == nil {
			if err != nil || got != "" {
				t.Errorf("%s: got %v, and the failure %q; want none", name, err, got)
			}
			continue
		}
		if denied := smithy.APIError(nil); !errors.As(err, &denied) || !strings.HasPrefix(denied.ErrorCode(), "AccessDenied") {
			t.Errorf("%s: got the error %v, want AccessDenied", name, err)
		}
		for _, part := range c.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: the test fails with %q, want %q in it", name, got, part)
			}
		}
	}
}
