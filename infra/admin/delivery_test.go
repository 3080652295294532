package admin_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestDeliveriesAreListedShownAndRedelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	store := delivery.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Deliveries}
	d := delivery.Delivery{ID: "a-1", Event: "push", Installation: vcs.Installation{VCS: "github", ID: "42"}, Repository: "7", ReceivedAt: time.Now()}
	if _, err := store.Accept(t.Context(), d, []byte(`{"zen":1}`)); err != nil {
		t.Fatal(err)
	}
	begun, err := store.Begin(t.Context(), d.Key(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Park(t.Context(), begun, "the host is on fire", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.must("delivery list --vcs github --installation 42", "parked    a-1  push  the host is on fire")
	if out, err := r.run("delivery list --vcs github --installation 43"); err != nil || out != "" || r.notes.Len() == 0 {
		t.Errorf("another installation: %q, %v, notes %q", out, err, r.notes.String())
	}
	r.must("delivery list --vcs github --installation 42 --state parked", "a-1")
	for _, none := range []string{"--state done", "--before 2026-01-01T00:00:00Z"} {
		if out, err := r.run("delivery list --vcs github --installation 42 " + none); err != nil || out != "" {
			t.Errorf("%s: %q, %v", none, out, err)
		}
	}
	r.must("delivery parked", "tries  1  --vcs github a-1  installation 42  push  the host is on fire")
	r.must("delivery show --vcs github a-1", "tries 1")
	if out := r.must("delivery show --vcs github --body a-1", "zen"); out != `{"zen":1}` {
		t.Errorf("body: %q", out)
	}
	r.must("delivery redeliver --vcs github a-1", "processed again")
	r.must("delivery show --vcs github a-1", "received")
	if out, err := r.run("delivery parked"); err != nil || out != "" || r.notes.Len() == 0 {
		t.Errorf("none is parked: %q, %v, notes %q", out, err, r.notes.String())
	}
	if begun, err = store.Begin(t.Context(), d.Key(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.GiveUp(t.Context(), begun, "cannot be read", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.must("delivery parked --limit 1", "stuck ")
	r.must("delivery show --vcs github a-1", "stuck: it is not tried again")
	r.refused("delivery show --vcs gitlab a-1", "no delivery")
	r.must("delivery dismiss --vcs github a-1", "a-1 is dismissed")
	r.must("delivery show --vcs github a-1", "cannot be read; dismissed by operator:")
	r.must("delivery list --vcs github --installation 42 --state dismissed", "a-1")
	r.refused("delivery dismiss --vcs github a-1", "not parked")
	if out, err := r.run("delivery parked"); err != nil || out != "" {
		t.Errorf("parked: %q, %v", out, err)
	}
	for _, line := range []string{
		"delivery list", "delivery show --vcs github", "delivery list --vcs github --limit 0", "delivery redeliver a-1",
		"delivery list --vcs git", "delivery show --vcs GitHub a-1", "delivery list --vcs github --state over", "delivery list --vcs github --before yesterday",
		"delivery parked --limit 1001", "delivery parked a-1", "delivery dismiss --vcs github", "delivery dismiss-stuck --vcs github",
		"delivery dismiss-stuck --installation 42", "delivery dismiss-stuck --vcs github --installation 42 a-1",
	} {
		if _, err := r.run(line); err == nil {
			t.Errorf("%s is understood", line)
		}
	}
}

func TestStuckDeliveriesOfAnInstallationAreDismissedTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	store := delivery.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Deliveries}
	for _, d := range []delivery.Delivery{{Installation: vcs.Installation{ID: "77"}, ID: "77.a"}, {Installation: vcs.Installation{ID: "77"}, ID: "77.b"}, {Installation: vcs.Installation{ID: "78"}, ID: "78.a"}, {ID: "none.a"}} {
		d.Installation.VCS, d.Event, d.ReceivedAt = "gitlab", "Push Hook", time.Now()
		if _, err := store.Accept(t.Context(), d, []byte("x")); err != nil {
			t.Fatal(err)
		}
		begun, err := store.Begin(t.Context(), d.Key(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.GiveUp(t.Context(), begun, "cannot be read", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if out := r.must("delivery dismiss-stuck --vcs gitlab --installation 77", "dismissed  77.a"); strings.Count(out, "\n") != 1 || !strings.Contains(out, "77.b") {
		t.Errorf("dismissed %q", out)
	}
	if out := r.must("delivery parked", "78.a"); strings.Contains(out, "77.") {
		t.Errorf("parked %q", out)
	}
	r.must("delivery dismiss-stuck --vcs gitlab --installation none", "dismissed  none.a")
	if out, err := r.run("delivery dismiss-stuck --vcs gitlab --installation 77"); err != nil || out != "" || r.notes.Len() == 0 {
		t.Errorf("none is stuck: %q, %v, notes %q", out, err, r.notes.String())
	}
}

func TestTextsOfHostsCannotActOnATerminal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	store := delivery.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Deliveries}
	const evil = "x\x1b[2J\r\n2026 done\u202e\u009b1m\x7f\U000e0001é"
	d := delivery.Delivery{ID: "77.a", Event: evil, Action: evil, Installation: vcs.Installation{VCS: "gitlab", ID: "77"}, Repository: evil, ReceivedAt: time.Now()}
	if _, err := store.Accept(t.Context(), d, []byte("{\"a\":\r\n\t\""+evil+"\xff\"}")); err != nil {
		t.Fatal(err)
	}
	begun, err := store.Begin(t.Context(), d.Key(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Park(t.Context(), begun, evil, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line  string
		lines int
	}{
		{"delivery list --vcs gitlab --installation 77", 1},
		{"delivery parked", 1},
		{"delivery show --vcs gitlab 77.a", 4},
		{"delivery show --vcs gitlab --body 77.a", 3},
		{"delivery redeliver --vcs gitlab 77.a", 1}, // it is not parked any more
	} {
		line, lines := c.line, c.lines
		out := r.must(line, "")
		for _, c := range out {
			if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
				t.Errorf("%s prints %q: %q", line, c, out)
			}
		}
		if n := strings.Count(out, "\n") + 1; n != lines {
			t.Errorf("%s prints %d lines: %q", line, n, out)
		}
		if !strings.HasPrefix(line, "delivery redeliver") && !strings.Contains(out, `x\u001b[2J`) {
			t.Errorf("%s hides what is there: %q", line, out)
		}
	}
	if out := r.must("delivery show --vcs gitlab --body 77.a", `\udb40\udc01é`); strings.Contains(out, "\r") {
		t.Errorf("body %q", out)
	}
}
