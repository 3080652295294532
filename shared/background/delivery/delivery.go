// Package delivery keeps what VCS hosts deliver to the webhooks. A delivery is
// stored before it is acknowledged, and processed in the order of arrival. It is
// kept with its outcome, so that an operator can see it. The invariants of the
// package:
//
//   - A delivery is stored once, however often the host sends it.
//   - A stored delivery is processed until it is done. If a try fails, it is parked
//     with its error and tried again.
//   - No delivery waits for another that is parked.
//   - The due deliveries of installations take turns, among the first queue.Seen of
//     a list of the index.
//   - A delivery that is received or parked is in that index, so that none is
//     forgotten.
package delivery

import (
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// State is the state of a delivery's processing.
type State string

// The states. A delivery begins as Received.
const (
	// Received deliveries wait for the worker, or are being processed.
	Received State = "received"
	// Done deliveries are processed completely.
	Done State = "done"
	// Ignored deliveries are of events that this server does not use.
	Ignored State = "ignored"
	// Parked deliveries have failed. They are tried again at NextTry. Without
	// NextTry they are stuck: they are tried again only if an operator says so, or
	// if the host sends them again.
	Parked State = "parked"
	// Dismissed deliveries have failed and are not to be tried again: an operator
	// has dismissed them, or their installation already had MaxStuck others.
	Dismissed State = "dismissed"
)

// States lists all states.
var States = []State{Received, Done, Ignored, Parked, Dismissed}

// Delivery is one delivery of a host, without its body.
type Delivery struct {
	// ID is the result of function ID for the host's id of the delivery: 1 to MaxID
	// bytes. It is the same when the host sends the delivery again.
	ID string
	// Event is the host's name of the event, such as "pull_request" or "Push Hook".
	// Action is what happened, if the event states it.
	Event, Action string
	// Installation is the installation that the delivery is for. Its VCS is always
	// set. Its ID is empty if the delivery names none.
	Installation vcs.Installation
	// Repository is the repository that the delivery is about. It is empty if the
	// delivery names none.
	Repository vcs.ID
	// ReceivedAt is the time of arrival, to the millisecond.
	ReceivedAt time.Time
	// State is the state of its processing.
	State State
	// Tries counts how often the worker began the delivery since it arrived or was
	// redelivered. Begun counts how often the worker began it since a try last
	// ended. So if Begun is above 1, the worker was killed during earlier tries, or
	// had no time for them.
	Tries, Begun int
	// Applied is how many of its facts earlier tries have stored, counted from the
	// first fact. It is 0 if the delivery has few facts.
	Applied int
	// Problem says, for operators, why the last try failed or why the delivery was
	// ignored. If it was processed in another way, or in part, Problem says what
	// was done or left out.
	Problem string
	// Timeless says that what the body states has no time of the host. Only Accept
	// uses it. Repeated says that the same body of a Timeless delivery had arrived
	// before, under another id. So it may be a copy that somebody sends.
	Timeless, Repeated bool
	// ProcessedAt is the time at which the last try ended, in whole seconds.
	ProcessedAt time.Time
	// NextTry is the time at which a parked delivery is tried again, to the
	// millisecond. It is zero if it is not tried again.
	NextTry time.Time

	parts       int   // number of parts of the body
	redelivered int64 // how often; a try that began before the last redelivery is ignored
}

// ID returns the id of a delivery: the installation that it is for, or "none", a
// dot, and the host's id. The host's own id does not identify a delivery, for two reasons. GitHub
// sends an event under one id to each webhook that subscribes to it: to a
// repository's webhook, which names no installation, and to the App's. And the
// owner of a GitLab group could use an id before another group's delivery arrives
// with it.
func ID(installation vcs.ID, host string) string { return hook(installation) + "." + host }

// hook returns the text of an installation's id, or "none" if there is none.
func hook(installation vcs.ID) string {
	if installation == "" {
		return "none"
	}
	return string(installation)
}

// Redelivered returns how often the processing of the delivery began anew: because
// an operator redelivered it, because the host sent it again when it was stuck or
// dismissed, or because its list of facts is too long for one try.
func (d Delivery) Redelivered() int64 { return d.redelivered }

// Limits.
const (
	// MaxID is the maximum length of an id, in bytes. GitHub and GitLab send UUIDs.
	// The text that ID writes before them counts, too.
	MaxID = 96
	// MaxBody is the maximum size of a compressed body, in bytes. A transaction of
	// DynamoDB has at most 4 MB ("Service, account, and table quotas", AWS
	// documentation).
	MaxBody = 3_500_000
	// MaxTries is how often a delivery is tried. Then it is tried again only if an
	// operator says so, or if the host sends it again.
	MaxTries = 20
	// MaxRedelivered is how often a host can cause new tries of a delivery by
	// sending it again. After that only an operator can. So nobody can keep an
	// alarm on by sending the same delivery again and again.
	MaxRedelivered = 10
	// Keep is how long a delivery is kept. For that time a second copy of it is
	// recognised. GitHub allows a delivery to be sent again for three days.
	Keep = 30 * 24 * time.Hour
	// Remember is how long the body of a Timeless delivery is recognised. It is
	// much longer than Keep, because somebody who has a copy may wait.
	Remember = 400 * 24 * time.Hour
	// Lease is the time before a delivery that has arrived, or was begun, is due.
	// Until then it is left to the worker that was woken by it. It is much longer
	// than an invocation of the worker.
	Lease = 10 * time.Minute
)

// partSize is how much of a body one item holds, in bytes. It is below DynamoDB's
// limit of 400 KB.
const partSize = 350_000

// Key is the key of a delivery's item. The item is in the lane of its installation,
// in the order of arrival.
type Key struct {
	// Lane is "<vcs>#<installation>", with "-" for no installation.
	Lane string
	// Place sorts within the lane: the time of arrival and the id.
	Place string
}

// Key returns the key of the delivery's item.
func (d Delivery) Key() Key {
	return Key{Lane: Lane(d.Installation), Place: millis(d.ReceivedAt) + "#" + d.ID}
}

// noInstallation is used in a lane in place of an id.
const noInstallation = "-"

// Lane returns the lane of an installation. If the installation has no id, it is
// the lane of the deliveries that name no installation.
func Lane(i vcs.Installation) string {
	if i.ID == "" {
		i.ID = noInstallation
	}
	return string(i.VCS) + "#" + string(i.ID)
}
