package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs/webhook"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	// Scenarios run in parallel, so none can set an environment variable for
	// itself.
	dir := t.TempDir()
	for name, text := range map[string]string{"github": githubSecret, "server": serverSecret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Setenv("SECRETS_DIR", dir); err != nil {
		t.Fatal(err)
	}
	// A real body compresses to about a tenth.
	body := `{"action":"opened","installation":{"id":42},"repository":{"id":7,"name":"infra","owner":{"login":"acme"}},"pull_request":{"title":"` +
		strings.Repeat("Lorem ipsum dolor sit amet. ", 500) + `"}}`
	signed := map[string]string{
		"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "X-Hub-Signature-256": signature(githubSecret, body),
	}
	forged := map[string]string{"X-GitHub-Event": "push", "X-GitHub-Delivery": "x", "X-Hub-Signature-256": signature("another", body)}
	key, err := secret.Derive(serverSecret, webhook.Purpose)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := webhook.Token(key, "77")
	lab := map[string]string{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token, "Idempotency-Key": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
	costs.Check(t, "WebhooksFunction", map[string]costs.Scenario{
		"delivery of GitHub":           delivering(githubEvents, body, signed, 200, 1),
		"delivery that comes again":    delivering(githubEvents, body, signed, 200, 2),
		"delivery of GitLab":           delivering(gitlabEvents, `{"object_kind":"push","project":{"id":5}}`, lab, 200, 1),
		"delivery with a forged proof": delivering(githubEvents, body, forged, 403, 1),
	}, "Webhooks")
}

// delivering sends a delivery several times and counts the cost of the last time.
func delivering(path, body string, headers map[string]string, status, times int) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, function), m.Role(function).DynamoDB, "github", "server")
		for n := 1; n <= times; n++ {
			if n == times {
				m.Start()
				m.Request("POST", path)
			}
			if got := r.post(t, path, body, headers); got.StatusCode != status {
				t.Errorf("got %d %s, want %d", got.StatusCode, got.Body, status)
			}
		}
		return m
	}
}
