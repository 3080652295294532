//go:build unix

package stack

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opsplane/opsplane/infra/local/provision"
)

// secretsDir is the folder of the secrets: what Secrets Manager is to a stack on
// AWS. A user may put others there, and name them in PARAMETERS.
const secretsDir = "secrets"

// githubWebhookSecret is the name of the secret with which deliveries to a local
// stack are signed.
const githubWebhookSecret = "github-webhook-secret"

// makeSecrets draws the secrets that are missing.
func (s *stack) makeSecrets() error {
	if err := os.MkdirAll(s.path(secretsDir), 0o700); err != nil {
		return err
	}
	for _, name := range []string{githubWebhookSecret, provision.Name("ServerSecret")} {
		file := filepath.Join(secretsDir, name)
		_, err := os.Stat(s.path(file))
		if errors.Is(err, fs.ErrNotExist) {
			err = s.write(file, rand.Text()+rand.Text()+"\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
