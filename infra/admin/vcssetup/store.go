package vcssetup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v88/github"
)

// exchangeTime limits the time for reading the App's secrets and storing them.
const exchangeTime = 30 * time.Second

// secretNames are the names of an App's secrets, without the prefix, in the order
// in which they are stored. The first is the one that GitHub never shows again.
var secretNames = []string{"github-app-private-key", "github-webhook-secret", "github-client-secret"}

// free returns an error if a secret of the App exists already.
func (c Creation) free(ctx context.Context) error {
	if c.Replace {
		return nil
	}
	for _, name := range secretNames {
		taken, err := c.Secrets.Has(ctx, c.Prefix+name)
		if err != nil {
			return fmt.Errorf("secret %s: %w", c.Prefix+name, err)
		}
		if taken {
			return fmt.Errorf("secret %s exists already; an App may use it. Use another --prefix, or --replace to overwrite it", c.Prefix+name)
		}
	}
	return nil
}

// finish exchanges the code for the App's secrets and stores them.
func (c Creation) finish(ctx context.Context, code string) (Created, error) {
	base := c.HostAPIURL + "/"
	client, err := github.NewClient(github.WithURLs(&base, &base), github.WithHTTPClient(&http.Client{Timeout: patience}))
	if err != nil {
		return Created{}, fmt.Errorf("%s is not the address of an API", c.HostAPIURL)
	}
	app, _, err := client.Apps.CompleteAppManifest(ctx, code)
	if err != nil {
		return Created{}, errors.New("GitHub does not accept the code for the App. A code works once, for an hour. If GitHub has made an App, delete it, then start again")
	}
	made := Created{ID: app.GetID(), Slug: app.GetSlug(), ClientID: app.GetClientID(), HTMLURL: app.GetHTMLURL()}
	texts := []string{app.GetPEM(), app.GetWebhookSecret(), app.GetClientSecret()}
	for i, name := range secretNames {
		if texts[i] == "" {
			return Created{}, fmt.Errorf("GitHub made App %d without a %s: delete it at %s and start again", made.ID, strings.ReplaceAll(name, "-", " "), made.HTMLURL)
		}
	}
	for i, name := range secretNames {
		if err := c.Secrets.Put(ctx, c.Prefix+name, texts[i]); err != nil {
			return Created{}, fmt.Errorf("store %s of App %d: %w; delete the App at %s and start again, with --replace", c.Prefix+name, made.ID, err, made.HTMLURL)
		}
	}
	made.Parameters = map[string]string{
		"GithubAppId": strconv.FormatInt(made.ID, 10), "GithubAppClientId": made.ClientID, "GithubAppUrl": made.HTMLURL,
		"GithubAppPrivateKey": c.Prefix + secretNames[0], "GithubWebhookSecret": c.Prefix + secretNames[1], "GithubClientSecret": c.Prefix + secretNames[2],
	}
	if c.WebURL != PublicWeb {
		made.Parameters["GithubWebBaseUrl"], made.Parameters["GithubApiBaseUrl"] = c.WebURL, c.HostAPIURL
	}
	return made, nil
}
