package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/kv/garbage"
	"github.com/opsplane/opsplane/shared/telemetry"
)

// reserve is the part of its time that an invocation keeps back. In that time it
// ends its present step and writes its log line.
const reserve = 20 * time.Second

// principal is recorded in the items that the collector changes.
const principal = "collector"

type collector struct {
	run func(context.Context, change.Author) (garbage.Report, error)
	log *slog.Logger
	now func() time.Time
}

// errFailed is the only error that an invoker receives. The log has the reason.
var errFailed = errors.New("a part of the garbage could not be collected; the function's log says why")

// handle collects once. The report goes to the invoker and, with metrics, in one
// line to the log. If something fails, handle returns an error, so that Lambda
// counts it. The next run continues where this one failed.
func (c collector) handle(ctx context.Context, _ json.RawMessage) (garbage.Report, error) {
	ctx, cancel := frame.KeepBack(ctx, reserve)
	defer cancel()
	start := c.now()
	author := change.Author{Principal: principal, Request: telemetry.Invocation(ctx), At: start}
	report, err := c.run(ctx, author)
	end := c.now()
	frame.Line{
		Message: "collect", Counts: report.Counts(),
		Details: []slog.Attr{slog.Float64("duration_ms", float64(end.Sub(start).Microseconds())/1000)},
	}.Write(ctx, c.log, end, err)
	if err != nil {
		err = errFailed
	}
	return report, err
}
