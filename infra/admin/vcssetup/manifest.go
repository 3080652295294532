// Package vcssetup makes the server known to VCS hosts and checks that it is: it
// creates our GitHub App from a manifest, with one click of whoever owns it, and
// says what is missing of an App or a GitLab application.
package vcssetup

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// permissions are what the App asks for, with the reason of each in
// docs/guide-vcs.md.
func permissions() map[string]string {
	return map[string]string{
		"actions": "write", "checks": "read", "contents": "write", "issues": "write", "members": "read",
		"metadata": "read", "pull_requests": "write", "statuses": "write",
	}
}

// events are what the App delivers beside those of its own installation, which
// GitHub always delivers.
func events() []string {
	return []string{"issue_comment", "pull_request", "pull_request_review", "push", "repository", "workflow_job"}
}

// App is what the manifest says of the App to be.
type App struct {
	// Name is shown to users; at most 34 characters (GitHub).
	Name string
	// APIURL is the address of the API, without a trailing slash.
	APIURL string
	// ConsoleURL is the App's page; APIURL if empty.
	ConsoleURL string
}

// webhookPath and callbackPath are the server's, at the API's address.
const (
	webhookPath  = "/api/github/v1/events"
	callbackPath = "/api/github/v1/callback"
)

// manifest is the JSON that GitHub makes an App of ("Registering a GitHub App
// from a manifest", GitHub documentation). It sends the browser back to an
// address.
func (a App) manifest(back string) (string, error) {
	page := a.ConsoleURL
	if page == "" {
		page = a.APIURL
	}
	text, err := json.Marshal(map[string]any{
		"name": a.Name, "url": page, "redirect_url": back, "public": false,
		"hook_attributes": map[string]any{"url": a.APIURL + webhookPath, "active": true},
		"callback_urls":   []string{a.APIURL + callbackPath}, "request_oauth_on_install": false,
		"default_permissions": permissions(), "default_events": events(),
	})
	return string(text), err
}

// lacking answers which permissions and events an App has not.
func lacking(has map[string]string, listens []string) (missing []string) {
	rank := map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}
	for _, name := range slices.Sorted(maps.Keys(permissions())) {
		if want := permissions()[name]; rank[has[name]] < rank[want] {
			missing = append(missing, "permission "+name+": "+want)
		}
	}
	for _, name := range events() {
		if !slices.Contains(listens, name) {
			missing = append(missing, "event "+strings.ReplaceAll(name, "_", " "))
		}
	}
	return missing
}
