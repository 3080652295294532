package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/admin"
)

// logs are lines that functions have written.
type logs struct {
	lines []string
	err   error
	since *time.Time
}

func (l logs) Find(_ context.Context, _ string, since time.Time) ([]string, error) {
	*l.since = since
	return l.lines, l.err
}

func TestWhyExplainsARefusal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "created")
	ann := r.user("ann").ID
	var since time.Time
	r.operator.Logs = logs{since: &since, lines: []string{
		`{"time":"2026-11-30T02:41:01Z","msg":"request","function":"KvFunction","request_id":"inv-2","gateway_request_id":"gw-1","principal":"` + ann +
			`","credential":"key-1","route":"PUT /api/v1/{vcs}/kv/{installation_id}/key/{key...}","status":403,"refused":1,"fault":"FORBIDDEN",` +
			`"step":"capability","why":"the credential lacks kv_store_write","vcs":"github","installation":"42"}`,
		`{"time":"2026-11-30T02:41:00.5Z","msg":"authorize","function":"AuthorizerFunction","request_id":"inv-1","gateway_request_id":"gw-1",` +
			`"route":"PUT /x","step":"credential","why":"the \u001b[2J API key is revoked","vcs":"","installation":"","refused":1}`,
		`{"time":"2026-11-30T02:41:02Z","function":"KvFunction","gateway_request_id":"other","route":"gw-1","step":"host","why":"not this one"}`,
		`{"time":"2026-11-30T02:41:03Z","function":"KvFunction","gateway_request_id":"gw-1","route":"GET /x","status":400,"fault":"INVALID_BODY","principal":"anonymous"}`,
		`no JSON with gw-1`,
	}}
	const want = `2026-11-30T02:41:00Z AuthorizerFunction, PUT /x: refused
  step:         credential
  why:          the \u001b[2J API key is revoked
2026-11-30T02:41:01Z KvFunction, PUT /api/v1/{vcs}/kv/{installation_id}/key/{key...}: refused
  step:         capability
  why:          the credential lacks kv_store_write
  installation: github 42
  user:         ANN (ann)
  credential:   key-1
2026-11-30T02:41:03Z KvFunction, GET /x: response 400
  fault:        INVALID_BODY
  user:         anonymous`
	if got := r.must("why gw-1", ""); got != strings.ReplaceAll(want, "ANN", ann) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if back := time.Since(since); back < 23*time.Hour || back > 25*time.Hour {
		t.Errorf("looked %s back, want a day", back)
	}
	if got := r.must("why --since 72h inv-2", "kv_store_write"); strings.Contains(got, "revoked") {
		t.Errorf("of one invocation: got\n%s", got)
	}
	if back := time.Since(since); back < 71*time.Hour {
		t.Errorf("looked %s back, want three days", back)
	}
}

func TestWhySaysWhatItCannotFind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.run("why gw-1"); err == nil || !strings.Contains(err.Error(), "--stack") {
		t.Errorf("without logs: got %v", err)
	}
	var since time.Time
	r.operator.Logs = logs{since: &since}
	if _, err := r.run("why gw-1"); err == nil || !strings.Contains(err.Error(), "within the last 24h") {
		t.Errorf("of nothing: got %v", err)
	}
	failure := errors.New("no such log group")
	r.operator.Logs = logs{since: &since, err: failure}
	if _, err := r.run("why gw-1"); !errors.Is(err, failure) {
		t.Errorf("of a failure: got %v", err)
	}
	for _, line := range []string{"why", "why a b", `why a"||"`, "why " + strings.Repeat("a", 129), "why --since -1h gw-1"} {
		var usage *admin.UsageError
		if _, err := r.run(line); !errors.As(err, &usage) {
			t.Errorf("%s: got %v, want a usage error", line, err)
		}
	}
}
