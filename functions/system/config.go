package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// config is what a client must know to send a person to a VCS and back. A VCS that
// is not configured is nil, and absent in the response.
type config struct {
	GitHub *github `json:"github,omitempty"`
	GitLab *gitlab `json:"gitlab,omitempty"`
}

type github struct {
	APIBaseURL  string `json:"api_base_url"`
	AppClientID string `json:"app_client_id"`
	AppURL      string `json:"app_url"`
	WebBaseURL  string `json:"web_base_url"`
}

type gitlab struct {
	APIBaseURL  string `json:"api_base_url"`
	AppID       string `json:"app_id"`
	RedirectURL string `json:"redirect_url"`
	WebBaseURL  string `json:"web_base_url"`
}

// configFrom reads the configuration from the function's environment. It removes
// the trailing slash of URLs, because clients append paths to them.
func configFrom(env func(string) string) config {
	url := func(name string) string { return strings.TrimRight(env(name), "/") }
	c := config{}
	if id := env("GITHUB_APP_CLIENT_ID"); id != "" {
		c.GitHub = &github{
			APIBaseURL: url("GITHUB_API_BASE_URL"), AppClientID: id,
			AppURL: url("GITHUB_APP_URL"), WebBaseURL: url("GITHUB_WEB_BASE_URL"),
		}
	}
	if id := env("GITLAB_APP_ID"); id != "" {
		// Clients append paths that begin with /api. The address that the functions
		// use ends with /api.
		api := strings.TrimSuffix(url("GITLAB_API_BASE_URL"), "/api")
		c.GitLab = &gitlab{APIBaseURL: api, AppID: id, WebBaseURL: url("GITLAB_WEB_BASE_URL")}
	}
	return c
}

// addressed returns the address under which the caller reached the API.
func addressed(r *http.Request) (string, error) { return httpapi.Address(r), nil }

func (s system) serverConfig(_ context.Context, _ httpapi.Call, base string) (config, error) {
	c := s.config
	if c.GitLab != nil {
		gitlab := *c.GitLab
		gitlab.RedirectURL = base + "/api/v1/gitlab/callback"
		c.GitLab = &gitlab
	}
	return c, nil
}

// client is the response of the client id route.
type client struct {
	ID string `json:"client_id"`
}

func (s system) clientID(context.Context, httpapi.Call, struct{}) (client, error) {
	if s.config.GitHub == nil {
		return client{}, fault.ErrNotFound
	}
	return client{ID: s.config.GitHub.AppClientID}, nil
}
