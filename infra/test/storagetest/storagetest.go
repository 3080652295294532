//go:build unix

// Package storagetest gives a test real storage: a DynamoDB-compatible and an S3-compatible
// server, with tables and buckets that only this test uses. They are made as template.yaml
// declares them. Tests share servers but never data. So tests may run in parallel, and the same
// test may run twice at once.
//
// DYNAMODB_URL and S3_URL name the servers to use. Without them the test process starts its own
// servers. DYNAMODB=dynamodb-local chooses AWS's server. That server removes expired items
// while a test runs. So a test that sets its own clock sets it to a time in the future, so that
// nothing that it writes has expired.
package storagetest

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
)

// Credentials for the local servers. The S3 server checks them.
const (
	AccessKey = "local"
	SecretKey = "localsecret"
	Region    = "us-east-1"
)

// Env is one test's storage.
type Env struct {
	// Config has the region, the credentials, the retries, the transport and the role. It has
	// no endpoint, because the two services have different endpoints.
	Config   aws.Config
	DynamoDB *dynamodb.Client
	S3       *s3.Client
	// DynamoDBURL and S3URL are the servers' addresses.
	DynamoDBURL, S3URL string

	names  *names
	client aws.HTTPClient
	role   *role // nil: every request is allowed
}

// New returns storage for a test. A table or bucket is made when it is first requested.
func New(t testing.TB) *Env {
	t.Helper()
	a, err := addresses()
	if err != nil {
		t.Fatalf("storage servers: %v", err)
	}
	n := &names{t: t, suffix: strings.ToLower(rand.Text()[:13]), made: map[string]struct{}{}, owned: a.owned}
	shared, err := sharedTemplate()
	if err != nil {
		t.Fatal(err)
	}
	n.template = n.rename(*shared)
	e := newEnv(a.DynamoDB, a.S3, n, sharedClient(), nil)
	n.plain = e
	t.Cleanup(n.remove)
	return e
}

// WithFaults returns clients of the same tables and buckets whose requests go through f. They
// have the role of e.
func (e *Env) WithFaults(f *Faults) *Env {
	return newEnv(e.DynamoDBURL, e.S3URL, e.names, &faultyClient{faults: f, next: sharedClient()}, e.role)
}

// WithClient returns clients of the same tables and buckets that send their requests through
// client, such as one that counts them. They have the role of e.
func (e *Env) WithClient(client aws.HTTPClient) *Env {
	return newEnv(e.DynamoDBURL, e.S3URL, e.names, client, e.role)
}

// Table returns the name of this test's own table for a logical id of template.yaml, such as
// "KvTable". The first call makes the table. It is empty, and it has no stream: the default
// server goes through all changes of all streams at every write.
func (e *Env) Table(logicalID string) string {
	e.names.t.Helper()
	return e.names.table(logicalID, withoutStream)
}

func withoutStream(t template.Table) *dynamodb.CreateTableInput {
	in := t.CreateInput()
	in.StreamSpecification = nil
	return in
}

// StreamedTable is like Table, but the table has its stream. It is for a test that reads the
// stream itself.
func (e *Env) StreamedTable(logicalID string) string {
	e.names.t.Helper()
	return e.names.table(logicalID, template.Table.CreateInput)
}

// Bucket returns the name of this test's own bucket for a logical id of template.yaml, such as
// "KvBucket". The first call makes the bucket, without objects.
func (e *Env) Bucket(logicalID string) string {
	e.names.t.Helper()
	return e.names.bucket(logicalID)
}

// Environ returns the environment variables with which a process, or package awsclient, finds
// these servers.
func (e *Env) Environ() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey, "AWS_SESSION_TOKEN": "", "AWS_REGION": Region,
		"AWS_ENDPOINT_URL_DYNAMODB": e.DynamoDBURL, "AWS_ENDPOINT_URL_S3": e.S3URL,
	}
}

func newEnv(dynamoDBURL, s3URL string, n *names, client aws.HTTPClient, of *role) *Env {
	cfg := aws.Config{
		Region:      Region,
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		HTTPClient:  awsclient.WithPlainBodies(client),
		// It retries as often as a function does, but waits less between the tries.
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 3, 20*time.Millisecond })
		},
	}
	if of != nil {
		cfg.APIOptions = append(cfg.APIOptions, of.attach)
	}
	return &Env{
		Config: cfg, DynamoDBURL: dynamoDBURL, S3URL: s3URL, names: n, client: client, role: of,
		DynamoDB: dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(dynamoDBURL) }),
		S3: s3.NewFromConfig(cfg, func(o *s3.Options) {
			o.BaseEndpoint = aws.String(s3URL)
			o.UsePathStyle = true
		}),
	}
}

// sharedClient keeps connections open across the tests of a process. Otherwise a test with a
// hundred goroutines would use up the machine's ports.
var sharedClient = sync.OnceValue(func() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 512, 256
	return &http.Client{Transport: transport, Timeout: time.Minute}
})

// names makes one test's tables and buckets, and keeps their names.
type names struct {
	t        testing.TB
	suffix   string
	template *template.Template
	plain    *Env // no faults
	owned    bool // the servers and their data end with this process

	mu   sync.Mutex
	made map[string]struct{}
}

// sharedTemplate reads template.yaml once in a process. Reading it takes longer than most tests.
var sharedTemplate = sync.OnceValues(func() (*template.Template, error) {
	a, err := addresses()
	if err != nil {
		return nil, err
	}
	return template.Load(a.root+"/template.yaml", template.Options{})
})

// rename returns a template whose tables and buckets have the names of this test.
func (n *names) rename(t template.Template) *template.Template {
	t.Tables, t.Buckets = slices.Clone(t.Tables), slices.Clone(t.Buckets)
	for i := range t.Tables {
		t.Tables[i].Name = n.name(t.Tables[i].LogicalID)
	}
	for i := range t.Buckets {
		t.Buckets[i].Name = n.name(t.Buckets[i].LogicalID)
	}
	return &t
}

func (n *names) name(logicalID string) string {
	return strings.ToLower(logicalID) + "-" + n.suffix
}

func (n *names) table(logicalID string, input func(template.Table) *dynamodb.CreateTableInput) string {
	n.t.Helper()
	table := n.template.Table(logicalID)
	if table == nil {
		n.t.Fatalf("template.yaml has no table %s", logicalID)
	}
	n.once(logicalID, func(ctx context.Context) error {
		db := n.plain.DynamoDB
		if _, err := db.CreateTable(ctx, input(*table)); err != nil {
			return err
		}
		if ttl := table.TTLInput(); ttl != nil {
			_, err := db.UpdateTimeToLive(ctx, ttl)
			return err
		}
		return nil
	})
	return table.Name
}

func (n *names) bucket(logicalID string) string {
	n.t.Helper()
	for _, b := range n.template.Buckets {
		if b.LogicalID == logicalID {
			n.once(logicalID, func(ctx context.Context) error {
				_, err := n.plain.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(b.Name)})
				return err
			})
			return b.Name
		}
	}
	n.t.Fatalf("template.yaml has no bucket %s", logicalID)
	return ""
}

func (n *names) once(logicalID string, create func(context.Context) error) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.made[logicalID]; ok {
		return
	}
	if err := create(context.Background()); err != nil {
		n.t.Fatalf("make %s: %v", logicalID, err)
	}
	n.made[logicalID] = struct{}{}
}

// remove deletes the test's tables and buckets from servers that are not ours.
func (n *names) remove() {
	if n.owned {
		return
	}
	ctx := context.Background()
	n.mu.Lock()
	defer n.mu.Unlock()
	for id := range n.made {
		if table := n.template.Table(id); table != nil {
			_, _ = n.plain.DynamoDB.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String(table.Name)})
			continue
		}
		n.empty(ctx, n.name(id))
	}
}

func (n *names) empty(ctx context.Context, bucket string) {
	pages := s3.NewListObjectsV2Paginator(n.plain.S3, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return
		}
		for _, object := range page.Contents {
			_, _ = n.plain.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: object.Key})
		}
	}
	_, _ = n.plain.S3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(bucket)})
}
