// Package secret reads the secrets that a function needs, from AWS Secrets
// Manager, or from files where SECRETS_DIR names a folder of them, as a local
// stack has. Its invariant: a secret is read when it is first needed and never
// shown: errors name the secret, not its text.
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

// How long a secret that was read is used.
const (
	// Fresh is how long it is used without another look: after a change of the
	// secret, a function goes on with the old one for as long at most.
	Fresh = 5 * time.Minute
	// Stale is how long it is used while it cannot be read again.
	Stale = time.Hour
	// Early is how old a reading must be to be read again before its time. Who
	// shows something that no known word explains may be a stranger who made it up,
	// and must not cost a reading each time.
	Early = time.Second
)

// MinWord is the least length of a word of a secret that keys are derived from,
// in bytes.
const MinWord = sealed.MinSecret

// ErrNotConfigured is answered for a secret that has no name: whoever runs the
// server has not set the parameter of the template.
var ErrNotConfigured = errors.New("the secret is not configured")

// Secret is one secret. Its methods may be called by several goroutines.
type Secret struct {
	name string
	read func(context.Context, string) (string, error)
	log  *slog.Logger

	mu    sync.Mutex // one reader at a time: the others use what it brings
	text  string
	at    time.Time // of the text
	tried time.Time // of the last reading, which may have failed
}

// New returns the secret of a name or ARN; an empty name is one that is not
// configured. Nothing is read yet.
func New(cfg aws.Config, name string) *Secret {
	if dir := os.Getenv("SECRETS_DIR"); dir != "" {
		return &Secret{name: name, read: fromFile(dir), log: telemetry.Logger()}
	}
	client := secretsmanager.NewFromConfig(cfg)
	return &Secret{name: name, log: telemetry.Logger(), read: func(ctx context.Context, name string) (string, error) {
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

// Text answers the secret as of at most Fresh before now, without white space
// around it. It answers ErrNotConfigured for one that has no name or no text.
// While new readings fail, the last one is used until it is Stale, and the
// failures are logged.
func (s *Secret) Text(ctx context.Context, now time.Time) (string, error) {
	return s.asOf(ctx, now, Fresh)
}

// LatestText is Text as of at most Early before now. It is for what Text does not
// explain.
func (s *Secret) LatestText(ctx context.Context, now time.Time) (string, error) {
	return s.asOf(ctx, now, Early)
}

// asOf answers the secret as it was at most age before now.
func (s *Secret) asOf(ctx context.Context, now time.Time, age time.Duration) (string, error) {
	if !s.Configured() {
		return "", ErrNotConfigured
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// As wall clocks: the monotonic one may stand still while a function is frozen.
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

// Current is Text as of now, for who asks for the secret on each use.
func (s *Secret) Current(ctx context.Context) (string, error) { return s.Text(ctx, time.Now()) }

// Words answers the words of the secret, which is one secret or several: the
// newest first. It makes what is new, and all tell what is genuine. So a secret
// is rotated by putting another before it, and dropped once nothing of value is
// made with it. Words that are shorter than MinWord are an error.
func (s *Secret) Words(ctx context.Context, now time.Time) ([]string, error) {
	return s.words(ctx, now, Fresh)
}

// LatestWords is Words as of at most Early before now. It is for what no word of
// Words explains: another instance may have read a newer one.
func (s *Secret) LatestWords(ctx context.Context, now time.Time) ([]string, error) {
	return s.words(ctx, now, Early)
}

func (s *Secret) words(ctx context.Context, now time.Time, age time.Duration) ([]string, error) {
	text, err := s.asOf(ctx, now, age)
	words := strings.Fields(text)
	for i, word := range words {
		if len(word) < MinWord {
			return nil, fmt.Errorf("word %d of secret %s has %d bytes, fewer than %d", i+1, s.name, len(word), MinWord)
		}
	}
	return words, err
}

// Keys is Words as of now, or LatestWords, for who seals and opens.
func (s *Secret) Keys(ctx context.Context, latest bool) ([][]byte, error) {
	age := Fresh
	if latest {
		age = Early
	}
	words, err := s.words(ctx, time.Now(), age)
	keys := make([][]byte, len(words))
	for i, word := range words {
		keys[i] = []byte(word)
	}
	return keys, err
}
