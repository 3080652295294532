package demohost

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// place is what people do at a host.
type place interface {
	OpenPull(repository string, by vcstest.Account, o vcstest.Opening) (int64, error)
	Push(repository, branch string, by vcstest.Account, changes map[string][]byte) (string, error)
	CommentOn(repository string, number int64, by vcstest.Account, text string) (int64, error)
	ReviewPull(repository string, number int64, by vcstest.Account, v vcstest.Verdict) error
	MergePull(repository string, number int64, by vcstest.Account, method string) (string, error)
	ClosePull(repository string, number int64, by vcstest.Account) error
	ReopenPull(repository string, number int64, by vcstest.Account) error
	DraftPull(repository string, number int64, by vcstest.Account, draft bool) error
	Pull(repository string, number int64) (vcstest.Pull, error)
	Pulls(repository string) ([]int64, error)
	LimitContent(minutely, hourly int, now func() time.Time)
}

// people are the accounts of the hosts, by login. Ann administers everything. Bob writes.
var people = map[string]vcstest.Account{"ann": {ID: ann, Login: "ann"}, "bob": {ID: bob, Login: "bob"}}

// Deed is what a person does, as command host sends it.
type Deed struct {
	// As is the login of the person. It is empty for ann, who does everything but reviews, and
	// for bob, who reviews.
	As    string `json:"as,omitempty"`
	Title string `json:"title,omitempty"`
	// Branch is the branch of a new pull request. If it is empty, a new one is made.
	Branch string `json:"branch,omitempty"`
	Draft  bool   `json:"draft,omitempty"`
	// Dir is the directory that changes, if neither Write nor Remove says what does.
	Dir string `json:"dir,omitempty"`
	// Write are the new contents of files, by path. Remove are the paths of files that are
	// removed.
	Write  map[string]string `json:"write,omitempty"`
	Remove []string          `json:"remove,omitempty"`
	// Text is that of a comment.
	Text string `json:"text,omitempty"`
	// Method is how a pull request is merged: "merge", "squash" or "rebase".
	Method string `json:"method,omitempty"`
	// Minutely and Hourly are limits of content. Two zeros take them away.
	Minutely int `json:"minutely,omitempty"`
	Hourly   int `json:"hourly,omitempty"`
}

// person returns the person of a deed.
func (d Deed) person(otherwise string) (vcstest.Account, error) {
	name := d.As
	if name == "" {
		name = otherwise
	}
	a, ok := people[name]
	if !ok {
		return a, fmt.Errorf("nobody has the name %s: there are %s", name, strings.Join(slices.Sorted(maps.Keys(people)), " and "))
	}
	return a, nil
}

// changes returns the files that a deed changes. They are nil if it names none.
func (d Deed) changes() map[string][]byte {
	all := map[string][]byte{}
	for path, text := range d.Write {
		all[path] = []byte(text)
	}
	for _, path := range d.Remove {
		all[path] = nil
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// invented returns a change of a directory that makes a resource, or changes the one that an
// earlier call has made for the same branch.
func invented(dir, branch string) map[string][]byte {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, branch)
	text := fmt.Sprintf("resource \"terraform_data\" \"%s\" {\n  input = \"%s\"\n}\n", name, time.Now().UTC().Format(time.RFC3339Nano))
	return map[string][]byte{path.Join(dir, name+".tf"): []byte(text)}
}

// desk serves what people do at the hosts.
type desk struct {
	places map[string]place // by host
	git    checkouts
	url    string
}

func (d *desk) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.index)
	mux.HandleFunc("GET /{host}/{owner}/{name}/pulls/{number}", d.show)
	mux.HandleFunc("POST /{host}/{owner}/{name}/pulls", d.does(d.open))
	mux.HandleFunc("POST /{host}/{owner}/{name}/pulls/{number}/{deed}", d.does(d.act))
	mux.HandleFunc("POST /{host}/limits", d.does(d.limit))
	return mux
}

// maxDeed is the size of the largest body of a deed, in bytes.
const maxDeed = 8 << 20

// does serves a deed. A page in a browser cannot send one from elsewhere, because such a page
// may neither send JSON without a question before it, nor name another host than its own.
func (d *desk) does(act func(r *http.Request, at place, deed Deed) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at, ok := d.places[r.PathValue("host")]
		switch {
		case !ok:
			http.Error(w, "the hosts are github and gitlab", http.StatusNotFound)
			return
		case r.Header.Get("Content-Type") != "application/json" || "http://"+r.Host != d.url:
			http.Error(w, "send JSON to "+d.url, http.StatusForbidden)
			return
		}
		var deed Deed
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDeed)).Decode(&deed); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		said, err := act(r, at, deed)
		switch {
		case errors.Is(err, vcstest.ErrNone):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusConflict)
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = fmt.Fprintln(w, said)
		}
	}
}

func repositoryOf(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("name") }

// page returns the address of a pull request's page.
func (d *desk) page(r *http.Request, number int64) string {
	return fmt.Sprintf("%s/%s/%s/pulls/%d", d.url, r.PathValue("host"), repositoryOf(r), number)
}

// open opens a pull request, with a branch and a change of its own if the deed names none.
func (d *desk) open(r *http.Request, at place, deed Deed) (string, error) {
	by, err := deed.person("ann")
	if err != nil {
		return "", err
	}
	repository, changes := repositoryOf(r), deed.changes()
	git, ok := d.git[r.PathValue("host")+"/"+repository]
	if !ok {
		return "", fmt.Errorf("repository %s: %w", repository, vcstest.ErrNone)
	}
	known, err := git.Branches()
	if err != nil {
		return "", err
	}
	for n := 1; deed.Branch == ""; n++ {
		if name := "change-" + strconv.Itoa(n); known[name] == "" {
			deed.Branch = name
		}
	}
	dir := deed.Dir
	if dir == "" {
		dir = "prod/net"
	}
	if changes == nil && (known[deed.Branch] == "" || deed.Dir != "") {
		changes = invented(dir, deed.Branch)
	}
	if changes != nil {
		if _, err := at.Push(repository, deed.Branch, by, changes); err != nil {
			return "", err
		}
	}
	title := deed.Title
	if title == "" {
		title = "Change " + dir
	}
	number, err := at.OpenPull(repository, by, vcstest.Opening{Title: title, Head: deed.Branch, Draft: deed.Draft})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Opened number %d of %s: %s", number, repository, d.page(r, number)), nil
}

// newest is the number that stands for the newest pull request.
const newest = "newest"

// numbered returns the number of the pull request that a path names.
func numbered(r *http.Request, at place) (int64, error) {
	if name := r.PathValue("number"); name != newest {
		return strconv.ParseInt(name, 10, 64)
	}
	all, err := at.Pulls(repositoryOf(r))
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s has no pull requests: %w", repositoryOf(r), vcstest.ErrNone)
	}
	if err != nil {
		return 0, err
	}
	return slices.Max(all), nil
}

// act does something with a pull request.
func (d *desk) act(r *http.Request, at place, deed Deed) (string, error) {
	number, err := numbered(r, at)
	if err != nil {
		return "", err
	}
	what, repository, otherwise := r.PathValue("deed"), repositoryOf(r), "ann"
	verdicts := map[string]vcstest.Verdict{"approve": vcstest.Approve, "reject": vcstest.RequestChanges, "withdraw": vcstest.Withdraw}
	if verdicts[what] != "" {
		otherwise = "bob"
	}
	by, err := deed.person(otherwise)
	if err != nil {
		return "", err
	}
	done := ""
	switch what {
	case "push":
		done, err = "Pushed to", d.push(at, repository, number, by, deed)
	case "comment":
		if strings.TrimSpace(deed.Text) == "" {
			return "", errors.New("a comment needs a text")
		}
		done = "Commented on"
		_, err = at.CommentOn(repository, number, by, deed.Text)
	case "approve", "reject", "withdraw":
		done, err = "Reviewed", at.ReviewPull(repository, number, by, verdicts[what])
	case "merge":
		done = "Merged"
		_, err = at.MergePull(repository, number, by, deed.Method)
	case "close":
		done, err = "Closed", at.ClosePull(repository, number, by)
	case "reopen":
		done, err = "Reopened", at.ReopenPull(repository, number, by)
	case "draft", "ready":
		done, err = "Changed", at.DraftPull(repository, number, by, what == "draft")
	default:
		err = fmt.Errorf("%s: %w", what, vcstest.ErrNone)
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s number %d of %s as %s: %s", done, number, repository, by.Login, d.page(r, number)), nil
}

// push pushes the files of a deed to the branch of a pull request. If it names none, what was
// pushed with git counts. If there is nothing such either, it changes a file.
func (d *desk) push(at place, repository string, number int64, by vcstest.Account, deed Deed) error {
	p, err := at.Pull(repository, number)
	if err != nil {
		return err
	}
	changes := deed.changes()
	if changes == nil && !p.Moved {
		dir := deed.Dir
		if dir == "" && len(p.Files) > 0 {
			dir = path.Dir(p.Files[0].Path)
		}
		changes = invented(dir, p.Head)
	}
	_, err = at.Push(repository, p.Head, by, changes)
	return err
}

// limit limits what the server may write in a minute and in an hour, as GitHub does.
func (d *desk) limit(_ *http.Request, at place, deed Deed) (string, error) {
	if deed.Minutely <= 0 || deed.Hourly <= 0 {
		at.LimitContent(0, 0, nil)
		return "No limits.", nil
	}
	at.LimitContent(deed.Minutely, deed.Hourly, time.Now)
	return fmt.Sprintf("At most %d comments, statuses, reactions and other writes in a minute, and %d in an hour.", deed.Minutely, deed.Hourly), nil
}
