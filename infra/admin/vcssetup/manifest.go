// Package vcssetup sets up the server at the hosts and checks the result. It
// creates our GitHub App from a manifest: the owner of the App needs only one
// click. It also says what an App or a GitLab application lacks.
package vcssetup

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// permissions returns the permissions that the App requests. docs/guide-vcs.md
// gives the reason for each.
func permissions() map[string]string {
	return map[string]string{
		"actions": "write", "checks": "read", "contents": "write", "issues": "write", "members": "read",
		"metadata": "read", "pull_requests": "write", "statuses": "write",
	}
}

// events returns the events that the App delivers, besides those about its own
// installation, which GitHub always delivers.
func events() []string {
	return []string{"issue_comment", "pull_request", "pull_request_review", "push", "repository", "workflow_job", "workflow_run"}
}

// App is what the manifest says about the App that will be created.
type App struct {
	// Name is shown to users. It has at most 34 characters (a limit of GitHub).
	Name string
	// APIURL is the address of the API, without a trailing slash.
	APIURL string
	// ConsoleURL is the App's page. If it is empty, the page is APIURL.
	ConsoleURL string
}

// webhookPath and callbackPath are paths of the server, below the API's address.
const (
	webhookPath  = "/api/github/v1/events"
	callbackPath = "/api/github/v1/callback"
)

// manifest returns the JSON from which GitHub makes an App ("Registering a GitHub
// App from a manifest", GitHub documentation). GitHub then sends the browser to the
// address back.
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

// lacking returns the permissions and events that an App lacks.
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
