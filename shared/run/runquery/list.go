package runquery

// Kind is how a key is compared.
type Kind int

// The kinds of keys. The zero Kind is that of a key that a list does not know.
const (
	_ Kind = iota
	// Text is one text that may be absent. "key:value" compares it exactly, or, if
	// Prefixes has the key and the value ends in "*", with what stands before it.
	// "key:" matches an absent or empty text.
	Text
	// Many is any number of texts, of which one must be equal.
	Many
	// State is one of the texts in states. Another one is refused.
	State
	// RunState is one of the texts in runStates. Another one is refused.
	RunState
	// Standing is any number of the texts in standings, of which one must be equal.
	// Another one is refused.
	Standing
	// UUID is a UUID in its text form.
	UUID
	// Number is a whole number that may be absent.
	Number
	// Flag is written bare: "destroys".
	Flag
	// Time is an interval of dates (see date.go).
	Time
	// Duration is an interval of durations, such as "10m..1h30m".
	Duration
)

// List says which keys the query of a list has.
type List map[string]Kind

// common are the keys of runs and dirspaces.
func common(own List) List {
	l := List{
		"id": UUID, "repo": Text, "branch": Text, "pr": Number, "user": Text, "type": Many, "kind": Many, "environment": Text,
		"created_at": Time, "has_changes": Flag, "destroys": Flag, "duration": Duration,
	}
	for key, kind := range own {
		l[key] = kind
	}
	return l
}

// The lists that take a query.
var (
	Runs      = common(List{"state": RunState, "dir": Many, "workspace": Many})
	Dirspaces = common(List{"state": State, "dir": Text, "workspace": Text})
	Outputs   = List{
		"step": Text, "state": Text, "idx": Number, "scope": Many, "dir": Many, "workspace": Many, "flow": Many, "subflow": Many,
		"ignore_errors": Flag,
	}
	Workspaces = List{
		"repo": Text, "dir": Text, "workspace": Text, "state": Standing, "pr": Number, "destroys": Flag, "planned_at": Time, "applied_at": Time,
	}
)

// prefixes are the keys whose value may end in "*".
var prefixes = map[string]bool{"repo": true, "branch": true, "dir": true, "user": true}

// states are the states of a dirspace, with the name that a row has.
var states = map[string]string{
	"success": "success", "failure": "failure", "running": "running", "queued": "queued", "pending": "queued", "aborted": "aborted",
}

// runStates are the states of a run. The contract lets another text match nothing; it is
// refused here, because whoever writes one takes the empty list for an answer.
var runStates = []string{"queued", "running", "completed", "aborted"}

// standings are the states of what stands in a dirspace.
var standings = []string{"waiting", "drift", "plan_failed", "apply_failed", "clean"}
