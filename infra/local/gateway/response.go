//go:build unix

package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// answer is what a function returns to the gateway.
type answer struct {
	StatusCode        status              `json:"statusCode"`
	Headers           map[string]scalar   `json:"headers"`
	MultiValueHeaders map[string][]scalar `json:"multiValueHeaders"`
	Body              *string             `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// status is a number, or a number in quotes.
type status int

// UnmarshalJSON implements json.Unmarshaler.
func (s *status) UnmarshalJSON(text []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(text), `"`))
	*s = status(n)
	return err
}

// scalar is a header's value: a string, a number or a boolean.
type scalar string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scalar) UnmarshalJSON(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	switch v.(type) {
	case map[string]any, []any:
		return errors.New("a header's value is neither text nor number nor boolean")
	}
	*s = scalar(fmt.Sprint(v))
	return nil
}

// parseAnswer is as strict as API Gateway. A response is malformed if it has an unknown field,
// a body that is not text, or no status.
func parseAnswer(text []byte) (*answer, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var a answer
	if err := d.Decode(&a); err != nil {
		return nil, fmt.Errorf("malformed answer: %w", err)
	}
	if a.StatusCode < 100 || a.StatusCode > 599 {
		return nil, fmt.Errorf("malformed answer: status code %d", a.StatusCode)
	}
	return &a, nil
}

// remapped are headers that the gateway renames, because it sets headers of these names itself.
var remapped = map[string]struct{}{
	"Connection": {}, "Content-Length": {}, "Content-Md5": {}, "Date": {}, "Host": {}, "Server": {}, "Www-Authenticate": {},
}

func (a *answer) header(into http.Header) {
	set := func(name string, values ...scalar) {
		name = http.CanonicalHeaderKey(name)
		if _, ok := remapped[name]; ok {
			name = "X-Amzn-Remapped-" + name
		}
		into.Del(name)
		for _, v := range values {
			into.Add(name, string(v))
		}
	}
	for name, value := range a.Headers {
		set(name, value)
	}
	for name, values := range a.MultiValueHeaders {
		set(name, values...)
	}
	if into.Get("Content-Type") == "" {
		into.Set("Content-Type", "application/json")
	}
}

// body returns the bytes to send. It decodes base64 if the client accepts a type that the API
// lists as binary.
func (a *answer) body(binary bool) ([]byte, error) {
	if a.Body == nil {
		return nil, nil
	}
	if a.IsBase64Encoded && binary {
		return base64.StdEncoding.DecodeString(*a.Body)
	}
	return []byte(*a.Body), nil
}

func send(w http.ResponseWriter, c *call, code int, body []byte) {
	h := w.Header()
	h.Set("x-amzn-RequestId", c.id)
	h.Set("x-amz-apigw-id", c.id)
	if !bodyless(c, code) {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(code)
	if !bodyless(c, code) {
		_, _ = w.Write(body)
	}
}

func bodyless(c *call, code int) bool {
	return c.request.Method == http.MethodHead || code == http.StatusNoContent || code == http.StatusNotModified
}

// isBinary reports whether the header's media type is one of the API's binary types. If the
// header has several media types, only the first counts.
func isBinary(list []string, header string) bool {
	kind, _, _ := strings.Cut(header, ",")
	kind, _, _ = strings.Cut(kind, ";")
	kind = strings.TrimSpace(strings.ToLower(kind))
	for _, b := range list {
		if b == "*/*" || strings.EqualFold(b, kind) {
			return true
		}
	}
	return false
}
