package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// readBody reads the body. Runners do not always say its type, so the header
// Content-Type does not matter.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fault.Invalidf("INVALID_BODY", "the body could not be read")
	}
	return body, nil
}

// decodeBody reads the body, a JSON object, into v. It ignores members that v does
// not have.
func decodeBody(r *http.Request, v any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	err = json.Unmarshal(body, v)
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typ) && typ.Field != "":
		return fault.Invalidf("INVALID_BODY", "member %q cannot be this %s", typ.Field, typ.Value)
	}
	return fault.Invalidf("INVALID_BODY", "the body is not a JSON object")
}
