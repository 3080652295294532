package secret

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestSecretOfAFileIsReadAgainWhenItIsOld(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SECRETS_DIR", dir)
	s := New(aws.Config{}, "webhook")
	now := time.Unix(4_000_000_000, 0)
	if _, err := s.Text(t.Context(), now); err == nil || errors.Is(err, ErrNotConfigured) {
		t.Errorf("a file that is missing: %v", err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "webhook"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(after time.Duration, want string) {
		t.Helper()
		if got, err := s.Text(t.Context(), now.Add(after)); err != nil || got != want {
			t.Errorf("after %s: got %q, %v; want %q", after, got, err, want)
		}
	}
	write("one\n")
	read(0, "one")
	write("two\n")
	read(Fresh-time.Second, "one")
	read(Fresh, "two")
	if err := os.Remove(filepath.Join(dir, "webhook")); err != nil {
		t.Fatal(err)
	}
	read(3*Fresh, "two")
}

func TestSecretWithoutNameOrTextIsNotConfigured(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SECRETS_DIR", dir)
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "empty"} {
		if _, err := New(aws.Config{}, name).Text(t.Context(), time.Now()); !errors.Is(err, ErrNotConfigured) {
			t.Errorf("%q: %v, want %v", name, err, ErrNotConfigured)
		}
	}
	if _, err := New(aws.Config{}, "../outside").Text(t.Context(), time.Now()); err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("a name that leaves the folder: %v", err)
	}
}

func TestFailureToReadNamesTheSecretAlone(t *testing.T) {
	t.Parallel()
	broken := errors.New("denied")
	s := &Secret{name: "webhook", read: func(context.Context, string) (string, error) { return "text", broken }}
	if _, err := s.Text(t.Context(), time.Now()); !errors.Is(err, broken) || strings.Contains(err.Error(), "text") {
		t.Errorf("got %v", err)
	}
}

func TestSecretOfSeveralWordsIsRead(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SECRETS_DIR", dir)
	if err := os.WriteFile(filepath.Join(dir, "server"), []byte("new old\n older\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := New(aws.Config{}, "server").Words(t.Context(), time.Now()); err != nil || strings.Join(got, ",") != "new,old,older" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDerivedKeysDifferByPurposeAndSecret(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, server := range []string{"one", "two"} {
		for _, purpose := range []string{"session", "seal"} {
			key, err := Derive(server, purpose)
			again, _ := Derive(server, purpose)
			if err != nil || len(key) != KeySize || string(key) != string(again) || seen[string(key)] {
				t.Errorf("%s of %s: %x, %v", purpose, server, key, err)
			}
			seen[string(key)] = true
		}
	}
}
