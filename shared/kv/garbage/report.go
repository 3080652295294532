package garbage

import "github.com/opsplane/opsplane/shared/background/frame"

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

// Counts are the numbers of a report for a log line. Each metric is paid for, so
// only what waits and what was removed are metrics.
func (r Report) Counts() []frame.Count {
	return []frame.Count{
		{Name: "namespaces", Value: int64(r.Namespaces)},
		{Name: "waiting", Unit: frame.Things, Value: int64(r.Waiting)},
		{Name: "generations", Value: int64(r.Generations)},
		{Name: "rows", Value: int64(r.Rows)},
		{Name: "uploads_expired", Value: int64(r.UploadsExpired)},
		{Name: "uploads_discarded", Value: int64(r.UploadsDiscarded)},
		{Name: "files_released", Value: int64(r.FilesReleased)},
		{Name: "objects", Value: int64(r.Objects)},
		{Name: "named", Value: int64(r.Named)},
		{Name: "foreign", Value: int64(r.Foreign)},
		{Name: "resting", Value: int64(r.Resting)},
		{Name: "removed", Unit: frame.Things, Value: int64(r.Removed)},
		{Name: "bytes", Unit: frame.Bytes, Value: r.Bytes},
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
