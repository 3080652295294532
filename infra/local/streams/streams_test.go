//go:build unix

package streams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/template"
)

type record struct {
	EventName, EventSource, EventID string
	Dynamodb                        struct {
		Keys, NewImage, OldImage map[string]map[string]any
		SequenceNumber           string
	}
}

// function records the events that it receives, and returns what a test defines.
type function struct {
	answer func(call int, records []record) (string, error)

	mu    sync.Mutex
	calls int
	done  []record // of invocations without an error
}

func (f *function) Invoke(_ context.Context, event []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var e struct{ Records []record }
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	f.calls++
	text := ""
	if f.answer != nil {
		var err error
		if text, err = f.answer(f.calls, e.Records); err != nil {
			return nil, err
		}
	}
	f.done = append(f.done, e.Records...)
	return []byte(text), nil
}

func (f *function) await(t *testing.T, n int) []record {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		done := slices.Clone(f.done)
		f.mu.Unlock()
		if len(done) >= n {
			return done
		}
	}
	t.Fatalf("%d changes arrived, want %d", len(f.done), n)
	return nil
}

func newSource(t *testing.T, env *storagetest.Env, f *function, stream template.Stream) *Source {
	t.Helper()
	stream.Name, stream.Table = "Changes", "OperationsTable"
	if stream.BatchSize == 0 {
		stream.BatchSize = 10
	}
	return &Source{
		Stream: stream, TableName: env.StreamedTable("OperationsTable"), FunctionName: "F", Function: f, DynamoDB: env.DynamoDB,
		Streams: dynamodbstreams.NewFromConfig(env.Config, func(o *dynamodbstreams.Options) { o.BaseEndpoint = aws.String(env.DynamoDBURL) }),
		Dir:     t.TempDir(), Report: func(string) {},
	}
}

// start runs a source and returns a function that stops it.
func start(t *testing.T, s *Source) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(done)
	}()
	return func() {
		cancel()
		<-done
	}
}

func put(t *testing.T, env *storagetest.Env, n int) {
	t.Helper()
	_, err := env.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(env.StreamedTable("OperationsTable")), Item: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberS{Value: strconv.Itoa(n)},
		"n": &types.AttributeValueMemberN{Value: strconv.Itoa(n)}, "b": &types.AttributeValueMemberB{Value: []byte{255}},
		"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberBOOL{Value: true}, &types.AttributeValueMemberNULL{Value: true}}},
		"m": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"s": &types.AttributeValueMemberSS{Value: []string{"x"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func keys(records []record) []string {
	var list []string
	for _, r := range records {
		list = append(list, r.Dynamodb.Keys["sk"]["S"].(string))
	}
	return list
}

func TestChangesArriveInOrderWithBothImages(t *testing.T) {
	t.Parallel()
	env, f := storagetest.New(t), &function{}
	s := newSource(t, env, f, template.Stream{StartAtTrimHorizon: true, BatchSize: 3})
	for n := range 7 {
		put(t, env, n)
	}
	stop := start(t, s)
	got := f.await(t, 7)
	stop()
	if want := []string{"0", "1", "2", "3", "4", "5", "6"}; !slices.Equal(keys(got), want) {
		t.Errorf("order: got %v, want %v", keys(got), want)
	}
	r := got[3]
	image, _ := json.Marshal(r.Dynamodb.NewImage)
	want := `{"b":{"B":"/w=="},"l":{"L":[{"BOOL":true},{"NULL":true}]},"m":{"M":{"s":{"SS":["x"]}}},"n":{"N":"3"},"pk":{"S":"p"},"sk":{"S":"3"}}`
	if r.EventName != "INSERT" || r.EventSource != "aws:dynamodb" || r.EventID == "" || string(image) != want || r.Dynamodb.OldImage != nil {
		t.Errorf("record: got %+v, image %s", r, image)
	}
}

func TestRestartGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	env, f := storagetest.New(t), &function{}
	s := newSource(t, env, f, template.Stream{StartAtTrimHorizon: true})
	put(t, env, 1)
	stop := start(t, s)
	f.await(t, 1)
	// The position is written after the function has ended, so wait for it.
	for {
		if _, err := os.Stat(filepath.Join(s.Dir, "F-Changes.json")); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	put(t, env, 2)
	again := newSource(t, env, f, template.Stream{StartAtTrimHorizon: true})
	again.Dir = s.Dir
	stop = start(t, again)
	got := f.await(t, 2)
	stop()
	if want := []string{"1", "2"}; !slices.Equal(keys(got), want) {
		t.Errorf("got %v, want %v", keys(got), want)
	}
}

func TestFailingBatchIsTriedAgain(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	f := &function{answer: func(call int, _ []record) (string, error) {
		if call < 3 {
			return "", errors.New("no")
		}
		return "", nil
	}}
	put(t, env, 1)
	stop := start(t, newSource(t, env, f, template.Stream{StartAtTrimHorizon: true, MaximumRetryAttempts: -1}))
	f.await(t, 1)
	stop()
	if f.calls != 3 {
		t.Errorf("invocations: got %d, want 3", f.calls)
	}
}

func TestPoisonIsIsolatedAndGivenUp(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	f := &function{answer: func(_ int, records []record) (string, error) {
		if slices.Contains(keys(records), "2") {
			return "", errors.New("poison")
		}
		return "", nil
	}}
	for n := range 5 {
		put(t, env, n)
	}
	stop := start(t, newSource(t, env, f, template.Stream{StartAtTrimHorizon: true, BisectOnError: true, MaximumRetryAttempts: 1}))
	got := f.await(t, 4)
	stop()
	if want := []string{"0", "1", "3", "4"}; !slices.Equal(keys(got), want) {
		t.Errorf("got %v, want %v", keys(got), want)
	}
}

func TestReportedFailureStopsTheBatchThere(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	var seen [][]string
	f := &function{answer: func(call int, records []record) (string, error) {
		seen = append(seen, keys(records))
		if call == 1 {
			return fmt.Sprintf(`{"batchItemFailures": [{"itemIdentifier": %q}]}`, records[1].Dynamodb.SequenceNumber), nil
		}
		return `{"batchItemFailures": []}`, nil
	}}
	for n := range 3 {
		put(t, env, n)
	}
	stop := start(t, newSource(t, env, f, template.Stream{StartAtTrimHorizon: true, ReportsBatchFailures: true, MaximumRetryAttempts: -1}))
	f.await(t, 5)
	stop()
	if len(seen) != 2 || !slices.Equal(seen[1], []string{"1", "2"}) {
		t.Errorf("batches: got %v, want the second to begin at the failure", seen)
	}
}

func TestShardsAreListedOnceWhileNoneEnds(t *testing.T) {
	t.Parallel()
	env, f := storagetest.New(t), &function{}
	var faults storagetest.Faults
	s := newSource(t, env, f, template.Stream{StartAtTrimHorizon: true, BatchSize: 1})
	s.Streams = dynamodbstreams.NewFromConfig(env.WithFaults(&faults).Config, func(o *dynamodbstreams.Options) { o.BaseEndpoint = aws.String(env.DynamoDBURL) })
	const batches = 4
	for n := range batches {
		put(t, env, n)
	}
	stop := start(t, s)
	f.await(t, batches)
	stop()
	if n := faults.Calls("GetRecords"); n < batches {
		t.Errorf("records were read %d times, want at least %d", n, batches)
	}
	if n := faults.Calls("DescribeStream"); n != 1 {
		t.Errorf("shards were listed %d times, want 1", n)
	}
}

func TestShardsAreListedAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	env, f := storagetest.New(t), &function{}
	var faults storagetest.Faults
	s := newSource(t, env, f, template.Stream{StartAtTrimHorizon: true})
	s.Streams = dynamodbstreams.NewFromConfig(env.WithFaults(&faults).Config, func(o *dynamodbstreams.Options) {
		o.BaseEndpoint, o.RetryMaxAttempts = aws.String(env.DynamoDBURL), 1
	})
	faults.Add(storagetest.Fault{Operation: "GetRecords", Nth: 1, Kind: storagetest.ServerError})
	put(t, env, 1)
	stop := start(t, s)
	f.await(t, 1)
	stop()
	if n := faults.Calls("DescribeStream"); n != 2 {
		t.Errorf("shards were listed %d times, want 2", n)
	}
}
