package dispatch

import (
	"sync/atomic"

	"github.com/opsplane/opsplane/shared/background/frame"
)

// Tally counts what was done. Several goroutines may use it.
type Tally struct {
	// Started counts runs whose CI job was started. Unknown counts those of which it
	// is not known whether it was. Waiting counts runs that the host does not start
	// for now. Refused counts runs that cannot be started.
	Started, Unknown, Waiting, Refused atomic.Int64
	// Ended counts runs that the sweep has ended. Cancelled counts CI jobs that were
	// cancelled.
	Ended, Cancelled atomic.Int64
}

// Counts returns the numbers for the log line.
func (t *Tally) Counts() []frame.Count {
	return []frame.Count{
		{Name: "started", Unit: frame.Things, Value: t.Started.Load()},
		{Name: "unknown", Unit: frame.Things, Value: t.Unknown.Load()},
		{Name: "waiting", Unit: frame.Things, Value: t.Waiting.Load()},
		{Name: "refused", Unit: frame.Things, Value: t.Refused.Load()},
		{Name: "ended", Unit: frame.Things, Value: t.Ended.Load()},
		{Name: "cancelled", Value: t.Cancelled.Load()},
	}
}
