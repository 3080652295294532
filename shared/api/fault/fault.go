// Package fault holds the ways in which an operation may refuse a request.
// Its one invariant: a fault carries only text that is meant for the caller,
// so it can be sent over the wire as it stands. Every other error is internal
// and must never reach a caller.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the class of a refusal. The HTTP status of each is decided in one
// place, shared/api/httpapi.
type Kind int

// The kinds of refusal.
const (
	// Invalid is a request that can never succeed as it stands (400).
	Invalid Kind = iota + 1
	// Unmet is a request whose comparison failed: right in form, wrong in
	// time. Answered 400 without a body, which is what key-value clients of
	// the compare-and-swap route expect.
	Unmet
	// Forbidden is any lack of permission (403, always without a body, so
	// that nothing is told to those who may not ask).
	Forbidden
	// NotFound is a missing thing, or one the caller must not know of (404,
	// without a body).
	NotFound
	// TooLarge is a body or value above a limit (413).
	TooLarge
	// Unsupported is a body in a form that is not read, whatever it holds (415).
	Unsupported
	// Busy is a passing state: the same request may succeed later (503, with
	// Retry-After).
	Busy
	// TooMany is a request of a caller who has made too many like it in a span
	// of time (429, with Retry-After). Nothing was done.
	TooMany
)

// Error is a refusal with the words for its caller.
type Error struct {
	// Kind decides the HTTP status.
	Kind Kind
	// ID names the reason in a form that programs can compare, such as
	// "KEY_TOO_LONG".
	ID string
	// Detail says in a sentence what was wrong and what to do next. It never
	// holds a secret or an internal name.
	Detail string
	// RetryAfter is how long the caller of a Busy or TooMany fault is asked to
	// wait, where that is known; zero is a second.
	RetryAfter time.Duration
	// LogCause has the log tell the error that this fault is wrapped with, as it
	// tells that of any Busy one. For errors that have nothing of the request.
	LogCause bool
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.ID
	}
	return e.ID + ": " + e.Detail
}

// Is reports whether target is a fault with the same kind and id, so that
// errors.Is works across values with different details.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Kind == e.Kind && t.ID == e.ID
}

// Invalidf makes an Invalid fault.
func Invalidf(id, format string, args ...any) *Error {
	return &Error{Kind: Invalid, ID: id, Detail: fmt.Sprintf(format, args...)}
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

// The faults that need no words: their answers have no body.
var (
	// ErrForbidden refuses for lack of permission.
	ErrForbidden = &Error{Kind: Forbidden, ID: "FORBIDDEN"}
	// ErrNotFound refuses because there is no such thing, or none that the
	// caller may see.
	ErrNotFound = &Error{Kind: NotFound, ID: "NOT_FOUND"}
	// ErrUnmet refuses because a comparison failed.
	ErrUnmet = &Error{Kind: Unmet, ID: "UNMET"}
)
