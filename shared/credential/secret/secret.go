// Package secret reads the secrets that a function needs. It reads them from AWS
// Secrets Manager. If SECRETS_DIR names a folder, as in a local stack, it reads
// them from files there. The package's invariant: a secret is read when it is first
// needed and is never shown. Errors name the secret, not its text.
package secret

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/telemetry"
)

// How long a secret is used after it was read.
const (
	// Fresh is how long it is used without a new reading. After a change of the
	// secret, a function uses the old one for at most this time.
	Fresh = 5 * time.Minute
	// Stale is how long it is used while new readings fail.
	Stale = time.Hour
	// Early is the least age of a reading before the secret may be read again
	// earlier than Fresh says. A caller may show something that no known value of
	// the secret explains. An anonymous caller may have invented it, so it must not
	// cause a reading each time.
	Early = time.Second
)

// MinValue is the least length, in bytes, of a value of a secret that keys are
// derived from.
const MinValue = sealed.MinSecret

// ErrNotConfigured is returned for a secret that has no name: the operator has not
// set the parameter of the template.
var ErrNotConfigured = errors.New("the secret is not configured")

// Secret is one secret. Its methods may be called by several goroutines.
type Secret struct {
	name string
	read func(context.Context, string) (string, error)
	log  *slog.Logger
	now  func() time.Time // the clock of Current and Keys

	mu    sync.Mutex // one reader at a time: the others use what it reads
	text  string
	at    time.Time // when the text was read
	tried time.Time // when the last reading was tried; it may have failed
}

// New returns the secret with a name or ARN. An empty name means that the secret is
// not configured. now is the clock of Current and Keys; the other methods get the
// time from their caller. New reads nothing yet.
func New(cfg aws.Config, name string, now func() time.Time) *Secret {
	if dir := os.Getenv("SECRETS_DIR"); dir != "" {
		return &Secret{name: name, now: now, read: fromFile(dir), log: telemetry.Logger()}
	}
	client := secretsmanager.NewFromConfig(cfg)
	return &Secret{name: name, now: now, log: telemetry.Logger(), read: func(ctx context.Context, name string) (string, error) {
		out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.SecretString), nil
	}}
}

func fromFile(dir string) func(context.Context, string) (string, error) {
	return func(_ context.Context, name string) (string, error) {
		if filepath.Base(name) != name {
			return "", errors.New("its name is no file name")
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		return string(text), err
	}
}

// Configured reports whether the secret has a name.
func (s *Secret) Configured() bool { return s.name != "" }

// Text returns the secret as it was at most Fresh before now, without white space
// around it. It returns ErrNotConfigured for a secret that has no name or no text.
// While new readings fail, the last one is used until it is Stale, and the failures
// are logged.
func (s *Secret) Text(ctx context.Context, now time.Time) (string, error) {
	return s.asOf(ctx, now, Fresh)
}

// LatestText is like Text, but the secret is as it was at most Early before now.
// Use it if a caller shows something that the result of Text does not explain.
func (s *Secret) LatestText(ctx context.Context, now time.Time) (string, error) {
	return s.asOf(ctx, now, Early)
}

// asOf returns the secret as it was at most age before now.
func (s *Secret) asOf(ctx context.Context, now time.Time, age time.Duration) (string, error) {
	if !s.Configured() {
		return "", ErrNotConfigured
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Use the wall clock: the monotonic clock may stop while a function is frozen.
	now = now.Round(0)
	known := s.text != "" && now.Sub(s.at) < Stale
	if known && (now.Sub(s.at) < age || now.Sub(s.tried) < Early) {
		return s.text, nil
	}
	s.tried = now
	text, err := s.read(ctx, s.name)
	switch text = strings.TrimSpace(text); {
	case err != nil && known:
		s.log.LogAttrs(ctx, slog.LevelError, "a secret cannot be read, its last reading is used",
			slog.String("secret", s.name), slog.Float64("age_s", now.Sub(s.at).Seconds()), slog.String("error", err.Error()))
		return s.text, nil
	case err != nil:
		return "", fmt.Errorf("read secret %s: %w", s.name, err)
	}
	s.text, s.at = text, now
	if text == "" {
		return "", ErrNotConfigured
	}
	return text, nil
}

// Current is Text as of now, for callers that ask for the secret at each use.
func (s *Secret) Current(ctx context.Context) (string, error) { return s.Text(ctx, s.now()) }

// Values returns the values of the secret, the newest first. There may be one or
// several. The newest value makes what is new, and every value verifies. To rotate
// a secret, an operator puts a new value before the old one, and removes the old
// one when nothing that matters is made with it any more. A value that is shorter
// than MinValue is an error.
func (s *Secret) Values(ctx context.Context, now time.Time) ([]string, error) {
	return s.values(ctx, now, Fresh)
}

// LatestValues is like Values, but the values are as they were at most Early before
// now. Use it if no known value explains what a caller shows: another instance
// may have read a newer value.
func (s *Secret) LatestValues(ctx context.Context, now time.Time) ([]string, error) {
	return s.values(ctx, now, Early)
}

func (s *Secret) values(ctx context.Context, now time.Time, age time.Duration) ([]string, error) {
	text, err := s.asOf(ctx, now, age)
	values := strings.Fields(text)
	for i, value := range values {
		if len(value) < MinValue {
			return nil, fmt.Errorf("value %d of secret %s has %d bytes, fewer than %d", i+1, s.name, len(value), MinValue)
		}
	}
	return values, err
}

// Keys returns Values as of now as byte slices, or LatestValues if latest is true. It
// is for sealing and opening.
func (s *Secret) Keys(ctx context.Context, latest bool) ([][]byte, error) {
	age := Fresh
	if latest {
		age = Early
	}
	values, err := s.values(ctx, s.now(), age)
	keys := make([][]byte, len(values))
	for i, value := range values {
		keys[i] = []byte(value)
	}
	return keys, err
}
