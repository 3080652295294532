// Package telemetry defines what functions report about themselves: JSON log lines,
// some of which are also metrics. Its invariant: the function is the only dimension
// of a metric, because each further combination is billed as a separate metric.
package telemetry

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// namespace is the CloudWatch namespace of the metrics.
const namespace = "Opsplane"

// Metric describes an attribute of a log line that is a metric.
type Metric struct {
	// Name is the attribute's name.
	Name string `json:"Name"`
	// Unit is CloudWatch's name of the unit, such as "Count".
	Unit string `json:"Unit"`
}

// Logger returns the JSON logger of a function. It writes to standard error, which
// Lambda collects.
func Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("function", os.Getenv("AWS_LAMBDA_FUNCTION_NAME"))
}

// Invocation returns the id of the function's invocation, which is unique. It is
// empty outside of Lambda.
func Invocation(ctx context.Context) string {
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		return invocation.AwsRequestID
	}
	return ""
}

// Metrics returns the attribute from which CloudWatch makes metrics of other
// attributes of the same line (CloudWatch embedded metric format specification).
func Metrics(at time.Time, metrics ...Metric) slog.Attr {
	return slog.Any("_aws", embedded{
		CloudWatchMetrics: []directive{{Dimensions: [][]string{{"function"}}, Metrics: metrics, Namespace: namespace}},
		Timestamp:         at.UnixMilli(),
	})
}

// embedded and directive have the members of the embedded metric format. A log line
// is written for every request, and a map takes longer to write as JSON.
type embedded struct {
	CloudWatchMetrics []directive `json:"CloudWatchMetrics"`
	Timestamp         int64       `json:"Timestamp"` // Unix milliseconds
}

type directive struct {
	Dimensions [][]string `json:"Dimensions"`
	Metrics    []Metric   `json:"Metrics"`
	Namespace  string     `json:"Namespace"`
}
