//go:build unix

package journey

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Admin runs an operator's command on the stack and returns its output.
func (s *Stack) Admin(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.TryAdmin(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TryAdmin is Admin, but it returns an error for a command that fails.
func (s *Stack) TryAdmin(args ...string) (string, error) {
	cmd := exec.Command(s.programs.admin, args...)
	cmd.Env = append(os.Environ(), "STATE="+s.State, "STACK=")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("admin %q: %w: %s", args, err, complaint.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// Installation is an installation of a VCS.
type Installation struct {
	VCS, ID string
}

// NewID returns an id for an installation that no other test uses.
func NewID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return strconv.FormatUint(1+binary.BigEndian.Uint64(b[:])>>16, 10)
}

// Installation makes an installation of a VCS.
func (s *Stack) Installation(t testing.TB, vcs string) Installation {
	t.Helper()
	return s.Named(t, vcs, NewID())
}

// Named makes an installation with the given id.
func (s *Stack) Named(t testing.TB, vcs, id string) Installation {
	t.Helper()
	s.Admin(t, "installation", "create", "--vcs", vcs, "--id", id, "--name", "journey-"+id)
	return Installation{VCS: vcs, ID: id}
}

// Path returns the path of a key-value operation, such as "key" or "cas/key", on a key. The key
// is encoded as real clients encode it: slashes too.
func (i Installation) Path(operation, key string) string {
	return i.Base() + "/" + operation + "/" + strings.ReplaceAll(url.QueryEscape(key), "+", "%20")
}

// Base returns the start of the paths of the installation's key-value store.
func (i Installation) Base() string {
	return fmt.Sprintf("/api/v1/%s/kv/%s", i.VCS, i.ID)
}

// User makes a user who is a member of the installations, and returns the user's name.
func (s *Stack) User(t testing.TB, of ...Installation) string {
	t.Helper()
	name := "user-" + strings.ToLower(rand.Text()[:10])
	s.Admin(t, "user", "create", name)
	for _, i := range of {
		s.Admin(t, "membership", "add", "--user", name, "--vcs", i.VCS, "--installation", i.ID)
	}
	return name
}

// Capabilities returns the names of all capabilities that a key can have.
func Capabilities() []string {
	return []string{
		"access_token_create", "access_token_refresh", "audit_read", "kv_store_read", "kv_store_write",
		"kv_store_system_read", "kv_store_system_write", "run_admin", "run_apply", "run_plan", "run_read",
	}
}

// Key makes an API key of a user with capabilities, and returns its text.
func (s *Stack) Key(t testing.TB, user string, capabilities ...string) string {
	t.Helper()
	args := []string{"key", "create", "--user", user, "--name", "journey"}
	for _, c := range capabilities {
		args = append(args, "--capability", c)
	}
	return s.Admin(t, args...)
}

// Member makes an installation and a user who is its member. It returns a client of that user
// with all capabilities, and the installation.
func (s *Stack) Member(t testing.TB) (*Client, Installation) {
	t.Helper()
	i := s.Installation(t, "github")
	return s.Client(s.Key(t, s.User(t, i), Capabilities()...)), i
}
