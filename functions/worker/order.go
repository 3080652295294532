package main

import (
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/background/stream"
)

// pendingDelivery is a delivery that an invocation must process.
type pendingDelivery struct {
	key delivery.Key
	// repository is the id of the repository that the delivery is about. It is
	// empty if the delivery is about the whole installation, or if that is not
	// known.
	repository string
	// record is the stream's record of the delivery. It is empty if the delivery
	// was found because it was due.
	record stream.Record
}

// maxParallel is how many deliveries are processed at the same time. Two deliveries
// of one repository are not: each waits for the one before it.
const maxParallel = 8

// part returns what the delivery is about: the lane of its installation, and in it the
// part of its repository. A delivery about a whole installation may hold facts about
// any of its repositories.
func (p pendingDelivery) part() queue.LanePart {
	return queue.LanePart{Lane: p.key.Lane, Part: p.repository}
}
