//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/local/demohost"
	"github.com/opsplane/opsplane/infra/test/vcstest/gitrepo"
)

// product takes the deliveries of the hosts in place of a stack.
type product struct {
	mu   sync.Mutex
	took []string // events
}

func (p *product) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var action struct {
		Action     string
		Attributes struct{ Action string } `json:"object_attributes"`
	}
	_ = json.Unmarshal(body, &action)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, strings.TrimSpace(r.Header.Get("X-GitHub-Event")+r.Header.Get("X-Gitlab-Event")+" "+action.Action+action.Attributes.Action))
}

// taken waits for a number of deliveries and returns all so far.
func (p *product) taken(t *testing.T, n int) string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		took := p.took
		p.mu.Unlock()
		if len(took) >= n || time.Now().After(end) {
			return strings.Join(took, ", ")
		}
	}
}

// silent is a log that nobody reads.
type silent struct{ io.Writer }

func (silent) Close() error { return nil }

// desk is a state folder with running hosts.
type desk struct {
	*product
	t      *testing.T
	folder string
	config demohost.Config
	hosts  *demohost.Hosts
}

// appKey returns the App's key, which all tests share: making one takes longer than most tests.
var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newDesk(t *testing.T) *desk {
	t.Helper()
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{product: &product{}, t: t, folder: t.TempDir()}
	server := httptest.NewServer(d.product)
	t.Cleanup(server.Close)
	d.config = demohost.Config{
		Key: key, Server: server.URL, GitHubSecret: "secret", GitLabToken: "token", States: t.TempDir(), Repositories: filepath.Join(d.folder, "git"),
		Log: func() io.WriteCloser { return silent{t.Output()} },
	}
	d.start()
	t.Cleanup(func() { d.hosts.Close() })
	return d
}

// start starts the hosts, as a stack does.
func (d *desk) start() {
	d.t.Helper()
	hosts, err := demohost.Start(d.config)
	if err == nil {
		err = os.WriteFile(filepath.Join(d.folder, "stack.json"), fmt.Appendf(nil, `{"hosts_url":%q}`, hosts.URL), 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.hosts = hosts
}

// run runs a command and returns what it prints. Its error is part of that.
func (d *desk) run(args ...string) string {
	d.t.Helper()
	var out bytes.Buffer
	if err := run(args, d.folder, &out); err != nil {
		return "error: " + err.Error()
	}
	return out.String()
}

// want runs a command and checks that it prints texts.
func (d *desk) want(command string, texts ...string) string {
	d.t.Helper()
	args := strings.Fields(command)
	if text, ok := strings.CutPrefix(command, "pr comment "); ok {
		args = []string{"pr", "comment", text}
	}
	printed := d.run(args...)
	for _, text := range texts {
		if !strings.Contains(printed, text) {
			d.t.Errorf("%s prints\n%s\nwithout %q", command, printed, text)
		}
	}
	return printed
}

func TestPullRequestGoesFromOpenToMerged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flags, approved, events string }{
		{
			"", "bob: APPROVED",
			"push, pull_request opened, issue_comment created, push, pull_request synchronize, pull_request_review submitted, pull_request closed, push",
		},
		{
			" --host gitlab", "bob: approved",
			"Push Hook, Merge Request Hook open, Note Hook create, Push Hook, Merge Request Hook update, Merge Request Hook approved, Merge Request Hook merge, Push Hook",
		},
	} {
		t.Run(c.flags, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.want("pr open"+c.flags, "Opened number ", "/pulls/")
			d.want("pr show"+c.flags, "Change prod/net (", "open: change-1 into main by ann", "added prod/net/change_1.tf")
			if c.flags == "" {
				d.want("pr comment terraform plan", "Commented on number 19 of acme/infra as ann")
			} else {
				d.want("pr comment --host gitlab terraform plan")
				if printed := d.run("pr", "comment", "--host", "gitlab", "terraform plan"); !strings.Contains(printed, "Commented on number 5 of acme-group/network") {
					t.Errorf("a comment prints %s", printed)
				}
			}
			before := d.want("pr show"+c.flags, "ann:\n    terraform plan\n")
			d.want("pr push"+c.flags, "Pushed to number ")
			if after := d.want("pr show" + c.flags); after == before {
				t.Error("a push changed nothing")
			}
			d.want("pr approve"+c.flags, "as bob")
			d.want("pr merge --method squash"+c.flags, "Merged number ")
			d.want("pr show"+c.flags, "merged: change-1", c.approved)
			if got := d.taken(t, strings.Count(c.events, ",")+1); got != c.events {
				t.Errorf("delivered\n%s\nwant\n%s", got, c.events)
			}
		})
	}
}

func TestPullRequestCanHaveFilesOfTheUser(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := filepath.Join(t.TempDir(), "main.tf")
	if err := os.WriteFile(file, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.want("pr open --title Mine --branch mine --write prod/net/main.tf="+file+" --remove staging --draft", "Opened number 19")
	d.want("pr show 19", "Mine (github acme/infra 19)", "draft: mine into main by ann", "modified prod/net/main.tf", "removed staging/app/main.tf")
	d.want("pr merge", "error: ", "draft")
	d.want("pr open --branch broken", "Opened number 20")
	d.want("pr show", "modified prod/app/main.tf")
}

func TestPushWithGitToTheFolderOfTheRepositoryCounts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.want("pr open")
	git, err := gitrepo.Open(filepath.Join(d.config.Repositories, "github", "acme", "infra.git"))
	if err != nil {
		t.Fatal(err)
	}
	head, err := git.Commit(gitrepo.Commit{Branch: "change-1", Write: map[string]string{"by-git.tf": ""}})
	if err != nil {
		t.Fatal(err)
	}
	d.want("pr push")
	d.want("pr show", head, "added by-git.tf")
	d.want("pr push")
	if printed := d.want("pr show"); strings.Contains(printed, head) {
		t.Error("the second push, which finds nothing new, changed no file")
	}
}

func TestEverythingIsThereAfterAnotherStart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.want("pr open")
	d.want("pr comment terraform plan")
	before := d.want("pr show", "terraform plan")
	d.hosts.Close()
	d.want("pr show", "error: the stand-ins do not respond")
	d.start()
	if after := d.want("pr show"); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
	d.want("pr open", "Opened number 20")
}

func TestMistakesAreExplained(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for command, want := range map[string]string{
		"pr":                             "is no command",
		"pr fly":                         "nothing that can be done",
		"pr open --repo acme/gone":       "acme/gone",
		"pr open --host bitbucket":       "the hosts are github and gitlab",
		"pr show 99":                     "pull request 99 of acme/infra: the host does not have it",
		"pr show --repo acme/modules":    "has no pull requests",
		"pr close --as eve":              "nobody has the name eve: there are ann and bob",
		"pr comment ":                    "a comment needs a text",
		"pr approve --as ann":            "nobody reviews a pull request of their own",
		"pr reopen":                      "it is not closed",
		"pr open --write prod/net":       "write PATH=FILE",
		"pr open --write prod/net=/none": "/none",
		"limit 80":                       "limit MINUTE HOUR",
	} {
		d.want(command, "error: ", want)
	}
	d.want("help", "pr open")
	d.folder = t.TempDir()
	d.want("pr show", "error: no local stack runs on")
	if err := os.WriteFile(filepath.Join(d.folder, "stack.json"), []byte(`{"url":"http://127.0.0.1:1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.want("pr show", "error: the local stack uses hosts of yours")
}

func TestPagesShowPullRequestsAndRunNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.want("pr comment <script>alert(1)</script> & more")
	for path, want := range map[string]string{
		"/": `<a href="/github/acme/infra/pulls/18">Raise limits (18)</a>`, "/github/acme/infra/pulls/18": "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more",
		"/gitlab/acme-group/network/pulls/4": "<code>peering</code> into <code>main</code> of acme-group/network",
	} {
		resp, err := http.Get(d.hosts.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if !strings.Contains(string(text), want) || strings.Contains(string(text), "<script") {
			t.Errorf("%s has no %s:\n%s", path, want, text)
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s has the policy %q", path, policy)
		}
	}
}

// TestBrowserCannotActFromElsewhere sends what a page of another site could send.
func TestBrowserCannotActFromElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, change := range map[string]func(r *http.Request){
		"a form":           func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"another host":     func(r *http.Request) { r.Host = "attacker.example" },
		"no content type":  func(r *http.Request) { r.Header.Del("Content-Type") },
		"what host sends ": func(*http.Request) {},
	} {
		r, err := http.NewRequest(http.MethodPost, d.hosts.URL+"/github/acme/infra/pulls/18/comment", strings.NewReader(`{"text":"terraform apply"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		change(r)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if allowed := name == "what host sends "; (resp.StatusCode == 200) != allowed {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
}

func TestLimitsAreSetAndTakenAway(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.want("limit 80 500", "At most 80 comments", "500 in an hour")
	d.want("limit off --host gitlab", "No limits.")
}
