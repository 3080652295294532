package bench

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// Calls measures how long AWS clients work on calls. Calls that overlap count once. So an
// operation whose writes have conditions, which cannot be made again, is compared with its own
// calls. It is safe for concurrent use.
type Calls struct {
	mu    sync.Mutex
	open  int
	since time.Time // the time since which at least one call is open
	took  time.Duration
}

// begin and end are called at the beginning and at the end of a call.
func (c *Calls) begin(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == 0 {
		c.since = at
	}
	c.open++
}

func (c *Calls) end(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.open == 0 {
		c.took += at.Sub(c.since)
	}
}

// take returns the time of the calls since the last take.
func (c *Calls) take() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := c.took
	c.took = 0
	return took
}

// WatchDynamoDB is an option of a DynamoDB client. The client's calls are then measured.
func (c *Calls) WatchDynamoDB(o *dynamodb.Options) { o.APIOptions = append(o.APIOptions, c.watch) }

// WatchS3 is an option of an S3 client. The client's calls are then measured, with the time that
// it takes to read an object.
func (c *Calls) WatchS3(o *s3.Options) { o.APIOptions = append(o.APIOptions, c.watch) }

func (c *Calls) watch(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("measure",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			c.begin(time.Now())
			out, metadata, err := next.HandleInitialize(ctx, in)
			c.end(time.Now())
			if object, ok := out.Result.(*s3.GetObjectOutput); ok && err == nil {
				object.Body = watchedBody{object.Body, c}
			}
			return out, metadata, err
		}), middleware.Before)
}

// watchedBody is the body of an object. Each read counts as a call.
type watchedBody struct {
	io.ReadCloser
	calls *Calls
}

// Read implements io.Reader.
func (w watchedBody) Read(p []byte) (int, error) {
	w.calls.begin(time.Now())
	defer func() { w.calls.end(time.Now()) }()
	return w.ReadCloser.Read(p)
}

// Operation is an operation that is measured beside its own calls.
type Operation struct {
	// Before prepares one call of Do. It is not measured. It may be nil.
	Before func() error
	// Do is the operation.
	Do func() error
	// Calls measures the clients that Do uses.
	Calls *Calls
	// Samples is how often Do is measured, after one time that is not counted.
	Samples int
	// Bytes is the amount of data that one call of Do moves, or 0.
	Bytes int64
}

// BesideCalls measures an operation and compares each time with that of the calls in it. It does
// so once, regardless of the running time that the benchmark is given.
func BesideCalls(b *testing.B, o Operation) {
	b.Helper()
	result := Result{Name: b.Name()[len("Benchmark"):], Subject: "handler", Reference: "calls", Work: 1, Bytes: o.Bytes}
	for first := true; b.Loop(); first = false {
		if !first {
			continue
		}
		var err error
		if result.Subjects, result.References, err = o.run(); err != nil {
			b.Fatal(err)
		}
	}
	Record(b, result)
}

// run takes the samples.
func (o Operation) run() (operations, calls []time.Duration, err error) {
	side := Side{Before: o.Before, Do: o.Do}
	if side.Before == nil {
		side.Before = func() error { return nil }
	}
	prepare := side.Before
	side.Before = func() error {
		err := prepare()
		o.Calls.take()
		return err
	}
	for sample := range o.Samples + 1 {
		took, err := side.time()
		if err != nil {
			return nil, nil, err
		}
		if sample > 0 {
			operations, calls = append(operations, took), append(calls, o.Calls.take())
		}
	}
	return operations, calls, nil
}
