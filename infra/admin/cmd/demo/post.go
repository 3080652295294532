package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs/webhook"
)

// post is a delivery as it is sent.
type post struct {
	vcs, id, path string
	header        http.Header
	body          []byte
}

// signer signs deliveries with the random secrets that the stack has made.
type signer struct {
	github string // webhook secret
	gitlab string // token
}

func (s *stack) signer() (signer, error) {
	github, err := s.secret("github-webhook-secret")
	if err != nil {
		return signer{}, err
	}
	tokens, err := s.secret("opsplane-webhooktokensecret")
	if err != nil {
		return signer{}, err
	}
	key, err := secret.Derive(tokens, webhook.Purpose)
	if err != nil {
		return signer{}, err
	}
	token, ok := webhook.Token(key, gitlabInstallation)
	if !ok {
		return signer{}, errors.New("the installation has no token")
	}
	return signer{github: github, gitlab: token}, nil
}

func (s *stack) secret(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.state, "secrets", name))
	return strings.TrimSpace(string(text)), err
}

// read makes the delivery of a file. The id of the delivery is computed from the
// file's content. So a second demo sends the same deliveries again, as a host
// would.
func (s signer) read(file string) (post, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return post{}, err
	}
	var d struct {
		Event string          `json:"event"`
		Body  json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return post{}, err
	}
	var body bytes.Buffer
	if err := json.Compact(&body, d.Body); err != nil {
		return post{}, err
	}
	id := uuid.NewSHA1(uuid.NameSpaceURL, text).String()
	if strings.Contains(filepath.Base(file), "-gitlab-") {
		header := vcstest.GitLabDelivery(d.Event, id, s.gitlab)
		return post{vcs: "gitlab", id: delivery.ID(gitlabInstallation, id), path: vcstest.GitLabEvents, header: header, body: body.Bytes()}, nil
	}
	header := vcstest.GitHubDelivery(d.Event, id, s.github, body.Bytes())
	return post{vcs: "github", id: delivery.ID(githubInstallation, id), path: vcstest.GitHubEvents, header: header, body: body.Bytes()}, nil
}
