package vcssetup

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v88/github"
)

// Creation makes an App.
type Creation struct {
	App App
	// Organization owns the App; empty for the person at the browser.
	Organization string
	// WebURL and HostAPIURL are GitHub's or an Enterprise Server's, without a
	// trailing slash.
	WebURL, HostAPIURL string
	// Secrets is where its secrets go.
	Secrets Secrets
	// Prefix begins the names of the secrets.
	Prefix string
	// Open is called with the address that the operator opens in a browser.
	Open func(address string)
}

// Created is an App that was made.
type Created struct {
	ID                      int64
	Slug, ClientID, HTMLURL string
	// Parameters are those of the template that name it.
	Parameters map[string]string
}

// page sends the browser to GitHub with the manifest: by itself, or by the
// button where scripts are off.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Opsplane</title></head>
<body><form id="f" action="{{.Action}}" method="post">
<input type="hidden" name="manifest" value="{{.Manifest}}">
<p>GitHub asks you for the name of the App, and makes it.</p>
<button type="submit">Create the GitHub App</button></form>
<script>document.getElementById("f").submit()</script></body></html>
`))

// Run serves the page on a loopback address until GitHub has sent the browser
// back and the App's secrets are stored, or ctx ends.
func (c Creation) Run(ctx context.Context) (Created, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Created{}, fmt.Errorf("serve the page: %w", err)
	}
	address, state := "http://"+listener.Addr().String(), rand.Text()
	type outcome struct {
		app Created
		err error
	}
	done := make(chan outcome, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		text, err := c.App.manifest(address + "/created")
		if err != nil {
			http.Error(w, "the manifest could not be written", http.StatusInternalServerError)
			return
		}
		_ = page.Execute(w, map[string]string{"Action": c.form(state), "Manifest": text})
	})
	mux.HandleFunc("GET /created", func(w http.ResponseWriter, r *http.Request) {
		// Another site may send the browser here, with a code of an App of its own.
		if subtle.ConstantTimeCompare([]byte(r.FormValue("state")), []byte(state)) != 1 || r.FormValue("code") == "" {
			http.Error(w, "this is not the App that you began to create here", http.StatusBadRequest)
			return
		}
		app, err := c.finish(ctx, r.FormValue("code"))
		if err != nil {
			http.Error(w, "The App could not be stored. The terminal says why.", http.StatusBadGateway)
		} else {
			fmt.Fprintln(w, "The GitHub App is created, and its secrets are stored. Go on in the terminal.")
		}
		select {
		case done <- outcome{app, err}:
		default: // the browser came twice: GitHub takes a code once
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	c.Open(address + "/")
	select {
	case <-ctx.Done():
		_ = server.Close()
		return Created{}, errors.New("no App was created")
	case o := <-done:
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(last)
		return o.app, o.err
	}
}

// form is where GitHub takes the manifest.
func (c Creation) form(state string) string {
	if c.Organization == "" {
		return c.WebURL + "/settings/apps/new?state=" + state
	}
	return c.WebURL + "/organizations/" + c.Organization + "/settings/apps/new?state=" + state
}

// finish exchanges the code for the App's secrets and stores them.
func (c Creation) finish(ctx context.Context, code string) (Created, error) {
	base := c.HostAPIURL + "/"
	client, err := github.NewClient(github.WithURLs(&base, &base))
	if err != nil {
		return Created{}, fmt.Errorf("%s is no address of an API", c.HostAPIURL)
	}
	app, _, err := client.Apps.CompleteAppManifest(ctx, code)
	if err != nil {
		return Created{}, errors.New("GitHub does not give the App for its code: codes are good once, and for an hour; start again")
	}
	made := Created{ID: app.GetID(), Slug: app.GetSlug(), ClientID: app.GetClientID(), HTMLURL: app.GetHTMLURL()}
	names := map[string]string{}
	for name, text := range map[string]string{
		"github-app-private-key": app.GetPEM(), "github-webhook-secret": app.GetWebhookSecret(), "github-client-secret": app.GetClientSecret(),
	} {
		names[name] = c.Prefix + name
		if text == "" {
			return Created{}, fmt.Errorf("GitHub made App %d without a %s: delete it at %s and start again", made.ID, strings.ReplaceAll(name, "-", " "), made.HTMLURL)
		}
		if err := c.Secrets.Put(ctx, names[name], text); err != nil {
			return Created{}, fmt.Errorf("store %s of App %d: %w; delete the App at %s and start again", names[name], made.ID, err, made.HTMLURL)
		}
	}
	made.Parameters = map[string]string{
		"GithubAppId": strconv.FormatInt(made.ID, 10), "GithubAppClientId": made.ClientID, "GithubAppUrl": made.HTMLURL,
		"GithubAppPrivateKey": names["github-app-private-key"], "GithubWebhookSecret": names["github-webhook-secret"],
		"GithubClientSecret": names["github-client-secret"],
	}
	if c.WebURL != PublicWeb {
		made.Parameters["GithubWebBaseUrl"], made.Parameters["GithubApiBaseUrl"] = c.WebURL, c.HostAPIURL
	}
	return made, nil
}

// The addresses of github.com.
const (
	PublicWeb = "https://github.com"
	PublicAPI = "https://api.github.com"
)
