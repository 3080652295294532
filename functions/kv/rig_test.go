package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

const base = "/api/v1/github/kv/1"

const function = "KvFunction"

// rig is the function, called with events of a caller.
type rig struct {
	*httpapi.Lambda
	caller *access.Caller
}

// served returns a rig of routes over stores that need no storage.
func served(list []httpapi.Route, caller *access.Caller) rig {
	return rig{httpapi.NewLambda(list, slog.New(slog.DiscardHandler), time.Now, keyInOneSegment), caller}
}

// servedOn returns a rig of the function with the clients of role.
func servedOn(of *functiontest.Rig, role *storagetest.Env, limits artifact.Limits) rig {
	of.Clock.Set(time.Now())
	table, bucket := role.Table("KvTable"), role.Bucket("KvBucket")
	records := kv.New(role.DynamoDB, role.S3, table, bucket)
	return rig{of.Serve(routes(records, artifact.NewStore(role.DynamoDB, role.S3, records, table, bucket, limits)), keyInOneSegment), member()}
}

func newRig(t *testing.T) rig {
	t.Helper()
	t.Parallel()
	of := functiontest.New(t, function)
	return servedOn(of, of.Role, artifact.Limits{Stored: 1 << 30, Uploading: 1 << 30, Uploads: 1000})
}

// member returns a caller who may read and write in GitHub installation 1, and who
// also holds caps.
func member(caps ...access.Capability) *access.Caller {
	return &access.Caller{
		Kind: access.KindAccessToken, User: "u", Key: "k",
		Capabilities: append(access.Set{access.KVStoreRead, access.KVStoreWrite}, caps...),
		Memberships:  []vcs.Installation{{VCS: "github", ID: "1"}},
		Expires:      time.Now().Add(time.Hour).Unix(),
	}
}

// as returns the same function, called by another caller.
func (r rig) as(caller *access.Caller) rig { return rig{r.Lambda, caller} }

// ask sends a request. If target does not begin with /api, base is put before it.
func (r rig) ask(t testing.TB, method, target, body string) events.APIGatewayProxyResponse {
	t.Helper()
	if !strings.HasPrefix(target, "/api") {
		target = base + target
	}
	resp, err := r.Handle(t.Context(), httpapitest.Event(t, method, target, r.caller, body))
	if err != nil {
		t.Fatalf("%s %.200s: %v", method, target, err)
	}
	return resp
}

// want sends a request and checks the status and body. In the expected body, ~
// stands for any time.
func (r rig) want(t testing.TB, method, target, body string, status int, answer string) {
	t.Helper()
	resp := r.ask(t, method, target, body)
	if resp.StatusCode != status || timeless(resp.Body) != answer {
		t.Errorf("%s %.200s %.200s\n got %d %.500s\nwant %d %.500s", method, target, body, resp.StatusCode, timeless(resp.Body), status, answer)
	}
}

// refused sends a request and requires a 400 with this id and this text.
func (r rig) refused(t testing.TB, method, target, body, id, says string) {
	t.Helper()
	resp := r.ask(t, method, target, body)
	var p struct{ ID, Data string }
	if err := json.Unmarshal([]byte(resp.Body), &p); err != nil || resp.StatusCode != http.StatusBadRequest || p.ID != id || !strings.Contains(p.Data, says) {
		t.Errorf("%s %.200s %.200s: got %d %.500s, want 400 %s saying %q", method, target, body, resp.StatusCode, resp.Body, id, says)
	}
}

// timeless replaces the values of created_at that have the right form and are about
// now.
func timeless(body string) string {
	const name = `"created_at":"`
	parts := strings.Split(body, name)
	for i, part := range parts[1:] {
		text, rest, _ := strings.Cut(part, `"`)
		if at, err := time.Parse("2006-01-02T15:04:05Z", text); err == nil && time.Since(at).Abs() < time.Hour {
			parts[i+1] = `~"` + rest
		}
	}
	return strings.Join(parts, name)
}

// rec returns the wire form of a row.
func rec(committed bool, data string, idx int, key string, size, version int) string {
	b, err := json.Marshal(record{Committed: committed, CreatedAt: "~", Data: json.RawMessage(data), Idx: idx, Key: key, Size: size, Version: version})
	if err != nil {
		panic(err)
	}
	return string(b)
}
