//go:build unix

package journey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRedeliveryWakesTheWorker sends an unreadable delivery and a readable one to the real
// webhook, and has both processed again. An operator sees the result of each. Only the table's
// stream wakes the worker.
func TestRedeliveryWakesTheWorker(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	secret, err := os.ReadFile(filepath.Join(s.State, "secrets", "github-webhook-secret"))
	if err != nil {
		t.Fatal(err)
	}
	in := NewID()
	for id, c := range map[string]struct{ body, state string }{
		"read-" + in:       {fmt.Sprintf(`{"installation":{"id":%s},"repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":"main"}}`, in), "  done  "},
		"unreadable-" + in: {`{"installation":{"id":`, "  parked  "},
	} {
		sum := hmac.New(sha256.New, []byte(strings.TrimSpace(string(secret))))
		sum.Write([]byte(c.body))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/github/v1/events", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": id, "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(sum.Sum(nil)),
		} {
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", id, resp.Status)
		}
		kept := map[string]string{"read-" + in: in + "." + id, "unreadable-" + in: "none." + id}[id]
		processed := func() bool { // the count of tries starts again
			out := s.Admin(t, "delivery", "show", "--vcs", "github", kept)
			return strings.Contains(out, c.state) && strings.Contains(out, "tries 1")
		}
		await(t, id+" processed", processed)
		s.Admin(t, "delivery", "redeliver", "--vcs", "github", kept)
		await(t, id+" processed again", processed)
	}
	if out := s.Admin(t, "delivery", "parked"); !strings.Contains(out, "unreadable-"+in) || strings.Contains(out, in+".read-"+in) {
		t.Errorf("parked: %s", out)
	}
}
