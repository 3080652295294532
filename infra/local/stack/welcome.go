//go:build unix

package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opsplane/opsplane/infra/local/state"
)

// welcome returns the text that says what to try. Every command in it works in the shell that
// started the stack.
func (s *stack) welcome() string {
	key, err := os.ReadFile(s.Path(state.APIKey))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(`
  Opsplane serves %[1]s
  API key (kept in %[2]s): %[3]s

  Try it, in another terminal:

  TOKEN=$(curl -sS -X POST -H "Authorization: Bearer $(cat %[4]s)" %[1]s/api/v1/access-token/refresh | sed 's/.*"token": *"//; s/".*//')
  curl -sS -w '\n' -X PUT -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"data": {"hello": "world"}}' %[1]s/api/v1/github/kv/1/key/greeting
  curl -sS -w '\n' -H "Authorization: Bearer $TOKEN" %[1]s/api/v1/github/kv/1/key/greeting

  Saved source is served at once. Ctrl-C stops everything; the data stays in %[5]s.

`, s.url, filepath.Join(s.State, state.APIKey), strings.TrimSpace(string(key)), quote(s.Path(state.APIKey)), s.State)
}

// quote quotes a path as one word for a shell. The result also works in $( ) within double
// quotes.
func quote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
