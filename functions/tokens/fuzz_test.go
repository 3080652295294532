package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// understood returns what the decoder reads from the body of a request for a key. A
// response that is not a 200 must be a 400 with an explanation.
func understood(t *testing.T, body []byte) *createRequest {
	t.Helper()
	var q *createRequest
	l := httpapi.NewLambda([]httpapi.Route{{
		Pattern: "POST /api/v1/{vcs}/access-token", Rule: access.Rule{Public: true},
		Endpoint: httpapi.JSON(decodeCreate, func(_ context.Context, _ httpapi.Call, r createRequest) (httpapi.Empty, error) {
			q = &r
			return httpapi.Empty{}, nil
		}),
	}}, slog.New(slog.DiscardHandler), time.Now)
	resp, err := l.Handle(t.Context(), httpapitest.Event(t, "POST", "/api/v1/github/access-token", nil, string(body)))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		var p struct{ ID, Data string }
		if err := json.Unmarshal([]byte(resp.Body), &p); err != nil || resp.StatusCode != http.StatusBadRequest || p.ID == "" || p.Data == "" || q != nil {
			t.Fatalf("%q: got %d %.500q", body, resp.StatusCode, resp.Body)
		}
	}
	return q
}

// FuzzCreateBody checks that a request for a key is refused, or means what its
// members say. It means the same if what was understood is sent again. The decoded
// request never has more capabilities than the body names.
func FuzzCreateBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		q := understood(t, body)
		if q == nil {
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatalf("%q was understood as %+v: %v", body, q, err)
		}
		var name, description string
		var capabilities []access.Capability
		if err := errors.Join(json.Unmarshal(m["name"], &name), json.Unmarshal(m["capabilities"], &capabilities)); err != nil ||
			name != q.name || !reflect.DeepEqual(capabilities, q.capabilities) {
			t.Fatalf("%q was understood as %+v (%v)", body, q, err)
		}
		if text, ok := m["description"]; ok && (json.Unmarshal(text, &description) != nil || description != q.description) {
			t.Fatalf("%q was understood as %+v", body, q)
		}
		sent := map[string]any{"name": q.name, "description": q.description, "capabilities": q.capabilities}
		if !q.expires.IsZero() {
			sent["expires_at"] = q.expires.Format(time.RFC3339Nano)
		}
		text, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		again := understood(t, text)
		if again == nil || !again.expires.Equal(q.expires) {
			t.Fatalf("%q was understood as %+v, and that as %+v", body, q, again)
		}
		again.expires = q.expires
		if !reflect.DeepEqual(again, q) {
			t.Fatalf("%q was understood as %+v, and that as %+v", body, q, again)
		}
		if err := access.Bounded("a key", len(q.capabilities)); err != nil && !errors.As(err, new(*fault.Error)) {
			t.Fatal(err)
		}
	})
}
