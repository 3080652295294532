// Package frame holds what every function that runs in the background needs around
// its work: time reserved before the invocation's deadline, a guard against panics,
// and the log line that says what an invocation did. Functions of the API use it for
// the reserve.
package frame

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/opsplane/opsplane/shared/telemetry"
)

// KeepBack returns a context that ends earlier than ctx, by a reserve. In the
// reserve, the function gives back the work that it has not done and writes its log
// line, before Lambda kills it at the deadline. If ctx has no deadline, the result
// has none.
func KeepBack(ctx context.Context, reserve time.Duration) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-reserve))
}

// Guard is for defer. It turns a panic into an error with the stack. So a panic in
// one piece of work does not end the others of the invocation. err is the
// function's named result.
func Guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// Count is a number that an invocation reports.
type Count struct {
	// Name is the name of the attribute in the log line.
	Name string
	// Unit is CloudWatch's name of the unit, such as "Count". Then the number is a
	// metric too. If Unit is empty, only the log line has the number, because each
	// metric costs money.
	Unit  string
	Value int64
}

// Units of metrics, as CloudWatch names them.
const (
	Things       = "Count"
	Milliseconds = "Milliseconds"
	Bytes        = "Bytes"
)

// Line is the log line of an invocation.
type Line struct {
	// Message says which work the function does, such as "tasks".
	Message string
	// Request is the id of the invocation. If it is empty, the id in ctx is used.
	Request string
	// Counts say what the invocation did, in the order of the line.
	Counts []Count
	// Details are other attributes.
	Details []slog.Attr
	// Quiet says that no line is written if there is no error and all counts except
	// those of time are 0: most invocations of a schedule find nothing to do.
	Quiet bool
}

// Write writes the line, as an error if err is not nil. at is the time of its
// metrics.
func (l Line) Write(ctx context.Context, log *slog.Logger, at time.Time, err error) {
	if l.Quiet && err == nil && l.empty() {
		return
	}
	if l.Request == "" {
		l.Request = telemetry.Invocation(ctx)
	}
	attrs := make([]slog.Attr, 0, len(l.Counts)+len(l.Details)+3)
	var metrics []telemetry.Metric
	for _, c := range l.Counts {
		attrs = append(attrs, slog.Int64(c.Name, c.Value))
		if c.Unit != "" {
			metrics = append(metrics, telemetry.Metric{Name: c.Name, Unit: c.Unit})
		}
	}
	attrs = append(attrs, slog.String("request_id", l.Request))
	attrs = append(attrs, l.Details...)
	attrs = append(attrs, telemetry.Metrics(at, metrics...))
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	log.LogAttrs(ctx, level, l.Message, attrs...)
}

// empty reports whether nothing was done.
func (l Line) empty() bool {
	for _, c := range l.Counts {
		if c.Value != 0 && c.Unit != Milliseconds {
			return false
		}
	}
	return true
}
