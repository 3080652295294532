// Package bus sends events to an event bus of Amazon EventBridge, in requests that it
// takes, and tells which events it has taken.
package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/event"
)

// Limits of a request ("PutEvents", Amazon EventBridge API Reference).
const (
	// MaxEntries is the largest number of entries.
	MaxEntries = 10
	// MaxBytes is the largest size of all entries together. Since January 2026 a bus takes
	// 1 MB. The limit before that is kept, because ten events never need more, and
	// targets and regions may still have it.
	MaxBytes = 256 << 10
	// timeBytes is what the time of an entry counts ("Calculating PutEvents event entry
	// size", Amazon EventBridge User Guide).
	timeBytes = 14
)

// Bus is an event bus.
type Bus struct {
	// Client is the client of EventBridge. It repeats requests that failed.
	Client *eventbridge.Client
	// Name is the name of the bus.
	Name string
	// Pause returns how long to wait before the n-th repetition of entries that the bus
	// did not take, from 1. Nil means a random time, twice as long each time.
	Pause func(n int) time.Duration
}

// Sending.
const (
	// maxParallel is how many requests are under way at the same time.
	maxParallel = 8
	// tries is how often entries are sent that the bus refuses for a time.
	tries = 4
)

// Send sends events, several requests at a time and in no particular order. failures has
// an element for each event: nil if the bus has taken it. An event with an error may have
// been taken all the same, if a response was lost. Send stops to begin requests when ctx
// ends: it then returns ctx's error for the rest.
func (b Bus) Send(ctx context.Context, events []event.Event) (failures []error) {
	failures = make([]error, len(events))
	var group errgroup.Group
	group.SetLimit(maxParallel)
	var r request
	flush := func() {
		full := r
		r = request{}
		if len(full.entries) > 0 {
			group.Go(func() error {
				b.send(ctx, full, failures)
				return nil
			})
		}
	}
	for i, e := range events {
		entry, size, err := b.entry(e)
		if err != nil {
			failures[i] = err
			continue
		}
		if len(r.entries) == MaxEntries || r.bytes+size > MaxBytes {
			flush()
		}
		r.entries, r.at, r.bytes = append(r.entries, entry), append(r.at, i), r.bytes+size
	}
	flush()
	_ = group.Wait() // failures has the errors
	return failures
}

// request is the entries of one request, with their positions among the events.
type request struct {
	entries []types.PutEventsRequestEntry
	at      []int
	bytes   int
}

// errTooLarge is the error of an event that no request can carry.
var errTooLarge = errors.New("the event is larger than a request may be")

func (b Bus) entry(e event.Event) (types.PutEventsRequestEntry, int, error) {
	detail, err := e.Detail()
	if err != nil {
		return types.PutEventsRequestEntry{}, 0, err
	}
	size := timeBytes + len(event.Source) + len(e.Type) + len(detail)
	if size > MaxBytes {
		return types.PutEventsRequestEntry{}, 0, fmt.Errorf("%w: %d bytes", errTooLarge, size)
	}
	return types.PutEventsRequestEntry{
		EventBusName: aws.String(b.Name), Source: aws.String(event.Source), DetailType: aws.String(string(e.Type)),
		Detail: aws.String(detail), Time: aws.Time(e.At),
	}, size, nil
}

// send sends one request, and repeats it with the entries that the bus did not take.
func (b Bus) send(ctx context.Context, r request, failures []error) {
	for n := 1; ; n++ {
		r = b.once(ctx, r, failures)
		if len(r.entries) == 0 || n == tries {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(b.pause(n)):
		}
	}
}

func (b Bus) pause(n int) time.Duration {
	if b.Pause != nil {
		return b.Pause(n)
	}
	most := 100 * time.Millisecond << (n - 1)
	return most/2 + rand.N(most)
}

// once sends one request. It returns the entries that the bus refused for a time.
func (b Bus) once(ctx context.Context, r request, failures []error) (again request) {
	fail := func(err error) {
		for _, at := range r.at {
			failures[at] = err
		}
	}
	if err := ctx.Err(); err != nil {
		fail(err)
		return request{}
	}
	out, err := b.Client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: r.entries})
	if err == nil && len(out.Entries) != len(r.entries) {
		err = fmt.Errorf("the bus has answered for %d of %d events", len(out.Entries), len(r.entries))
	}
	if err != nil { // the client has repeated what may be repeated
		fail(fmt.Errorf("send events: %w", err))
		return request{}
	}
	for i, answer := range out.Entries {
		code := aws.ToString(answer.ErrorCode)
		if failures[r.at[i]] = nil; code == "" {
			continue
		}
		failures[r.at[i]] = fmt.Errorf("the bus refuses the event: %s: %s", code, cmp.Or(aws.ToString(answer.ErrorMessage), "it says no more"))
		if passing(code) {
			again.entries, again.at = append(again.entries, r.entries[i]), append(again.at, r.at[i])
		}
	}
	return again
}

// passing reports whether the same entry may be taken a moment later ("PutEvents",
// Amazon EventBridge API Reference).
func passing(code string) bool {
	switch code {
	case "ThrottlingException", "InternalFailure", "InternalException", "ServiceUnavailable":
		return true
	default:
		return false
	}
}
