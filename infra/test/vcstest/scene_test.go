package vcstest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/infra/test/vcstest/gitrepo"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

var (
	ann = vcstest.Account{ID: 7, Login: "ann"}
	bob = vcstest.Account{ID: 8, Login: "bob"}
)

// host is what people do at a stand-in.
type host interface {
	OpenPull(repository string, by vcstest.Account, o vcstest.Opening) (int64, error)
	Push(repository, branch string, by vcstest.Account, changes map[string][]byte) (string, error)
	CommentOn(repository string, number int64, by vcstest.Account, text string) (int64, error)
	ReviewPull(repository string, number int64, by vcstest.Account, v vcstest.Verdict) error
	MergePull(repository string, number int64, by vcstest.Account, method string) (string, error)
	ClosePull(repository string, number int64, by vcstest.Account) error
	ReopenPull(repository string, number int64, by vcstest.Account) error
	DraftPull(repository string, number int64, by vcstest.Account, draft bool) error
	RetargetPull(repository string, number int64, by vcstest.Account, base string) error
	EndJob(run vcstest.CIRun, ended string)
	Pull(repository string, number int64) (vcstest.Pull, error)
	Pulls(repository string) ([]int64, error)
	Save() ([]byte, error)
	Load(text []byte) error
}

// scene is a repository "acme/infra" at a stand-in, with the webhooks that were sent.
type scene struct {
	host
	t       *testing.T
	content gitrepo.Content
	sent    []vcstest.Webhook
	// read is how the product reads a webhook.
	read func(w vcstest.Webhook) (vcsevent.Event, error)
}

const infra = "acme/infra"

// newScene makes a repository whose branch main has two files.
func newScene(t *testing.T, make func(s *scene)) *scene {
	t.Helper()
	r, err := gitrepo.Create(t.TempDir(), gitrepo.Commit{Branch: "main", Write: map[string]string{"net/main.tf": "one\n", "app/main.tf": "one\n"}})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, content: gitrepo.Content{Repository: r}}
	make(s)
	return s
}

// scenes are the stand-ins by name.
var scenes = map[string]func(s *scene){
	"github": func(s *scene) {
		g := vcstest.NewGitHub(s.t)
		g.OnWebhook = func(w vcstest.Webhook) { s.sent = append(s.sent, w) }
		g.Now = func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }
		g.Install("42", vcstest.Repository{ID: 5, Owner: "acme", Name: "infra", DefaultBranch: "main", Content: s.content})
		s.host = g
		s.read = func(w vcstest.Webhook) (vcsevent.Event, error) { return vcsevent.GitHub(w.Event, w.Body) }
	},
	"gitlab": func(s *scene) {
		g := vcstest.NewGitLab(s.t)
		g.OnWebhook = func(w vcstest.Webhook) { s.sent = append(s.sent, w) }
		g.Now = func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }
		g.Account(ann.ID, ann.Login)
		g.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{ann.ID: 50}, Projects: []vcstest.Project{
			{ID: 5, PathWithNamespace: infra, DefaultBranch: "main", Content: s.content},
		}})
		s.host = g
		s.read = func(w vcstest.Webhook) (vcsevent.Event, error) { return vcsevent.GitLab(w.Event, "77", w.Body) }
	},
}

// each runs a test at each stand-in.
func each(t *testing.T, f func(t *testing.T, s *scene)) {
	for name, make := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, newScene(t, make))
		})
	}
}

// must fails the test at an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// opened pushes a change of a file to a branch, and opens a pull request of it.
func (s *scene) opened(branch, path, text string) int64 {
	s.t.Helper()
	must[string](s.t)(s.Push(infra, branch, ann, map[string][]byte{path: []byte(text)}))
	return must[int64](s.t)(s.OpenPull(infra, ann, vcstest.Opening{Title: "Change " + path, Head: branch}))
}

// told returns the events and actions of the webhooks since the last call. The product must be
// able to read each of them.
func (s *scene) told() string {
	var list []string
	for _, w := range s.sent {
		var body struct {
			Action     string `json:"action"`
			Ref        string `json:"ref"`
			Attributes struct {
				Action string `json:"action"`
			} `json:"object_attributes"`
		}
		if err := json.Unmarshal(w.Body, &body); err != nil {
			s.t.Fatal(err)
		}
		if e, err := s.read(w); err != nil || len(e.Skipped) > 0 || len(e.Facts) == 0 {
			s.t.Errorf("the product reads %s %s as %+v, %v", w.Event, w.Body, e, err)
		}
		list = append(list, strings.TrimSpace(w.Event+" "+body.Action+body.Attributes.Action+strings.TrimPrefix(body.Ref, "refs/heads/")))
	}
	s.sent = nil
	return strings.Join(list, ", ")
}
