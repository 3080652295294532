package garbage

import (
	"log/slog"

	"github.com/opsplane/opsplane/shared/telemetry"
)

// Report is what a run did.
type Report struct {
	// Namespaces is how many were collected, Waiting how many were not reached
	// or not finished before the time was over. Those come first the next time,
	// the unfinished ones last.
	Namespaces int `json:"namespaces"`
	Waiting    int `json:"waiting"`
	// Generations is how many deletes of keys were followed up, Rows how many
	// rows they had left.
	Generations int `json:"generations"`
	Rows        int `json:"rows"`
	// UploadsExpired counts uploads ended because nobody completed them.
	// UploadsDiscarded counts uploads that became no record and of which nothing is
	// left, FilesReleased artifacts whose record and object are gone; both free
	// quota.
	UploadsExpired   int `json:"uploads_expired"`
	UploadsDiscarded int `json:"uploads_discarded"`
	FilesReleased    int `json:"files_released"`
	// Objects is how many objects there were, Named how many of those are named
	// by a record or belong to an upload under way, Foreign how many have names
	// that the store does not give; those are never touched.
	Objects int `json:"objects"`
	Named   int `json:"named"`
	Foreign int `json:"foreign"`
	// Resting counts objects that nobody names and that are kept for now.
	Resting int `json:"resting"`
	// Removed counts objects that were removed, Bytes is their size; those of
	// discarded uploads are not among them.
	Removed int   `json:"removed"`
	Bytes   int64 `json:"bytes"`
}

// Metrics are the attributes of a report that CloudWatch draws. Each is paid
// for, so they are few: what waits, and what went.
var Metrics = []telemetry.Metric{
	{Name: "waiting", Unit: "Count"},
	{Name: "removed", Unit: "Count"},
	{Name: "bytes", Unit: "Bytes"},
}

// Attributes is the report as attributes of a log line.
func (r Report) Attributes() []slog.Attr {
	return []slog.Attr{
		slog.Int("namespaces", r.Namespaces), slog.Int("waiting", r.Waiting),
		slog.Int("generations", r.Generations), slog.Int("rows", r.Rows),
		slog.Int("uploads_expired", r.UploadsExpired), slog.Int("uploads_discarded", r.UploadsDiscarded), slog.Int("files_released", r.FilesReleased),
		slog.Int("objects", r.Objects), slog.Int("named", r.Named), slog.Int("foreign", r.Foreign), slog.Int("resting", r.Resting),
		slog.Int("removed", r.Removed), slog.Int64("bytes", r.Bytes),
	}
}

func (r *Report) add(p Report) {
	r.UploadsExpired += p.UploadsExpired
	r.UploadsDiscarded += p.UploadsDiscarded
	r.FilesReleased += p.FilesReleased
	r.Objects += p.Objects
	r.Named += p.Named
	r.Foreign += p.Foreign
	r.Resting += p.Resting
	r.Removed += p.Removed
	r.Bytes += p.Bytes
}
