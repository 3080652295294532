// Package secret reads the secrets that a function needs, from AWS Secrets
// Manager, or from files where SECRETS_DIR names a folder of them, as a local
// stack has. Its invariant: a secret is read when it is first needed and never
// shown: errors name the secret, not its text.
package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Fresh is how long a secret that was read is used: after a change of the
// secret, a function goes on with the old one for as long at most.
const Fresh = 5 * time.Minute

// ErrNotConfigured is answered for a secret that has no name: whoever runs the
// server has not set the parameter of the template.
var ErrNotConfigured = errors.New("the secret is not configured")

// Secret is one secret. Its methods may be called by several goroutines.
type Secret struct {
	name string
	read func(context.Context, string) (string, error)

	mu   sync.Mutex
	text string
	at   time.Time
}

// New returns the secret of a name or ARN; an empty name is one that is not
// configured. Nothing is read yet.
func New(cfg aws.Config, name string) *Secret {
	if dir := os.Getenv("SECRETS_DIR"); dir != "" {
		return &Secret{name: name, read: fromFile(dir)}
	}
	client := secretsmanager.NewFromConfig(cfg)
	return &Secret{name: name, read: func(ctx context.Context, name string) (string, error) {
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
// While a new reading fails, the last one is used.
func (s *Secret) Text(ctx context.Context, now time.Time) (string, error) {
	if !s.Configured() {
		return "", ErrNotConfigured
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text != "" && now.Sub(s.at) < Fresh {
		return s.text, nil
	}
	text, err := s.read(ctx, s.name)
	switch text = strings.TrimSpace(text); {
	case err != nil && s.text != "":
		return s.text, nil
	case err != nil:
		return "", fmt.Errorf("read secret %s: %w", s.name, err)
	case text == "":
		return "", ErrNotConfigured
	}
	s.text, s.at = text, now
	return text, nil
}

// Current is Text as of now, for who asks for the secret on each use.
func (s *Secret) Current(ctx context.Context) (string, error) { return s.Text(ctx, time.Now()) }

// Words answers the words of the secret, which is one secret or several: the
// newest first. It makes what is new, and all tell what is genuine. So a secret
// is rotated by putting another before it, and dropped once nothing of value is
// made with it.
func (s *Secret) Words(ctx context.Context, now time.Time) ([]string, error) {
	text, err := s.Text(ctx, now)
	return strings.Fields(text), err
}

// Keys is Words as of now, for who seals and opens.
func (s *Secret) Keys(ctx context.Context) ([][]byte, error) {
	words, err := s.Words(ctx, time.Now())
	keys := make([][]byte, len(words))
	for i, word := range words {
		keys[i] = []byte(word)
	}
	return keys, err
}
