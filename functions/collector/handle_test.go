package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/garbage"
)

func TestRunIsReportedInOneLineWithMetrics(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"": nil, "table on fire": errors.New("table on fire")} {
		var log bytes.Buffer
		var by change.Author
		at := time.Unix(4_000_000_000, 0)
		c := collector{
			run: func(_ context.Context, author change.Author) (garbage.Report, error) {
				by = author
				return garbage.Report{Namespaces: 2, Removed: 3, Bytes: 40}, failure
			},
			log: slog.New(slog.NewJSONHandler(&log, nil)), now: func() time.Time { return at },
		}
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "invocation"})
		report, err := c.handle(ctx, json.RawMessage(`{"source":"aws.events"}`))
		if (err != nil) != (failure != nil) || err != nil && strings.Contains(err.Error(), "fire") {
			t.Errorf("%q: answers the error %v", name, err)
		}
		if report.Removed != 3 {
			t.Errorf("answers %+v", report)
		}
		if by.Principal != "collector" || by.Request != "invocation" || !by.At.Equal(at) {
			t.Errorf("acts as %+v", by)
		}
		var line struct {
			Msg, Error string
			Removed    int
			Metrics    struct {
				CloudWatchMetrics []struct{ Metrics []struct{ Name string } }
			} `json:"_aws"`
		}
		if err := json.Unmarshal(log.Bytes(), &line); err != nil {
			t.Fatalf("not one line of JSON: %v\n%s", err, log.String())
		}
		if line.Msg != "collect" || line.Removed != 3 || line.Error != name {
			t.Errorf("logs %s", log.String())
		}
		var attributes map[string]any
		if err := json.Unmarshal(log.Bytes(), &attributes); err != nil {
			t.Fatal(err)
		}
		metrics := line.Metrics.CloudWatchMetrics[0].Metrics
		for _, m := range metrics {
			if _, ok := attributes[m.Name].(float64); !ok {
				t.Errorf("metric %s is no number of the line", m.Name)
			}
		}
		if len(metrics) == 0 {
			t.Error("there are no metrics")
		}
	}
}

func TestRunEndsBeforeTheInvocation(t *testing.T) {
	t.Parallel()
	c := collector{
		run: func(ctx context.Context, _ change.Author) (garbage.Report, error) {
			<-ctx.Done() // at once, because less time is left than the reserve
			return garbage.Report{Waiting: 1}, nil
		},
		log: slog.New(slog.DiscardHandler), now: time.Now,
	}
	ctx, cancel := context.WithTimeout(t.Context(), reserve)
	defer cancel()
	report, err := c.handle(ctx, nil)
	if err != nil || report.Waiting != 1 || ctx.Err() != nil {
		t.Errorf("got %+v, %v; the invocation's time: %v", report, err, ctx.Err())
	}
}

func TestKeepIsANumberOfHours(t *testing.T) {
	t.Parallel()
	if got := keep("24"); got != 24*time.Hour {
		t.Errorf("got %v", got)
	}
	for _, wrong := range []string{"", "0", "-1", "x", "1.5", "99999999999999999999", "9999999"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is accepted", wrong)
				}
			}()
			keep(wrong)
		}()
	}
}
