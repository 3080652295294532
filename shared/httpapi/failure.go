package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/fault"
)

// answers is the one table from kinds of fault to the wire. A kind without
// words answers with an empty body: clients depend on that for 403 and 404,
// and it tells strangers nothing.
var answers = map[fault.Kind]struct {
	status int
	words  bool
}{
	fault.Invalid:   {http.StatusBadRequest, true},
	fault.Unmet:     {http.StatusBadRequest, false},
	fault.Forbidden: {http.StatusForbidden, false},
	fault.NotFound:  {http.StatusNotFound, false},
	fault.TooLarge:  {http.StatusRequestEntityTooLarge, true},
	fault.Busy:      {http.StatusServiceUnavailable, true},
}

// retryAfter is what a Busy answer asks its caller to wait, in seconds.
const retryAfter = "1"

// errorBody is the wire form of a fault.
type errorBody struct {
	ID   string `json:"id"`
	Data string `json:"data,omitempty"`
}

// errThrottled answers for storage that refused for load, however often the
// client tried. The log has the error itself.
var errThrottled = fault.Busyf("THROTTLED", "storage is under more load than it admits: try again in a moment")

// writeFailure answers err: faults by the table, storage that is overloaded as
// a passing state, all else 500 with no body.
func writeFailure(w http.ResponseWriter, err error) {
	f := errThrottled
	if !errors.As(err, &f) && !awsclient.Throttled(err) {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	a, ok := answers[f.Kind]
	if !ok {
		a.status = http.StatusInternalServerError
	}
	if f.Kind == fault.Busy {
		w.Header().Set("Retry-After", retryAfter)
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
