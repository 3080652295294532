package secret

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
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
	s := New(aws.Config{}, "webhook", time.Now)
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
	// While the secret cannot be read, the last text is used for a limited time,
	// and the log says so.
	var log bytes.Buffer
	s.log = slog.New(slog.NewJSONHandler(&log, nil))
	read(3*Fresh, "two")
	read(Fresh+Stale-time.Second, "two")
	if n := strings.Count(log.String(), "cannot be read"); n != 2 || strings.Contains(log.String(), "two") {
		t.Errorf("the log says it %d times, want 2, without the text: %s", n, log.String())
	}
	if got, err := s.Text(t.Context(), now.Add(Fresh+Stale)); err == nil {
		t.Errorf("an hour later: got %q, want an error", got)
	}
	write("three")
	read(Fresh+Stale, "three")
}

// counted returns a secret that counts its readings.
func counted(texts ...string) (s *Secret, reads *int) {
	reads = new(int)
	return &Secret{name: "server", log: slog.New(slog.DiscardHandler), read: func(context.Context, string) (string, error) {
		text := texts[min(*reads, len(texts)-1)]
		if *reads++; text == "" {
			return "", errors.New("denied")
		}
		return text, nil
	}}, reads
}

func TestLatestValuesAreReadAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	older, newer := strings.Repeat("o", MinValue), strings.Repeat("n", MinValue)
	now := time.Unix(4_000_000_000, 0)
	for name, c := range map[string]struct {
		texts []string
		want  string // the latest values, half a second and a second after the first reading
	}{
		"rotated":        {[]string{older, newer + " " + older}, newer + " " + older},
		"cannot be read": {[]string{older, ""}, older},
	} {
		s, reads := counted(c.texts...)
		values := func(after time.Duration, latest bool, want string, n int) {
			t.Helper()
			ask := s.Values
			if latest {
				ask = s.LatestValues
			}
			got, err := ask(t.Context(), now.Add(after))
			if err != nil || strings.Join(got, " ") != want || *reads != n {
				t.Errorf("%s, after %s: got %q, %v with %d readings; want %q with %d", name, after, got, err, *reads, want, n)
			}
		}
		values(0, false, older, 1)
		values(Early-time.Millisecond, true, older, 1)
		values(Early, true, c.want, 2)
		for range 100 { // texts of anonymous callers
			values(2*Early-time.Millisecond, true, c.want, 2)
		}
		values(2*Early-time.Millisecond, false, c.want, 2)
		values(2*Early, true, c.want, 3)
	}
}

func TestKeysAreTheValues(t *testing.T) {
	t.Parallel()
	older, newer := strings.Repeat("o", MinValue), strings.Repeat("n", MinValue)
	s, reads := counted(newer + " " + older)
	now := time.Unix(4_000_000_000, 0)
	s.now = func() time.Time { return now }
	for _, latest := range []bool{false, true} {
		keys, err := s.Keys(t.Context(), latest)
		if err != nil || len(keys) != 2 || string(keys[0]) != newer || string(keys[1]) != older || *reads != 1 {
			t.Errorf("latest %t: got %q, %v with %d readings, want both values with 1", latest, keys, err, *reads)
		}
	}
	now = now.Add(Early)
	if _, err := s.Keys(t.Context(), true); err != nil || *reads != 2 {
		t.Errorf("a second later: %v with %d readings, want 2", err, *reads)
	}
}

func TestSecretWhoseTextIsTakenAwayIsNotConfigured(t *testing.T) {
	t.Parallel()
	s, _ := counted("one", " \n")
	now := time.Unix(4_000_000_000, 0)
	if got, err := s.Text(t.Context(), now); err != nil || got != "one" {
		t.Fatalf("got %q, %v", got, err)
	}
	for range 2 {
		if got, err := s.Text(t.Context(), now.Add(Fresh)); !errors.Is(err, ErrNotConfigured) {
			t.Errorf("got %q, %v, want ErrNotConfigured", got, err)
		}
	}
}

func TestSecretWithoutNameOrTextIsNotConfigured(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SECRETS_DIR", dir)
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "empty"} {
		if _, err := New(aws.Config{}, name, time.Now).Text(t.Context(), time.Now()); !errors.Is(err, ErrNotConfigured) {
			t.Errorf("%q: %v, want %v", name, err, ErrNotConfigured)
		}
	}
	if _, err := New(aws.Config{}, "../outside", time.Now).Text(t.Context(), time.Now()); err == nil || strings.Contains(err.Error(), dir) {
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

func TestSecretOfSeveralValuesIsRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MinValue-1)
	for text, want := range map[string]string{
		long + "1 " + long + "2\n " + long + "3\n": long + "1," + long + "2," + long + "3",
		long:               "",
		long + "1 " + long: "",
	} {
		s, _ := counted(text)
		got, err := s.Values(t.Context(), time.Now())
		if strings.Join(got, ",") != want || (want == "") != (err != nil) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), long) {
			t.Errorf("the error shows the secret: %v", err)
		}
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
