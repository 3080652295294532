// Package delivery keeps what VCS hosts deliver to the webhooks: stored before
// it is acknowledged, processed in the order of its arrival, and kept with its
// outcome for an operator to see. Its invariants: a delivery is stored once,
// however often the host sends it; one that was stored is processed until it
// is done, or is parked with its error and tried again; no delivery waits for
// another that is parked, and what is due of an installation takes turns with
// what is due of others, among the first Seen of a partition of the index; and one
// that is received or parked is in that index, so that none can be forgotten.
package delivery

import (
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// State is how far a delivery has come.
type State string

// The states. A delivery begins as Received.
const (
	// Received deliveries wait for the worker, or are being processed.
	Received State = "received"
	// Done deliveries have had their effect.
	Done State = "done"
	// Ignored deliveries are of no concern to the server.
	Ignored State = "ignored"
	// Parked deliveries have failed. They are tried again when NextTry has
	// come; without one they are stuck: only an operator, or the host that sends them
	// again, has them tried again.
	Parked State = "parked"
	// Dismissed deliveries have failed, and nobody is to try them again: an operator
	// has said so, or their installation has MaxStuck others.
	Dismissed State = "dismissed"
)

// States lists them.
var States = []State{Received, Done, Ignored, Parked, Dismissed}

// Delivery is one delivery of a host, without its body.
type Delivery struct {
	// ID is what ID makes of the host's id of the delivery, 1 to MaxID bytes: the
	// same when the host sends it again.
	ID string
	// Event is the host's name of the event, such as "pull_request" or "Push
	// Hook"; Action is what happened, where the event says so.
	Event, Action string
	// Installation is whom the delivery is for. Its VCS is always set; its ID is
	// empty where the delivery names none.
	Installation vcs.Installation
	// Repository is what the delivery is about; empty where it names none.
	Repository vcs.ID
	// ReceivedAt is when it arrived, to the millisecond.
	ReceivedAt time.Time
	// State is how far it has come.
	State State
	// Tries counts how often the worker began it since it arrived or was
	// redelivered; Begun, how often since a try of it ended last. So above 1,
	// Begun tells of tries that the worker did not survive, or had no time for.
	Tries, Begun int
	// Applied is how many of the facts that it tells were kept by earlier tries,
	// from the first on; 0 where its list of facts is short.
	Applied int
	// Problem is why the last try failed, why it was ignored, or what was done instead
	// of it or left out of it, for operators.
	Problem string
	// Timeless says, to Accept alone, that what the body tells has no time of the
	// host's. Repeated says of such a one that the same body had come before, under
	// another id: it may be a copy that somebody sends.
	Timeless, Repeated bool
	// ProcessedAt is when the last try ended, whole seconds.
	ProcessedAt time.Time
	// NextTry is when a parked one is tried again, to the millisecond; zero if
	// it is not.
	NextTry time.Time

	parts       int   // of the body
	redelivered int64 // how often: tries of another life have no say
}

// ID is the id of a delivery: the installation that it is for, or "none", a dot,
// and the host's id. A host's own id is not enough: GitHub sends an event
// under one id to each webhook that asks for it, to that of a repository, which
// names no installation, and to the App's. And whoever owns a GitLab group could
// take an id before another group's delivery comes with it.
func ID(installation vcs.ID, host string) string { return hook(installation) + "." + host }

// hook names an installation, or that there is none.
func hook(installation vcs.ID) string {
	if installation == "" {
		return "none"
	}
	return string(installation)
}

// Redelivered is how often it was processed anew: because an operator said so, the
// host sent it again when it was stuck or dismissed, or to go on with a list that
// is too long for one try.
func (d Delivery) Redelivered() int64 { return d.redelivered }

// Limits.
const (
	// MaxID is the length of an id, in bytes. GitHub and GitLab send UUIDs; what
	// ID writes before them counts.
	MaxID = 96
	// MaxBody is how many bytes of a compressed body are kept: a transaction of
	// DynamoDB has 4 MB ("Service, account, and table quotas", AWS
	// documentation).
	MaxBody = 3_500_000
	// MaxTries is how often a delivery is tried before only an operator, or the host
	// that sends it again, can have it tried again.
	MaxTries = 20
	// MaxRedelivered is how often a delivery has been Redelivered from which on the
	// host has it tried no more by sending it again: only an operator does. So who
	// sends one again and again does not keep the alarm on that tells of it.
	MaxRedelivered = 10
	// Keep is how long a delivery is kept, and how long one that comes again is
	// recognised. GitHub lets a delivery be sent again for three days.
	Keep = 30 * 24 * time.Hour
	// Remember is how long the body of a Timeless delivery is recognised. It is much
	// longer than a delivery is kept: who has a copy may wait.
	Remember = 400 * 24 * time.Hour
	// Lease is how long a delivery that has arrived, or was begun, is left to
	// whoever was woken by it before it is due: much longer than a worker lives.
	Lease = 10 * time.Minute
)

// partSize is how much of a body an item holds, below DynamoDB's 400 KB.
const partSize = 350_000

// Key finds a delivery's item: it lies in the lane of its installation, in
// the order of arrival.
type Key struct {
	// Lane is "<vcs>#<installation>", with "-" for no installation.
	Lane string
	// Place sorts within the lane: the time of arrival and the id.
	Place string
}

// Key returns where the delivery is kept.
func (d Delivery) Key() Key {
	return Key{Lane: Lane(d.Installation), Place: millis(d.ReceivedAt) + "#" + d.ID}
}

// noInstallation stands in a lane in place of an id.
const noInstallation = "-"

// Lane returns the lane of an installation. That of one without an id has the
// deliveries that name no installation.
func Lane(i vcs.Installation) string {
	if i.ID == "" {
		i.ID = noInstallation
	}
	return string(i.VCS) + "#" + string(i.ID)
}
