package admin_test

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/delivery"
)

func TestDeliveriesAreListedShownAndRedelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	store := delivery.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Deliveries}
	d := delivery.Delivery{VCS: "github", ID: "a-1", Event: "push", Installation: "42", Repository: "7", ReceivedAt: time.Now()}
	if _, err := store.Accept(t.Context(), d, []byte(`{"zen":1}`)); err != nil {
		t.Fatal(err)
	}
	begun, err := store.Begin(t.Context(), d.Key())
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
	r.must("delivery show --vcs github a-1", "tries 1")
	if out := r.must("delivery show --vcs github --body a-1", "zen"); out != `{"zen":1}` {
		t.Errorf("body: %q", out)
	}
	r.must("delivery redeliver --vcs github a-1", "processed again")
	r.must("delivery show --vcs github a-1", "received")
	r.refused("delivery show --vcs gitlab a-1", "no delivery")
	for _, line := range []string{"delivery list", "delivery show --vcs github", "delivery list --vcs github --limit 0", "delivery redeliver a-1"} {
		if _, err := r.run(line); err == nil {
			t.Errorf("%s is understood", line)
		}
	}
}
