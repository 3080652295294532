// Package fault holds the ways in which an operation may refuse a request. Its one
// invariant: a fault carries only text that is meant for the caller, so it can be
// sent to the caller unchanged. Every other error is internal and must never reach
// a caller.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the class of a refusal. The HTTP status of each kind is decided in one
// place: shared/api/httpapi.
type Kind int

// The kinds of refusal.
const (
	// Invalid is a request that can never succeed as it is (400).
	Invalid Kind = iota + 1
	// Unmet is a request whose comparison failed. Its form is right, but the stored
	// state is a different one. The response is 400 without a body: the key-value
	// clients of the compare-and-swap route expect that.
	Unmet
	// Unprocessable is a request whose form is right, and that contradicts an earlier
	// request of the same caller (422).
	Unprocessable
	// Forbidden is any lack of permission. The response is always 403 without a
	// body, so that it discloses nothing to a caller without permission.
	Forbidden
	// NotFound is a thing that does not exist, or that the caller must not know of
	// (404, without a body).
	NotFound
	// TooLarge is a body or value above a limit (413).
	TooLarge
	// Unsupported is a body in a form that the server does not read, whatever the
	// body holds (415).
	Unsupported
	// Busy is a state that passes: the same request may succeed later (503, with
	// Retry-After).
	Busy
	// TooMany is a request of a caller who has sent too many such requests in a
	// span of time (429, with Retry-After). Nothing was done.
	TooMany
)

// Error is a refusal with the text for its caller.
type Error struct {
	// Kind decides the HTTP status.
	Kind Kind
	// ID names the reason in a form that programs can compare, such as
	// "KEY_TOO_LONG".
	ID string
	// Detail says in a sentence what was wrong and what to do next. It never holds
	// a secret or an internal name.
	Detail string
	// RetryAfter says how long the caller of a Busy or TooMany fault is asked to
	// wait. Zero means that the time is not known: the response then says one
	// second.
	RetryAfter time.Duration
	// LogCause says that the log shows the error that wraps this fault. The log
	// always shows it for a Busy fault. Set LogCause only if the error holds
	// nothing of the request.
	LogCause bool
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.ID
	}
	return e.ID + ": " + e.Detail
}

// Is reports whether target is a fault with the same kind and ID. So errors.Is
// finds a fault although the details differ.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Kind == e.Kind && t.ID == e.ID
}

// Invalidf makes an Invalid fault.
func Invalidf(id, format string, args ...any) *Error {
	return &Error{Kind: Invalid, ID: id, Detail: fmt.Sprintf(format, args...)}
}

// Unprocessablef makes an Unprocessable fault.
func Unprocessablef(id, format string, args ...any) *Error {
	return &Error{Kind: Unprocessable, ID: id, Detail: fmt.Sprintf(format, args...)}
}

// TooLargef makes a TooLarge fault.
func TooLargef(id, format string, args ...any) *Error {
	return &Error{Kind: TooLarge, ID: id, Detail: fmt.Sprintf(format, args...)}
}

// Unsupportedf makes an Unsupported fault.
func Unsupportedf(id, format string, args ...any) *Error {
	return &Error{Kind: Unsupported, ID: id, Detail: fmt.Sprintf(format, args...)}
}

// Busyf makes a Busy fault.
func Busyf(id, format string, args ...any) *Error {
	return &Error{Kind: Busy, ID: id, Detail: fmt.Sprintf(format, args...)}
}

// TooManyf makes a TooMany fault.
func TooManyf(id, format string, args ...any) *Error {
	return &Error{Kind: TooMany, ID: id, Detail: fmt.Sprintf(format, args...)}
}

// After sets how long the caller of a Busy or TooMany fault is asked to wait.
func (e *Error) After(wait time.Duration) *Error {
	e.RetryAfter = wait
	return e
}

// The faults that have no text: their responses have no body.
var (
	// ErrForbidden refuses for lack of permission.
	ErrForbidden = &Error{Kind: Forbidden, ID: "FORBIDDEN"}
	// ErrNotFound refuses because the thing does not exist, or the caller may not
	// see it.
	ErrNotFound = &Error{Kind: NotFound, ID: "NOT_FOUND"}
	// ErrUnmet refuses because a comparison failed.
	ErrUnmet = &Error{Kind: Unmet, ID: "UNMET"}
)
