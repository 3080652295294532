//go:build unix

package stack

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opsplane/opsplane/infra/local/demohost"
	"github.com/opsplane/opsplane/infra/local/state"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs/webhook"
)

// appKey returns the App's private key, and generates it if it is missing.
func (s *stack) appKey() (*rsa.PrivateKey, error) {
	file := filepath.Join(state.Secrets, state.GitHubAppKey)
	text, err := os.ReadFile(s.Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
		return key, s.Write(file, string(pem.EncodeToMemory(block)))
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no key in PEM: remove it, and another is made", s.Path(file))
	}
	return x509.ParsePKCS1PrivateKey(block.Bytes)
}

// standIn starts the stand-ins for GitHub and GitLab. It starts neither if the user has
// configured one of the two hosts: then the other host is really missing, and requests that
// need it must fail.
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
	signs, err := s.secret(state.GitHubWebhookSecret)
	if err != nil {
		return err
	}
	tokens, err := s.secret(state.WebhookTokenSecret)
	if err != nil {
		return err
	}
	derived, err := secret.Derive(tokens, webhook.Purpose)
	if err != nil {
		return err
	}
	token, _ := webhook.Token(derived, demohost.Group)
	s.hosts, err = demohost.Start(demohost.Config{
		Key: key, Server: s.url, GitHubSecret: signs, GitLabToken: token, States: s.Path(state.Data, state.Terraform), Repositories: s.Path(state.Data, state.Git),
		Log: func() io.WriteCloser { return s.Console.Lines("ci") },
	})
	return err
}

// secret returns a secret that the stack has made.
func (s *stack) secret(name string) (string, error) {
	text, err := os.ReadFile(s.Path(filepath.Join(state.Secrets, name)))
	return strings.TrimSpace(string(text)), err
}

// makeSecrets generates the secrets that are missing. For a local stack the folder takes the
// place of Secrets Manager. A user may add secrets to it and name them in PARAMETERS.
func (s *stack) makeSecrets() error {
	if err := os.MkdirAll(s.Path(state.Secrets), 0o700); err != nil {
		return err
	}
	for _, name := range []string{state.GitHubWebhookSecret, state.ServerSecret, state.WebhookTokenSecret} {
		file := filepath.Join(state.Secrets, name)
		_, err := os.Stat(s.Path(file))
		if errors.Is(err, fs.ErrNotExist) {
			err = s.Write(file, rand.Text()+rand.Text()+"\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
