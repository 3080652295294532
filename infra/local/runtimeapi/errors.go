//go:build unix

package runtimeapi

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrThrottled says that every instance is busy and that no more may be started. The event was
// not delivered.
var ErrThrottled = errors.New("every instance of the function is busy")

// ErrClosed says that the function is closed. The event was not delivered.
var ErrClosed = errors.New("the function is closed")

// ErrTooLarge says that the event is larger than Lambda accepts. It was not delivered.
var ErrTooLarge = fmt.Errorf("the event is larger than %d bytes", MaxPayload)

// MaxPayload is the maximum size, in bytes, of an event and of a response.
const MaxPayload = 6 << 20

// FunctionError is an invocation that failed inside the function: the function returned an
// error, crashed, or took too long. The event may have had effects.
type FunctionError struct {
	Type    string // as Lambda names it, such as "Runtime.ExitError"
	Message string
}

// Types of failures that the runtime sees from outside the function.
const (
	ExitError             = "Runtime.ExitError"
	TimedOut              = "Sandbox.Timedout"
	ResponseSizeTooLarge  = "Function.ResponseSizeTooLarge"
	unnamedError          = "Unhandled"
	initializationTimeout = "Runtime.InitTimeout"
)

// Error implements error.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// reported returns the error that a function sent.
func reported(body []byte) *FunctionError {
	var e struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(body, &e) != nil || e.Type == "" {
		return &FunctionError{Type: unnamedError, Message: string(body)}
	}
	return &FunctionError{Type: e.Type, Message: e.Message}
}
