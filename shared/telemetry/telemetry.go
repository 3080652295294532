// Package telemetry is the form of what functions tell about themselves: JSON
// log lines, some of which are metrics too. Its invariant: metrics have the
// function as their one dimension, as each further combination is billed as a
// metric of its own.
package telemetry

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// namespace is where CloudWatch shows the metrics.
const namespace = "Opsplane"

// Metric describes an attribute of a log line that is a metric.
type Metric struct {
	// Name is the attribute's name.
	Name string `json:"Name"`
	// Unit is CloudWatch's name of the unit, such as "Count".
	Unit string `json:"Unit"`
}

// Logger is the JSON logger of a function, on standard error as Lambda
// collects it.
func Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("function", os.Getenv("AWS_LAMBDA_FUNCTION_NAME"))
}

// Invocation is the id of the function's invocation, which is unique; empty
// outside of Lambda.
func Invocation(ctx context.Context) string {
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		return invocation.AwsRequestID
	}
	return ""
}

// Metrics is the attribute by which CloudWatch draws metrics from other
// attributes of the same line (CloudWatch embedded metric format
// specification).
func Metrics(at time.Time, metrics ...Metric) slog.Attr {
	return slog.Any("_aws", map[string]any{
		"Timestamp": at.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  namespace,
			"Dimensions": [][]string{{"function"}},
			"Metrics":    metrics,
		}},
	})
}
