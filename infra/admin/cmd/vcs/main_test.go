package main

import (
	"strings"
	"testing"
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
		{"github create --api-url https://x more", exitUsage, "flags alone"},
		{"check --api-url https://x --secrets /nonexistent --parameters GitlabAppSecret=s", 0, "GitLab is not configured"},
		{"check --api-url https://x --secrets /nonexistent --parameters GithubAppId=1", exitFailed, "MISSING"},
	} {
		var out, notes strings.Builder
		if code := run(t.Context(), strings.Fields(c.args), &out, &notes); code != c.code || !strings.Contains(out.String()+notes.String(), c.want) {
			t.Errorf("%q: code %d, want %d and %q: %s%s", c.args, code, c.code, c.want, out.String(), notes.String())
		}
	}
}
