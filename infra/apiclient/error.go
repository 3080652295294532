package apiclient

import (
	"encoding/json"
	"fmt"
)

// Error is a response with a status that the caller did not want.
type Error struct {
	// Status is the HTTP status.
	Status int
	// ID and Data are the members of an error's body. Many errors have no body.
	ID, Data string
	// Request is the request's id at the server. With it an operator finds the
	// reason of a refusal.
	Request string

	want []int
}

// problem returns the response as an error.
func (r Response) problem(want []int) *Error {
	e := &Error{Status: r.Status, Request: r.Header.Get("x-amzn-requestid"), want: want}
	e.ID, e.Data = r.id()
	return e
}

// id returns the members of an error's body. Both are empty if the body is not that
// of an error, such as a page of a proxy.
func (r Response) id() (id, data string) {
	var body struct{ ID, Data string }
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return "", ""
	}
	return body.ID, body.Data
}

// ID returns the id of an error. It is empty if the body has none.
func (r Response) ID() string {
	id, _ := r.id()
	return id
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("got status %d", e.Status)
	if e.ID != "" {
		text += " " + e.ID
	}
	if e.Data != "" {
		text += " (" + e.Data + ")"
	}
	text += fmt.Sprintf(", want %d", e.want)
	if e.Request != "" {
		text += ", request " + e.Request
	}
	return text
}
