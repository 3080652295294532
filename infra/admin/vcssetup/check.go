package vcssetup

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Finding is the result of one check of the configuration.
type Finding struct {
	// Good is false if something is missing.
	Good bool
	// What says what was checked, and what was found.
	What string
	// Do says what to do next. It is empty if the finding is good.
	Do string
}

// Checks checks what a stack needs at its hosts.
type Checks struct {
	// Parameters are the parameters of the stack. Those that are missing have the
	// template's defaults.
	Parameters map[string]string
	// APIURL is the address of the API, without a trailing slash.
	APIURL string
	// Secrets contains the secrets that the parameters name.
	Secrets Secrets
	// Client sends the requests to the hosts.
	Client *http.Client

	found []Finding
}

// patience limits the time for each request to a host.
const patience = 10 * time.Second

// Run checks both hosts and returns what it found. If nothing is configured for a
// host, that is one finding, and a good one: the server works without that host.
func (c *Checks) Run(ctx context.Context) []Finding {
	if c.Client == nil {
		c.Client = &http.Client{Timeout: patience}
	}
	c.github(ctx)
	c.gitlab(ctx)
	return c.found
}

func (c *Checks) good(format string, args ...any) {
	c.found = append(c.found, Finding{Good: true, What: fmt.Sprintf(format, args...)})
}

func (c *Checks) bad(do, format string, args ...any) {
	c.found = append(c.found, Finding{What: fmt.Sprintf(format, args...), Do: do})
}

// secret reads the secret that a parameter names. It returns an empty string if it
// cannot read the secret.
func (c *Checks) secret(ctx context.Context, parameter, what string) string {
	name := c.Parameters[parameter]
	if name == "" {
		c.bad("deploy with "+parameter+"=NAME-OF-A-SECRET", "%s: parameter %s is empty", what, parameter)
		return ""
	}
	text, err := c.Secrets.Get(ctx, name)
	if text = strings.TrimSpace(text); err == nil && text == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		c.bad("store the secret under this name, or deploy with another "+parameter, "%s: secret %s: %v", what, name, err)
		return ""
	}
	return text
}

func (c *Checks) github(ctx context.Context) {
	id := c.Parameters["GithubAppId"]
	if id == "" && c.Parameters["GithubAppClientId"] == "" && c.Parameters["GithubWebhookSecret"] == "" {
		c.good("GitHub is not configured")
		return
	}
	if secret := c.secret(ctx, "GithubWebhookSecret", "GitHub webhook secret"); secret != "" {
		if len(secret) < 16 {
			c.bad("make a longer one, at GitHub and in the secret", "GitHub webhook secret: it has %d characters", len(secret))
		} else {
			c.good("GitHub webhook secret is there")
		}
	}
	if c.secret(ctx, "GithubClientSecret", "GitHub client secret") != "" {
		c.good("GitHub client secret is there")
	}
	key := c.secret(ctx, "GithubAppPrivateKey", "GitHub App's private key")
	if key == "" {
		return
	}
	private, err := githubhost.ReadKey(key)
	if err != nil {
		c.bad("store the complete .pem file that GitHub gives for a new private key", "%v", err)
		return
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		c.bad("deploy with GithubAppId=THE-NUMBER-ON-THE-APPS-PAGE", "GithubAppId %q is not a number", id)
		return
	}
	c.app(ctx, n, private)
}

// app checks the App with requests that the App itself signs.
func (c *Checks) app(ctx context.Context, id int64, key *rsa.PrivateKey) {
	api := cmp.Or(c.Parameters["GithubApiBaseUrl"], PublicAPI)
	signed := ghinstallation.NewAppsTransportFromPrivateKey(vcshost.Confined(api, cmp.Or(c.Client.Transport, http.DefaultTransport)), id, key)
	signed.BaseURL = api
	base := strings.TrimRight(api, "/") + "/"
	client, err := github.NewClient(github.WithTransport(signed), github.WithURLs(&base, &base))
	if err != nil {
		c.bad("deploy with the address of the API, such as "+PublicAPI, "GithubApiBaseUrl %s is not an address", api)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	app, _, err := client.Apps.Get(ctx, "")
	if err != nil {
		c.bad("compare GithubAppId with the App's page, and store a private key of this App", "GitHub at %s does not accept App %d with this key", api, id)
		return
	}
	c.good("GitHub accepts the App %q (%d) with its key", app.GetSlug(), id)
	c.identity(app)
	c.hook(ctx, client, app)
	c.installations(ctx, client, app)
}

func (c *Checks) identity(app *github.App) {
	if got, want := c.Parameters["GithubAppClientId"], app.GetClientID(); got != want {
		c.bad("deploy with GithubAppClientId="+want, "GithubAppClientId is %q, the App's is %q", got, want)
	} else {
		c.good("GithubAppClientId is the App's")
	}
	if missing := lacking(granted(app.GetPermissions()), app.Events); len(missing) > 0 {
		c.bad("set them at "+app.GetHTMLURL()+" (its settings, Permissions & events), and accept them where it is installed",
			"the App lacks %s", strings.Join(missing, ", "))
	} else {
		c.good("the App has all permissions and events")
	}
}

// granted returns the permissions of an App, or those that an installation has
// accepted. It returns only permissions that the server uses.
func granted(p *github.InstallationPermissions) map[string]string {
	has := map[string]string{}
	for name, value := range map[string]*string{
		"actions": p.Actions, "checks": p.Checks, "contents": p.Contents, "issues": p.Issues, "members": p.Members,
		"metadata": p.Metadata, "pull_requests": p.PullRequests, "statuses": p.Statuses,
	} {
		if value != nil {
			has[name] = *value
		}
	}
	return has
}

func (c *Checks) hook(ctx context.Context, client *github.Client, app *github.App) {
	config, _, err := client.Apps.GetHookConfig(ctx)
	if err != nil {
		c.bad("activate the webhook in the App's settings", "the App has no webhook")
		return
	}
	if want := c.APIURL + webhookPath; config.GetURL() != want {
		c.bad("set the webhook URL in the App's settings to "+want, "the App delivers to %s", config.GetURL())
	} else {
		c.good("the App delivers to %s", want)
	}
	if kind := config.GetContentType(); kind != "json" {
		c.bad("set the webhook's content type to application/json", "the App delivers as %q", kind)
	}
	deliveries, _, err := client.Apps.ListHookDeliveries(ctx, &github.ListCursorOptions{PerPage: 30})
	if err != nil {
		c.bad("look at Advanced in the App's settings", "GitHub does not list the last deliveries")
		return
	}
	c.deliveries(deliveries, app)
}

// deliveries checks the last deliveries, the newest first. If the newest arrived,
// the cause of earlier failures was removed. The finding still mentions the
// failures, because it may be useful to deliver them again.
func (c *Checks) deliveries(list []*github.HookDelivery, app *github.App) {
	failed := 0
	for _, d := range list {
		if !arrived(d) {
			failed++
		}
	}
	switch {
	case len(list) == 0:
		c.good("the App has delivered nothing yet")
	case !arrived(list[0]):
		c.bad("see docs/guide-vcs.md, Troubleshooting, and Advanced in the App's settings at "+app.GetHTMLURL(),
			"%d of the last %d deliveries failed, the newest with status %d", failed, len(list), list[0].GetStatusCode())
	case failed > 0:
		c.good("the newest delivery arrived; %d of the last %d failed before: they can be delivered again, Advanced in the App's settings at %s",
			failed, len(list), app.GetHTMLURL())
	default:
		c.good("the last %d deliveries arrived", len(list))
	}
}

func arrived(d *github.HookDelivery) bool { return d.GetStatusCode()/100 == 2 }

func (c *Checks) installations(ctx context.Context, client *github.Client, app *github.App) {
	list, _, err := client.Apps.ListInstallations(ctx, &github.ListOptions{PerPage: 100})
	switch {
	case err != nil:
		c.bad("try again", "GitHub does not list the App's installations")
	case len(list) == 0:
		c.bad("install it: "+app.GetHTMLURL()+"/installations/new", "the App is installed nowhere")
	default:
		c.good("the App is installed %d times", len(list))
	}
	asked := lacking(granted(app.GetPermissions()), events()) // what the App itself lacks is reported already
	for _, i := range list {
		where := fmt.Sprintf("installation %d (%s)", i.GetID(), i.GetAccount().GetLogin())
		if i.SuspendedAt != nil {
			c.bad("ask its owner to unsuspend it in the organisation's settings, GitHub Apps, Configure", "%s is suspended", where)
		}
		missing := slices.DeleteFunc(lacking(granted(i.GetPermissions()), events()), func(what string) bool { return slices.Contains(asked, what) })
		if len(missing) > 0 {
			c.bad("have its owner accept the App's new permissions in the settings there, GitHub Apps, Configure", "%s has not accepted %s",
				where, strings.Join(missing, ", "))
		}
	}
}

func (c *Checks) gitlab(ctx context.Context) {
	if c.Parameters["GitlabAppId"] == "" {
		c.good("GitLab is not configured")
		return
	}
	if c.secret(ctx, "GitlabAppSecret", "GitLab application's secret") != "" {
		c.good("GitLab application's secret is there")
	}
	const everybodys = "https://gitlab.com/api"
	api := cmp.Or(c.Parameters["GitlabApiBaseUrl"], everybodys)
	if strings.TrimRight(api, "/") == everybodys && c.Parameters["GitlabGroups"] == "" {
		c.bad("deploy with GitlabGroups=IDS-OF-YOUR-GROUPS", "anybody with an account at gitlab.com can make this server work for their own group")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(api, "/")+"/v4/version", nil)
	if err != nil {
		c.bad("deploy with the address of the API without the version, such as https://gitlab.com/api", "GitlabApiBaseUrl %s is not an address", api)
		return
	}
	response, err := c.Client.Do(r)
	if err != nil {
		c.bad("let the functions reach it, and compare GitlabApiBaseUrl", "GitLab does not respond at %s", api)
		return
	}
	defer func() { _ = response.Body.Close() }()
	if !comesFromGitLab(response) {
		c.bad("deploy with the address of the API without the version, such as https://gitlab.com/api", "the server at %s is not a GitLab: status %d", api, response.StatusCode)
		return
	}
	c.good("GitLab responds at %s; let its application send browsers back to %s/api/v1/gitlab/callback, and give it the scope read_api, "+
		"and api too if a console of yours begins its logins at GitLab itself", api, c.APIURL)
}

// comesFromGitLab reports whether a response comes from GitLab. It recognises GitLab
// by the message with which GitLab refuses to show its version without a token. The
// status alone is not enough, because any server may respond with 401.
func comesFromGitLab(response *http.Response) bool {
	var said struct {
		Message string `json:"message"`
	}
	err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&said)
	return err == nil && response.StatusCode == http.StatusUnauthorized && said.Message == "401 Unauthorized"
}
