// Package functiontest runs the handler of one function in a test. The handler receives the
// events of API Gateway, or of a table's stream, and uses real storage. The test controls the clock, the caller of any kind,
// and the faults of the storage. The function has its role: a request to storage that the
// function's policies in template.yaml do not allow fails the test.
//
// It is the rig of one layer. Package storagetest is the rig of the stores below, and package
// journey is the rig of the whole stack above.
package functiontest

import (
	"bytes"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/testclock"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/audit/change"
)

// Start is the first time of every rig's clock.
var Start = time.Unix(4_000_000_000, 0).UTC()

// Rig is a function under test with its surroundings.
type Rig struct {
	// Clock is the clock of the function.
	Clock *testclock.Clock
	// Env is the test's storage without a role and without faults. A test prepares data and
	// checks results with it.
	Env *storagetest.Env
	// Role is the same storage with the role of the function and with Faults. The function's
	// own stores use it. For other faults, use Role.WithFaults.
	Role *storagetest.Env
	// Faults are the faults of the requests of Role. They also count these requests.
	Faults storagetest.Faults
	// Log holds what was logged through Logger.
	Log Log
	// Caller is the caller of Do. If it is nil, the request has no credential.
	Caller *access.Caller

	lambda *httpapi.Lambda
}

// New returns a rig of a function with storage of its own. function is the function's logical
// id in template.yaml, such as KvFunction. The test calls Serve before the first request.
func New(t testing.TB, function string) *Rig { return On(storagetest.New(t), function) }

// On returns a rig of a function on the given storage, such as the storage of a meter.
func On(env *storagetest.Env, function string) *Rig {
	r := &Rig{Env: env, Clock: testclock.At(Start)}
	r.Role = env.WithRole(function).WithFaults(&r.Faults)
	return r
}

// Serve makes the function's handler, as the function's main does, and returns it. Another call
// replaces the handler.
func (r *Rig) Serve(routes []httpapi.Route, middleware ...func(http.Handler) http.Handler) *httpapi.Lambda {
	r.lambda = httpapi.NewLambda(routes, r.Logger(), r.Clock.Now, middleware...)
	return r.lambda
}

// Logger returns a logger that writes to Log.
func (r *Rig) Logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&r.Log, nil)) }

// Author returns the principal, request and time of a change that an operator makes now, with a
// request id of its own.
func (r *Rig) Author() change.Author {
	return change.Author{Principal: "operator:test", Request: uuid.NewString(), At: r.Clock.Now()}
}

// Do sends a request of Caller. target is a path with an optional query. body is JSON, or
// empty.
func (r *Rig) Do(t testing.TB, method, target, body string) Response {
	t.Helper()
	return r.As(t, r.Caller, method, target, body)
}

// As sends a request of another caller.
func (r *Rig) As(t testing.TB, caller *access.Caller, method, target, body string) Response {
	t.Helper()
	return r.Send(t, httpapitest.Event(t, method, target, caller, body))
}

// Send sends an event. If the handler returns an error, Send ends the test: API Gateway would
// replace the response then.
func (r *Rig) Send(t testing.TB, event events.APIGatewayProxyRequest) Response {
	t.Helper()
	resp, err := r.lambda.Handle(t.Context(), event)
	if err != nil {
		t.Fatalf("%s %.200s: %v", event.HTTPMethod, event.Path, err)
	}
	return Response{resp}
}

// Token returns a caller with an access token that expires in a minute.
func Token(user string, capabilities ...access.Capability) *access.Caller {
	return &access.Caller{Kind: access.KindAccessToken, User: user, Key: uuid.NewString(), Capabilities: capabilities, Expires: Start.Unix() + 60}
}

// Log is text that several goroutines may write.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns what was written since the last Reset.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Reset removes what was written.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}
