//go:build unix

package journey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// deliver sends a delivery of each host with its proof.
func (c *scene) deliver(t *testing.T, done map[string]bool) {
	s := c.stack
	const body = `{"zen":"Keep it logically awesome.","hook_id":1}`
	mac := hmac.New(sha256.New, []byte(s.secret(t, "github-webhook-secret")))
	mac.Write([]byte(body))
	s.Do(t, Request{Method: "POST", Target: "/api/github/v1/events", Body: body, Header: http.Header{
		"X-Github-Event": {"ping"}, "X-Github-Delivery": {uuid.NewString()}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}}).Want(t, 200)
	done["POST /api/github/v1/events"] = true
	var hook struct {
		Secret string `json:"webhook_secret"`
	}
	c.ask(t, who(maintainer, asSession), "GET", c.of("gitlab")+"/webhook", "").Want(t, 200).Read(t, &hook)
	s.Do(t, Request{Method: "POST", Target: "/api/v1/gitlab/events", Body: `{"object_kind":"push"}`, Header: http.Header{
		"X-Gitlab-Event": {"Push Hook"}, "X-Gitlab-Event-Uuid": {uuid.NewString()}, "X-Gitlab-Token": {hook.Secret},
	}}).Want(t, 200)
	done["POST /api/v1/{vcs}/events"] = true
}

// visitor is a person's browser: it keeps cookies and sends them back.
type visitor struct {
	stack   *Stack
	cookies map[string]string
}

// ask sends a request as the stack's own page does, and keeps the cookies of the response.
func (v visitor) ask(t *testing.T, method, target string) Response {
	t.Helper()
	header := http.Header{"Sec-Fetch-Site": {"same-origin"}}
	for name, value := range v.cookies {
		header.Add("Cookie", name+"="+value)
	}
	resp := v.stack.Do(t, Request{Method: method, Target: target, Header: header})
	for _, line := range resp.Header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if v.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return resp
}

// logIn logs a person in at each host and out again. It uses only what a browser has, and all
// requests go through the gateway.
func logIn(t *testing.T, s *Stack, h *hosts) {
	for vcs, in := range map[string]Installation{"github": s.Installation(t, "github"), "gitlab": s.Installation(t, "gitlab")} {
		n, _ := strconv.Atoi(in.ID)
		h.people.Person.Installations = []int{n}
		h.gitlab.Set(vcstest.Group{ID: int64(n), FullPath: "ann", FullName: "Ann", Inherited: map[int64]int{int64(h.people.Person.ID): 50}})
		v := visitor{s, map[string]string{}}
		v.ask(t, "GET", "/api/v1/whoami").WantRefused(t)
		begun := v.ask(t, "GET", "/api/v1/"+vcs+"/login").Want(t, 303)
		callback := map[string]string{"github": "/api/github/v1/callback", "gitlab": "/api/v1/gitlab/callback"}[vcs]
		back := v.ask(t, "GET", callback+"?"+h.consent(t, begun.Header.Get("Location"))).Want(t, 303)
		if to := back.Header.Get("Location"); to != s.URL+"/" {
			t.Errorf("%s: the browser lands at %s, want %s/", vcs, to, s.URL)
		}
		if _, ok := session.IDOf(v.cookies[session.Cookie]); !ok || len(v.cookies) != 1 {
			t.Fatalf("%s: the browser has cookies %v, want a session alone", vcs, v.cookies)
		}
		v.ask(t, "GET", "/api/v1/whoami").Want(t, 200)
		v.ask(t, "GET", "/api/v1/"+vcs+"/whoami").Want(t, 200)
		if got := listed(t, v.ask(t, "GET", "/api/v1/"+vcs+"/installations").Want(t, 200)); got != in.ID {
			t.Errorf("%s: the person sees %q, want %s", vcs, got, in.ID)
		}
		v.ask(t, "GET", "/api/v1/"+vcs+"/installations/"+in.ID+"/repos").Want(t, 200)
		again := v.cookies[session.Cookie]
		v.ask(t, "POST", "/api/v1/logout").Want(t, 200)
		if v.cookies[session.Cookie] != "" {
			t.Errorf("%s: the browser has the session still", vcs)
		}
		s.Do(t, Request{Method: "GET", Target: "/api/v1/whoami", Session: again}).WantRefused(t)
		s.Do(t, Request{Method: "GET", Target: "/api/v1/" + vcs + "/installations", Session: again}).WantRefused(t)
	}
}

// beFoundOut makes a member leave at the host and send no request here. Only the schedule,
// which asks an hour after the host's last statement, removes the access.
func beFoundOut(t *testing.T, s *Stack, h *hosts) {
	in := s.Installation(t, "gitlab")
	n, _ := strconv.ParseInt(in.ID, 10, 64)
	const account = 200
	group := vcstest.Group{ID: n, FullPath: "left", FullName: "Left", Inherited: map[int64]int{account: 30}}
	h.gitlab.Set(group)
	token := h.gitlab.Account(account, "leaver")
	name := s.User(t)
	hourAgo := time.Now().Add(-time.Hour)
	s.Link(t, name, "gitlab", user.Identity{ID: vcs.ID(strconv.Itoa(account)), Login: "leaver"}, token)
	s.Vouch(t, name, "gitlab", hourAgo, in)
	left := s.Session(t, name, time.Now())
	repos := Request{Method: "GET", Target: "/api/v1/gitlab/installations/" + in.ID + "/repos", Session: left}
	s.Do(t, repos).Want(t, 200)
	h.gitlab.Set(vcstest.Group{ID: n, FullPath: "left", FullName: "Left"})
	s.Do(t, repos).Want(t, 200) // no renewal has run yet
	s.Expect(t, name, "gitlab", hourAgo)
	const limit = 3 * time.Minute // the schedule runs every minute
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		if resp := s.Do(t, repos); resp.Status == http.StatusForbidden {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("a former member is let in still %v after the host was to be asked", limit)
		}
	}
}
