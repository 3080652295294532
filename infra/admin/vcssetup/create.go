package vcssetup

import (
	"context"
	"crypto/rand"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"time"
)

// Creation makes an App.
type Creation struct {
	App App
	// Organization owns the App. If it is empty, the owner is the person at the
	// browser.
	Organization string
	// WebURL and HostAPIURL are the addresses of GitHub or of an Enterprise Server,
	// without a trailing slash.
	WebURL, HostAPIURL string
	// Secrets is where the App's secrets are stored.
	Secrets Secrets
	// Prefix is the beginning of the names of the secrets.
	Prefix string
	// Replace allows the command to overwrite existing secrets, which belong to
	// another App.
	Replace bool
	// Open is called with the address that the operator opens in a browser.
	Open func(address string)
}

// Created is an App that was made.
type Created struct {
	ID                      int64
	Slug, ClientID, HTMLURL string
	// Parameters are the template's parameters that name the App.
	Parameters map[string]string
}

// page sends the browser to GitHub with the manifest. A script does that, or the
// person presses the button if scripts are off.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Opsplane</title></head>
<body><form id="f" action="{{.Action}}" method="post">
<input type="hidden" name="manifest" value="{{.Manifest}}">
<p>GitHub asks you for the name of the App, and makes it.</p>
<button type="submit">Create the GitHub App</button></form>
<script>document.getElementById("f").submit()</script></body></html>
`))

// Run serves the page on a loopback address. It ends when GitHub has sent the
// browser back and the App's secrets are stored, or when ctx ends. If secrets exist
// already and may not be replaced, Run returns an error before anything happens.
func (c Creation) Run(ctx context.Context) (Created, error) {
	if err := c.free(ctx); err != nil {
		return Created{}, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Created{}, fmt.Errorf("serve the page: %w", err)
	}
	v := &visit{
		Creation: c, host: listener.Addr().String(), path: "/" + rand.Text(), state: rand.Text(),
		begun: make(chan struct{}, 1), done: make(chan outcome, 1),
	}
	server := &http.Server{
		Handler: v.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 2 * exchangeTime, IdleTimeout: time.Minute,
	}
	go func() { _ = server.Serve(listener) }()
	c.Open("http://" + v.host + v.path)
	var o outcome
	select {
	case <-ctx.Done():
		o = v.interrupted()
	case o = <-v.done:
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = server.Shutdown(last)
	return o.app, o.err
}

// form returns the address to which the manifest is sent at GitHub.
func (c Creation) form(state string) string {
	if c.Organization == "" {
		return c.WebURL + "/settings/apps/new?state=" + state
	}
	return c.WebURL + "/organizations/" + c.Organization + "/settings/apps/new?state=" + state
}

// The addresses of github.com.
const (
	PublicWeb = "https://github.com"
	PublicAPI = "https://api.github.com"
)
