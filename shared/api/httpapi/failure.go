package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
)

// answers is the one table that maps kinds of fault to HTTP responses. A kind
// without words gets an empty body: clients depend on that for 403 and 404, and it
// discloses nothing to anonymous callers.
var answers = map[fault.Kind]struct {
	status int
	words  bool
}{
	fault.Invalid:     {http.StatusBadRequest, true},
	fault.Unmet:       {http.StatusBadRequest, false},
	fault.Forbidden:   {http.StatusForbidden, false},
	fault.NotFound:    {http.StatusNotFound, false},
	fault.TooLarge:    {http.StatusRequestEntityTooLarge, true},
	fault.Unsupported: {http.StatusUnsupportedMediaType, true},
	fault.Busy:        {http.StatusServiceUnavailable, true},
	fault.TooMany:     {http.StatusTooManyRequests, true},
}

// retryAfter returns how long a Busy or TooMany response asks its caller to wait,
// in whole seconds. If the fault does not say it, that is one second.
func retryAfter(f *fault.Error) string {
	return strconv.FormatInt(int64(max(time.Second, f.RetryAfter+time.Second-1)/time.Second), 10)
}

// errorBody is the JSON form of a fault.
type errorBody struct {
	ID   string `json:"id"`
	Data string `json:"data,omitempty"`
}

// States that pass, and that operations report as errors of storage, not as faults.
// The log has the error itself.
var (
	// errThrottled is the fault for storage that refused because of load, at every
	// try.
	errThrottled = fault.Busyf("THROTTLED", "storage is overloaded: try again in a moment")
	// errContended is the fault for items that other writers never left free.
	errContended = fault.Busyf("CONTENDED", "too many callers write the same data at the same time: try again in a moment")
	// errNoAnswer is the fault for an operation that ran out of time.
	errNoAnswer = fault.Busyf("NO_ANSWER",
		"the server did not finish in time; a write may or may not have taken effect: read, then decide whether to write again")
	// errNoReading is errNoAnswer for requests that write nothing.
	errNoReading = fault.Busyf("NO_ANSWER", "the server did not finish in time: try again, and if that does not help, request less at once")
)

// passing returns the fault for an error of storage that may be gone at the next
// try. It returns nil for any other error. The flag reads says that the request
// writes nothing.
func passing(err error, reads bool) *fault.Error {
	switch {
	case awsclient.Throttled(err):
		return errThrottled
	case awsclient.Contended(err):
		return errContended
	case errors.Is(err, context.DeadlineExceeded) && reads:
		return errNoReading
	case errors.Is(err, context.DeadlineExceeded):
		return errNoAnswer
	}
	return nil
}

// writeFailure writes the response for err. A fault gets its status from the table
// answers. An error that may pass becomes a fault first. Any other error is a 500
// with no body. The flag reads says that the request writes nothing.
func writeFailure(w http.ResponseWriter, err error, reads bool) {
	var f *fault.Error
	if !errors.As(err, &f) {
		f = passing(err, reads)
	}
	if f == nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	a, ok := answers[f.Kind]
	if !ok {
		a.status = http.StatusInternalServerError
	}
	if f.Kind == fault.Busy || f.Kind == fault.TooMany {
		w.Header().Set("Retry-After", retryAfter(f))
	}
	if !a.words {
		w.WriteHeader(a.status)
		return
	}
	b, err := json.Marshal(errorBody{ID: f.ID, Data: f.Detail})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(a.status)
	w.Write(b)
}
