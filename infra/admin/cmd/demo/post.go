package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

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
	header := http.Header{"Content-Type": {"application/json"}}
	if strings.Contains(filepath.Base(file), "-gitlab-") {
		header.Set("X-Gitlab-Event", d.Event)
		header.Set("X-Gitlab-Token", s.gitlab)
		header.Set("Idempotency-Key", id)
		return post{vcs: "gitlab", id: delivery.ID(gitlabInstallation, id), path: "/api/v1/gitlab/events", header: header, body: body.Bytes()}, nil
	}
	sum := hmac.New(sha256.New, []byte(s.github))
	sum.Write(body.Bytes())
	header.Set("X-GitHub-Event", d.Event)
	header.Set("X-GitHub-Delivery", id)
	header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum.Sum(nil)))
	return post{vcs: "github", id: delivery.ID(githubInstallation, id), path: "/api/github/v1/events", header: header, body: body.Bytes()}, nil
}
