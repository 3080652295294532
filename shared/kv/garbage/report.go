package garbage

import "github.com/opsplane/opsplane/shared/background/frame"

// Report says what a run did.
type Report struct {
	// Namespaces is the number of namespaces that were collected. Waiting is the
	// number of those that were not reached or not finished in time. The next run
	// begins with those that were not reached and ends with those that were not
	// finished.
	Namespaces int `json:"namespaces"`
	Waiting    int `json:"waiting"`
	// Generations is the number of deletes of keys that were handled. Rows is the
	// number of rows that they had left and that were removed.
	Generations int `json:"generations"`
	Rows        int `json:"rows"`
	// UploadsExpired is the number of uploads that were ended because nobody
	// completed them. UploadsDiscarded is the number of uploads that became no
	// record and have nothing left in the bucket. FilesReleased is the number of
	// artifacts whose record and object are gone. UploadsDiscarded and
	// FilesReleased free quota.
	UploadsExpired   int `json:"uploads_expired"`
	UploadsDiscarded int `json:"uploads_discarded"`
	FilesReleased    int `json:"files_released"`
	// Objects is the number of objects in the bucket. Named is the number of those
	// that a record names or that belong to an upload under way. Foreign is the
	// number of those with a name that the store does not make; they are never
	// removed.
	Objects int `json:"objects"`
	Named   int `json:"named"`
	Foreign int `json:"foreign"`
	// Resting is the number of objects that nobody names and that are kept for now.
	Resting int `json:"resting"`
	// Removed is the number of objects that were removed, and Bytes is their size.
	// Objects of discarded uploads do not count here.
	Removed int   `json:"removed"`
	Bytes   int64 `json:"bytes"`
}

// Counts returns the numbers of a report for a log line. Every metric costs money,
// so only Waiting, Removed and Bytes are metrics.
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
