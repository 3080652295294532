package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// statuses is the one table that maps kinds of fault to HTTP responses. A kind that is
// not explained gets an empty body: clients depend on that for 403 and 404, and it
// discloses nothing to anonymous callers.
var statuses = map[fault.Kind]struct {
	status    int
	explained bool
}{
	fault.Invalid:       {http.StatusBadRequest, true},
	fault.Unmet:         {http.StatusBadRequest, false},
	fault.Unprocessable: {http.StatusUnprocessableEntity, true},
	fault.Forbidden:     {http.StatusForbidden, false},
	fault.NotFound:      {http.StatusNotFound, false},
	fault.TooLarge:      {http.StatusRequestEntityTooLarge, true},
	fault.Unsupported:   {http.StatusUnsupportedMediaType, true},
	fault.Busy:          {http.StatusServiceUnavailable, true},
	fault.TooMany:       {http.StatusTooManyRequests, true},
}

// retryAfter returns how long a Busy or TooMany response asks its caller to wait,
// in whole seconds. If the fault does not say it, that is one second.
func retryAfter(f *fault.Error) string {
	return strconv.FormatInt(int64(max(time.Second, f.RetryAfter+time.Second-1)/time.Second), 10)
}

// States that pass, and that operations report as errors of storage, not as faults.
// The log has the error itself.
var (
	// errThrottled is the fault for storage that refused because of load, at every
	// try.
	errThrottled = fault.Busyf("THROTTLED", "storage is overloaded: try again in a moment")
	// errContended is the fault for items that other writers never left free.
	errContended = fault.Busyf("CONTENDED", "too many callers write the same data at the same time: try again in a moment")
	// errOutOfTime is the fault for an operation that ran out of time.
	errOutOfTime = fault.Busyf("NO_ANSWER",
		"the server did not finish in time; a write may or may not have taken effect: read, then decide whether to write again")
	// errReadOutOfTime is errOutOfTime for requests that write nothing.
	errReadOutOfTime = fault.Busyf("NO_ANSWER", "the server did not finish in time: try again, and if that does not help, request less at once")
)

// passing returns the fault for an error of storage that may be gone at the next
// try. It returns nil for any other error. The flag reads says that the request
// writes nothing.
func passing(err error, reads bool) *fault.Error {
	switch {
	case table.Throttled(err):
		return errThrottled
	case table.Contended(err):
		return errContended
	case errors.Is(err, context.DeadlineExceeded) && reads:
		return errReadOutOfTime
	case errors.Is(err, context.DeadlineExceeded):
		return errOutOfTime
	}
	return nil
}

// Failure is what a request that failed returns to its caller. ID and Data are empty
// if the response has no body.
type Failure struct {
	// Status is the status of the response, 400 or more.
	Status int `json:"-"`
	// ID names the reason in a form that programs can compare.
	ID string `json:"id"`
	// Data says in a sentence what was wrong and what to do next.
	Data string `json:"data,omitempty"`
}

// failed is the response of a request that failed.
type failed struct {
	Failure
	// retryAfter is the header of this name, or empty.
	retryAfter string
	// page is sent instead of JSON, unless it is zero.
	page Page
}

// failureOf returns the response for err. A fault gets its status from the table
// statuses. An error that may pass becomes a fault first. Any other error is a 500
// with no body. The flag reads says that the request writes nothing.
func failureOf(err error, reads bool) failed {
	var f *fault.Error
	if !errors.As(err, &f) {
		f = passing(err, reads)
	}
	if f == nil {
		return failed{Failure: Failure{Status: http.StatusInternalServerError}}
	}
	s, ok := statuses[f.Kind]
	if !ok {
		return failed{Failure: Failure{Status: http.StatusInternalServerError}}
	}
	response := failed{Failure: Failure{Status: s.status}}
	if f.Kind == fault.Busy || f.Kind == fault.TooMany {
		response.retryAfter = retryAfter(f)
	}
	if s.explained {
		response.ID, response.Data = f.ID, f.Detail
	}
	return response
}

func (f failed) write(h http.Header) (int, []byte, error) {
	if f.retryAfter != "" {
		h.Set("Retry-After", f.retryAfter)
	}
	if f.page != (Page{}) {
		_, body, err := f.page.write(h)
		return f.Status, body, err
	}
	if f.ID == "" {
		return f.Status, nil, nil
	}
	body, err := json.Marshal(f.Failure)
	h.Set("Content-Type", contentType)
	return f.Status, body, err
}

// prefersPage reports whether a request prefers HTML to JSON and names HTML in its
// Accept header. Browsers do so when they go to an address; no other client does.
func prefersPage(h http.Header) bool {
	page, json := -1, -1
	for i, entry := range strings.Split(strings.Join(h.Values("Accept"), ","), ",") {
		switch media, _, _ := strings.Cut(strings.ToLower(entry), ";"); strings.TrimSpace(media) {
		case "text/html":
			page = i
		case contentType:
			json = i
		}
	}
	return page >= 0 && (json < 0 || page < json)
}
