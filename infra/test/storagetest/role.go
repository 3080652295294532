//go:build unix

package storagetest

import (
	"context"
	"errors"
	"fmt"
	nethttp "net/http"
	"os"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/transport/http"

	"github.com/opsplane/opsplane/infra/test/iam"
	"github.com/opsplane/opsplane/infra/test/template"
)

// role is the role of a function in one test.
type role struct {
	function string // its logical id
	policy   iam.Policy
	account  iam.Account
	names    *names
}

// EventBus is the name of the event bus to which the role of the publisher may send.
const EventBus = "opsplane"

// roles holds the policies of all functions. Their resources have the logical ids of the
// template as names.
var roles = sync.OnceValues(func() (map[string]iam.Policy, error) {
	a, err := addresses()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(a.root + "/template.yaml")
	if err != nil {
		return nil, err
	}
	return template.Roles(text, template.Options{Parameters: map[string]string{"EventBusName": EventBus}})
})

// WithRole returns clients of the same tables and buckets that have the role of a function,
// which is given by its logical id. A request that the policies of the role do not allow fails
// the test, and has the error that AWS returns. Signed addresses count as requests. The local
// servers themselves do not check roles.
func (e *Env) WithRole(function string) *Env {
	e.names.t.Helper()
	all, err := roles()
	if err != nil {
		e.names.t.Fatal(err)
	}
	policy, ok := all[function]
	if !ok {
		e.names.t.Fatalf("template.yaml has no function %s", function)
	}
	return newEnv(e.DynamoDBURL, e.S3URL, e.names, e.client, &role{function, policy, e.names.account(), e.names})
}

// account returns the test's tables and buckets by their physical names.
func (n *names) account() iam.Account {
	a := iam.Account{Tables: map[string]iam.Table{}, Buckets: map[string]string{}}
	for _, table := range n.template.Tables {
		in := table.CreateInput()
		t := iam.Table{
			ARN: template.Table{Name: table.LogicalID}.ARN(), Key: aws.ToString(in.KeySchema[0].AttributeName), IndexKeys: map[string]string{},
		}
		for _, i := range in.GlobalSecondaryIndexes {
			t.IndexKeys[aws.ToString(i.IndexName)] = aws.ToString(i.KeySchema[0].AttributeName)
		}
		for _, i := range in.LocalSecondaryIndexes {
			t.IndexKeys[aws.ToString(i.IndexName)] = t.Key
		}
		a.Tables[table.Name] = t
	}
	for _, b := range n.template.Buckets {
		a.Buckets[b.Name] = template.Bucket{Name: b.LogicalID}.ARN()
	}
	return a
}

// attach makes the requests of a client subject to the role.
func (r *role) attach(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Role", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		if err := r.check(in.Parameters); err != nil {
			return middleware.InitializeOutput{}, middleware.Metadata{}, r.deny(err)
		}
		out, data, err := next.HandleInitialize(ctx, in)
		if response := (*http.ResponseError)(nil); errors.As(err, &response) && response.HTTPStatusCode() == nethttp.StatusNotFound {
			if hidden := r.checkMissing(in.Parameters); hidden != nil {
				err = r.deny(hidden)
			}
		}
		return out, data, err
	}), middleware.After)
}

// deny fails the test, and returns the error that AWS returns.
func (r *role) deny(why error) error {
	r.names.t.Errorf("the role of %s forbids a request: %v", r.function, why)
	return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: why.Error(), Fault: smithy.FaultClient}
}

// checkMissing returns an error if the role may not learn that an object is missing. S3 says so
// only to those who may list the bucket, and otherwise returns 403 ("GetObject" and
// "HeadObject", Amazon S3 API Reference).
func (r *role) checkMissing(in any) error {
	var bucket *string
	switch in := in.(type) {
	case *s3.GetObjectInput:
		bucket = in.Bucket
	case *s3.HeadObjectInput:
		bucket = in.Bucket
	default:
		return nil
	}
	if err := r.check(&s3.ListObjectsV2Input{Bucket: bucket}); err != nil {
		return fmt.Errorf("the object is missing, and S3 would not say so: %w", err)
	}
	return nil
}

// check returns an error that names everything that the role does not allow in an operation.
func (r *role) check(in any) error {
	needed, err := r.account.Requests(in)
	if err != nil {
		return err
	}
	var refused []error
	for _, one := range needed {
		refused = append(refused, r.policy.Check(one))
	}
	return errors.Join(refused...)
}
