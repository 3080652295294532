package runindex

// Limited returns the index with pages that end after a few rows, runs, dirspaces or
// bytes.
func (x Index) Limited(rows, runs, dirspaces, bytes int) Index {
	x.limits = limits{rows, runs, dirspaces, bytes}
	return x
}
