// Package bustest stands in for Amazon EventBridge in tests and beside the local stack. It
// takes events as EventBridge does, and refuses what EventBridge refuses ("PutEvents", Amazon
// EventBridge API Reference; "Sending events with PutEvents", User Guide).
package bustest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Limits of EventBridge.
const (
	maxEntries    = 10
	maxBytes      = 1 << 20
	maxDetailType = 128 // characters
	timeBytes     = 14
)

// Event is an event that the bus has taken, as targets get it.
type Event struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       time.Time       `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// Bus is a server with one event bus. The zero Bus with a Name is ready for use.
type Bus struct {
	// Name is the name of the only bus.
	Name string
	// Taken is called with each event that is taken, one after the other. It may be nil.
	Taken func(Event)
	// Forget lets Events return nothing: a bus that runs for long must not grow.
	Forget bool

	mu       sync.Mutex
	events   []Event
	requests []int // the number of entries of each request
	answer   Answer
}

// Answer decides what the bus does with the n-th request, from 1. It returns the status of a
// refusal of the whole request, or 0; and the code of a refusal for each entry, "" for an entry
// that is taken. If lost is true, the bus takes the events, and the response does not arrive.
type Answer func(n int, events []Event) (status int, codes []string, lost bool)

// New returns a bus for a test, and its address.
func New(t testing.TB, name string) (*Bus, string) {
	t.Helper()
	b := &Bus{Name: name}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, server.URL
}

// Answers lets the bus answer as a test wants. Nil means that it takes everything.
func (b *Bus) Answers(a Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer, b.requests = a, nil
}

// Events returns the events that the bus has taken, in their order.
func (b *Bus) Events() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Event(nil), b.events...)
}

// Requests returns the number of entries of each request since the last call of Answers.
func (b *Bus) Requests() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]int(nil), b.requests...)
}

type entry struct {
	Source, DetailType, Detail, EventBusName string
	Resources                                []string
	Time                                     *float64 // Unix seconds
}

func (e entry) size() int {
	n := len(e.Source) + len(e.DetailType) + len(e.Detail)
	if e.Time != nil {
		n += timeBytes
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

// result is what the response says of one entry.
type result struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:"ErrorCode,omitempty"`
	ErrorMessage string `json:"ErrorMessage,omitempty"`
}

// ServeHTTP serves the operation PutEvents.
func (b *Bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if target := r.Header.Get("X-Amz-Target"); target != "AWSEvents.PutEvents" {
		refuse(w, http.StatusBadRequest, "UnknownOperationException", "the operation "+target+" is not served")
		return
	}
	var body struct{ Entries []entry }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4*maxBytes)).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	if problem := b.check(body.Entries); problem != "" {
		refuse(w, http.StatusBadRequest, "ValidationException", problem)
		return
	}
	results, status, lost := b.take(body.Entries)
	switch {
	case lost:
		// Without a response, the connection ends.
		panic(http.ErrAbortHandler)
	case status != 0:
		refuse(w, status, map[bool]string{true: "ThrottlingException", false: "InternalFailure"}[status < 500], "the test wants it")
		return
	}
	failed := 0
	for _, one := range results {
		if one.ErrorCode != "" {
			failed++
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{"FailedEntryCount": failed, "Entries": results})
}

// check returns why the whole request is refused, or "".
func (b *Bus) check(entries []entry) string {
	if len(entries) < 1 || len(entries) > maxEntries {
		return fmt.Sprintf("1 validation error detected: %d entries; 1 to %d are possible", len(entries), maxEntries)
	}
	total := 0
	for _, e := range entries {
		total += e.size()
		if e.EventBusName != b.Name {
			return fmt.Sprintf("there is no event bus %q", e.EventBusName)
		}
	}
	if total > maxBytes {
		return fmt.Sprintf("total size of the entries in the request is over the limit: %d bytes", total)
	}
	return ""
}

// take takes the entries that are valid and that the test does not refuse.
func (b *Bus) take(entries []entry) (results []result, status int, lost bool) {
	events := make([]Event, len(entries))
	for i, e := range entries {
		events[i] = e.event()
	}
	b.mu.Lock()
	if !b.Forget {
		b.requests = append(b.requests, len(entries))
	}
	answer, n := b.answer, len(b.requests)
	b.mu.Unlock()
	var codes []string
	if answer != nil {
		if status, codes, lost = answer(n, events); status != 0 {
			return nil, status, false
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range entries {
		one := e.refusal()
		if one.ErrorCode == "" && i < len(codes) && codes[i] != "" {
			one = result{ErrorCode: codes[i], ErrorMessage: "the test wants it"}
		}
		if one.ErrorCode == "" {
			one.EventID = events[i].ID
			if !b.Forget {
				b.events = append(b.events, events[i])
			}
			if b.Taken != nil {
				b.Taken(events[i])
			}
		}
		results = append(results, one)
	}
	return results, 0, lost
}

func (e entry) event() Event {
	at := time.Now()
	if e.Time != nil {
		at = time.UnixMilli(int64(*e.Time * 1000))
	}
	return Event{
		Version: "0", ID: uuid.NewString(), DetailType: e.DetailType, Source: e.Source, Account: "000000000000",
		Time: at.UTC().Truncate(time.Second), Region: "us-east-1", Resources: append([]string{}, e.Resources...), Detail: json.RawMessage(e.Detail),
	}
}

// refusal returns why one entry is refused, or the zero result.
func (e entry) refusal() result {
	for name, value := range map[string]string{"Source": e.Source, "DetailType": e.DetailType, "Detail": e.Detail} {
		if value == "" {
			return result{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter " + name + " is not valid. Reason: " + name + " is a required argument."}
		}
	}
	var object map[string]any
	switch {
	case len(e.DetailType) > maxDetailType:
		return result{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter DetailType is not valid. Reason: it has more than 128 characters."}
	case strings.HasPrefix(e.Source, "aws."):
		return result{ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source."}
	case json.Unmarshal([]byte(e.Detail), &object) != nil || object == nil:
		return result{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	return result{}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}
