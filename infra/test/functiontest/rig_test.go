package functiontest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/template"
)

// recorder is a test that keeps the failure that ends it.
type recorder struct {
	testing.TB
	failed string
}

// Fatalf keeps the text and ends the goroutine, as a test does.
func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestStreamCountsTheRecordsBeforeTheFirstThatFailed(t *testing.T) {
	t.Parallel()
	records := make([]events.DynamoDBEventRecord, 3)
	for i := range records {
		records[i] = events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{SequenceNumber: fmt.Sprint(i)}}
	}
	failing := func(ids ...string) func(context.Context, events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
		return func(_ context.Context, got events.DynamoDBEvent) (response events.DynamoDBEventResponse, err error) {
			if len(got.Records) != len(records) || got.Records[2].Change.SequenceNumber != "2" || got.Records[0].EventName != "INSERT" {
				return response, fmt.Errorf("got %+v", got)
			}
			for _, id := range ids {
				response.BatchItemFailures = append(response.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: id})
			}
			return response, nil
		}
	}
	for name, c := range map[string]struct {
		handler any
		done    int
		failure string // what the test fails with
	}{
		"all":                    {failing(), 3, ""},
		"none":                   {failing("0"), 0, ""},
		"two, and more failed":   {failing("2", "0"), 2, ""},
		"without a response":     {func(events.DynamoDBEvent) error { return nil }, 3, ""},
		"an error":               {func() error { return errors.New("table on fire") }, 0, "table on fire"},
		"a record not given":     {failing("7"), 0, `"7"`},
		"a response of no batch": {func() (string, error) { return "x", nil }, 0, "want the response to a stream"},
	} {
		seen := &recorder{TB: t}
		done := 0
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			done = Stream(t.Context(), seen, c.handler, records...)
		}()
		<-ended
		if c.failure == "" && (done != c.done || seen.failed != "") || c.failure != "" && !strings.Contains(seen.failed, c.failure) {
			t.Errorf("%s: got %d and the failure %q, want %d and %q", name, done, seen.failed, c.done, c.failure)
		}
	}
}

// TestEveryFunctionIsTestedUnderItsRole looks for a rig of each function of the template in the
// tests of its folder.
func TestEveryFunctionIsTestedUnderItsRole(t *testing.T) {
	t.Parallel()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := template.Load(filepath.Join(root, "template.yaml"), template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range loaded.Functions {
		files, err := filepath.Glob(filepath.Join(root, "functions", f.Group, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(content)
		}
		for _, want := range []string{`functiontest\.(New|On)\(`, `"` + f.LogicalID + `"`, `\.Role\b`} {
			if !regexp.MustCompile(want).MatchString(text.String()) {
				t.Errorf("the tests of functions/%s have no %s: make a rig of the function with functiontest", f.Group, want)
			}
		}
	}
}
