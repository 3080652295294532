package output

import (
	"time"

	"github.com/opsplane/opsplane/shared/run/runquery"
)

// row is a step as a query sees it.
type row struct{ found }

var _ runquery.Row = row{}

// Texts implements runquery.Row.
func (r row) Texts(key string) []string {
	text := ""
	switch key {
	case "step":
		text = r.Name
	case "state":
		text = state(r.Success)
	case "scope":
		text = r.Type
	case "dir":
		text = r.Dir
	case "workspace":
		text = r.Workspace
	case "flow":
		text = r.Flow
	case "subflow":
		text = r.Subflow
	}
	if text == "" {
		return nil
	}
	return []string{text}
}

// Number implements runquery.Row.
func (r row) Number(key string) (int64, bool) { return int64(r.idx), key == "idx" }

// Time implements runquery.Row. A step has no time of its own.
func (row) Time(string) (time.Time, bool) { return time.Time{}, false }

// Flag implements runquery.Row.
func (r row) Flag(key string) (value, ok bool) { return r.Ignore, key == "ignore_errors" }
