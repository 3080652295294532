package vcshost

import (
	"errors"
	"fmt"
	"net"
	"net/http"
)

// Rejection says that the host understood the request, and that something in it is
// wrong, or that what it names does not allow it now: the statuses 400, 405, 406, 409
// and 422. Nothing was done. The same request fails again, until somebody changes what
// it names.
type Rejection struct {
	// Status is the HTTP status.
	Status int
	// Words is the host's own message, in the form of Refusal.Words. It is not part of
	// the error's text: hosts repeat parts of a wrong request in it.
	Words string
}

// Error implements error.
func (r *Rejection) Error() string {
	return fmt.Sprintf("the host rejects the request with status %d", r.Status)
}

// rejection returns the Rejection of a response, or nil if the status is none of a
// rejection.
func rejection(answer *http.Response, body []byte) *Rejection {
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusConflict, http.StatusUnprocessableEntity:
		return &Rejection{Status: answer.StatusCode, Words: said(answer, body)}
	}
	return nil
}

// Unsent reports whether an error says that no connection was made, so that no request
// was sent.
func Unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// NothingDone reports whether an error of a call says for sure that the call had no
// effect at the host: the host refused it, or no request was sent. For any other
// error, the response may be lost, and the request may have taken effect.
func NothingDone(err error) bool {
	var (
		limited  *Limited
		rejected *Rejection
		key      *KeyError
	)
	if errors.As(err, &limited) || errors.As(err, &rejected) || errors.As(err, &key) {
		return true
	}
	for _, target := range []error{ErrGone, ErrRefused, ErrForbidden, ErrNoInstallation, ErrUnreachable, ErrElsewhere, ErrNotConfigured, ErrNoToken, ErrNoWorkflow, ErrNoBranch, ErrNotMergeable} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
