package run

import "slices"

// State is how far a run is. A state only moves forward.
type State string

// The states.
const (
	// Creating is the state of a run whose parts are still being written. Nobody
	// sees such a run.
	Creating State = "creating"
	// Queued is the state of a run that waits for its turn, or that was dispatched
	// and whose runner has not asked for its work yet.
	Queued State = "queued"
	// Running is the state of a run whose runner has its work.
	Running State = "running"
	// Completed is the state of a run whose results are stored. It does not say
	// that the run succeeded.
	Completed State = "completed"
	// Aborted is the state of a run that was ended without results. Its Reason says
	// why.
	Aborted State = "aborted"
)

// next has the legal transitions. A queued run can complete, because results count
// in each state that has not ended (runner protocol, 13.4).
var next = map[State][]State{
	Creating:  {Queued},
	Queued:    {Running, Completed, Aborted},
	Running:   {Completed, Aborted},
	Completed: nil,
	Aborted:   nil,
}

// States returns all states, in the order in which a run can pass them.
func States() []State { return []State{Creating, Queued, Running, Completed, Aborted} }

// Valid reports whether s is a state.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// CanBecome reports whether a run may pass from s directly to another state.
func (s State) CanBecome(other State) bool { return slices.Contains(next[s], other) }

// Ended reports whether the state never changes again.
func (s State) Ended() bool { return s == Completed || s == Aborted }

// Active reports whether a run in this state is queued or running.
func (s State) Active() bool { return s == Queued || s == Running }

// Visible reports whether anybody may see a run in this state.
func (s State) Visible() bool { return s.Valid() && s != Creating }
