//go:build unix

package stack

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opsplane/opsplane/infra/local/demohost"
	"github.com/opsplane/opsplane/infra/local/provision"
)

// secretsDir is the folder of the secrets: what Secrets Manager is to a stack on
// AWS. A user may put others there, and name them in PARAMETERS.
const secretsDir = "secrets"

// githubWebhookSecret is the name of the secret with which deliveries to a local
// stack are signed.
const githubWebhookSecret = "github-webhook-secret"

// githubAppKey is the name of the private key with which a local stack asks its
// stand-in for GitHub.
const githubAppKey = "github-app-private-key"

// appKey answers the private key, and draws it if it is missing.
func (s *stack) appKey() (*rsa.PrivateKey, error) {
	file := filepath.Join(secretsDir, githubAppKey)
	text, err := os.ReadFile(s.path(file))
	if errors.Is(err, fs.ErrNotExist) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
		return key, s.write(file, string(pem.EncodeToMemory(block)))
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no key in PEM: remove it, and another is made", s.path(file))
	}
	return x509.ParsePKCS1PrivateKey(block.Bytes)
}

// standIn runs stand-ins for GitHub and GitLab, unless a user has configured one
// of them: then a refusal of the other is the truth.
func (s *stack) standIn() error {
	for name := range s.Parameters {
		if strings.HasPrefix(name, "Github") || strings.HasPrefix(name, "Gitlab") {
			s.Console.Say("%s is given: nothing stands in for GitHub and GitLab", name)
			return nil
		}
	}
	key, err := s.appKey()
	if err != nil {
		return err
	}
	s.hosts, err = demohost.Start(key)
	return err
}

// makeSecrets draws the secrets that are missing.
func (s *stack) makeSecrets() error {
	if err := os.MkdirAll(s.path(secretsDir), 0o700); err != nil {
		return err
	}
	for _, name := range []string{githubWebhookSecret, provision.Name("ServerSecret"), provision.Name("WebhookTokenSecret")} {
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
