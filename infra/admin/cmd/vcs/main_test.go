package main

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

func TestCommandLineIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", exitUsage, "no such command"},
		{"help", 0, "github create"},
		{"check", exitUsage, "--stack"},
		{"check --parameters GithubAppId --api-url https://x", exitUsage, "Name=value"},
		{"github create", exitUsage, "--api-url"},
		{"github create --api-url https://x more", exitUsage, "only flags are expected"},
		{"check --api-url https://x --secrets /nonexistent --parameters GitlabAppSecret=s", 0, "GitLab is not configured"},
		{"check --api-url https://x --secrets /nonexistent --parameters GithubAppId=1", exitFailed, "MISSING"},
	} {
		var out, notes strings.Builder
		if code := run(t.Context(), strings.Fields(c.args), &out, &notes); code != c.code || !strings.Contains(out.String()+notes.String(), c.want) {
			t.Errorf("%q: code %d, want %d and %q: %s%s", c.args, code, c.code, c.want, out.String(), notes.String())
		}
	}
}

// TestCreationPrintsNoSecret acts as the browser, and reads the page's address from
// what the command prints.
func TestCreationPrintsNoSecret(t *testing.T) {
	t.Parallel()
	host, dir := vcstest.NewGitHub(t), t.TempDir()
	reader, out := io.Pipe()
	var notes strings.Builder
	code := make(chan int, 1)
	go func() {
		args := []string{"github", "create", "--api-url", "https://ops.example.com", "--api-base-url", host.API, "--secrets", dir}
		code <- run(t.Context(), args, out, &notes)
		_ = out.Close()
	}()
	head := make([]byte, 1024)
	n, err := reader.Read(head)
	if err != nil {
		t.Fatal(err)
	}
	page := fetch(t, regexp.MustCompile(`http://[^ ]+`).FindString(string(head[:n])))
	find := func(pattern string) string {
		return html.UnescapeString(regexp.MustCompile(pattern).FindStringSubmatch(page)[1])
	}
	var manifest struct {
		Back string `json:"redirect_url"`
	}
	form, err := url.Parse(find(`action="([^"]*)"`))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(find(`name="manifest" value="([^"]*)"`)), &manifest); err != nil {
		t.Fatal(err)
	}
	fetch(t, manifest.Back+"?"+url.Values{"state": {form.Query().Get("state")}, "code": {host.Code()}}.Encode())
	rest, err := io.ReadAll(reader)
	if err != nil || <-code != 0 {
		t.Fatalf("%v: %s", err, notes.String())
	}
	printed := string(head[:n]) + string(rest) + notes.String()
	if !strings.Contains(printed, "GithubAppPrivateKey=opsplane-github-app-private-key") {
		t.Errorf("printed %s", printed)
	}
	for _, name := range []string{"opsplane-github-app-private-key", "opsplane-github-webhook-secret", "opsplane-github-client-secret"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(text) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(printed, strings.TrimSpace(line)) {
				t.Errorf("%s was printed", name)
			}
		}
	}
}

func fetch(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, answer.Status, err)
	}
	return string(body)
}
