package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
)

// recorder keeps what the log line needs from a response.
type recorder struct {
	http.ResponseWriter
	status  int
	call    Call
	gateway string           // the gateway's id of the request
	target  vcs.Installation // as the path names it
	err     error
	pageErr error // why the failure was not sent as the route's error page
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// metrics are the attributes of the log line that become CloudWatch metrics.
var metrics = []telemetry.Metric{
	{Name: "duration_ms", Unit: "Milliseconds"},
	{Name: "refused", Unit: "Count"},
	{Name: "failed", Unit: "Count"},
}

// logRequest writes the one log line of a request. The line holds no header, query,
// path variable or body, because those may contain secrets and customers' values.
// For a refused request it says why, and it names the installation: see
// access.Refusal. The caller can choose the gateway's id of the request. The line
// holds that id because the caller sees it, and the gateway logs it.
func logRequest(log *slog.Logger, r *http.Request, rec *recorder, start, end time.Time) {
	attrs := []slog.Attr{
		slog.String("request_id", rec.call.Request),
		slog.String("gateway_request_id", rec.gateway),
		slog.String("principal", rec.call.Caller.User),
		slog.String("credential", rec.call.Caller.Key),
		slog.String("route", r.Pattern),
		slog.Int("status", rec.status),
		slog.Float64("duration_ms", float64(end.Sub(start).Microseconds())/1000),
		slog.Int("refused", flag(rec.status == http.StatusForbidden)),
		slog.Int("failed", flag(rec.status >= http.StatusInternalServerError)),
		telemetry.Metrics(end, metrics...),
	}
	level := slog.LevelInfo
	if refused := (*access.Refusal)(nil); errors.As(rec.err, &refused) {
		attrs = append(attrs, refused.Attrs(rec.target)...)
	}
	var f *fault.Error
	switch {
	case errors.As(rec.err, &f):
		attrs = append(attrs, slog.String("fault", f.ID))
		// A Busy fault is not the caller's fault, and its cause holds nothing of
		// the request.
		if caused := rec.err != error(f); caused && (f.Kind == fault.Busy || f.LogCause) {
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", rec.err.Error()))
		}
	case rec.err != nil:
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", rec.err.Error()))
	}
	if rec.pageErr != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error_page", rec.pageErr.Error()))
	}
	log.LogAttrs(r.Context(), level, "request", attrs...)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
