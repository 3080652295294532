package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/background/delivery"
)

// appBody is what the App's webhook sends for an event. A repository's webhook
// sends the same event without the installation.
const appBody = `{"action":"opened","installation":{"id":42},"repository":{"id":7,"name":"infra","owner":{"login":"acme"}}}`

// TestEachHookHasIDsOfItsOwn sends one event to two webhooks under one id, as
// GitHub does.
func TestEachHookHasIDsOfItsOwn(t *testing.T) {
	const repositoryBody = `{"action":"opened","repository":{"id":7,"name":"infra","owner":{"login":"acme"}}}`
	const otherApp = `{"action":"opened","installation":{"id":43},"repository":{"id":7,"name":"infra","owner":{"login":"acme"}}}`
	bodies := []string{repositoryBody, appBody, otherApp}
	for name, order := range map[string][]int{"the repository's first": {0, 1, 2}, "the App's first": {1, 2, 0}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "github", "server")
			for range 2 { // and again
				for _, n := range order {
					if response := r.post(t, githubEvents, bodies[n], fromGitHub(bodies[n], "a")); response.StatusCode != 200 {
						t.Fatalf("got %+v", response)
					}
				}
			}
			for installation, want := range map[string]string{"": "none.a", "42": "42.a", "43": "43.a"} {
				if list := r.stored(t, "github", installation); len(list) != 1 || list[0].ID != want {
					t.Errorf("of %q: %+v, want %s", installation, list, want)
				}
			}
		})
	}
}

// TestIDsOfAnotherHookCannotBeTaken sends a delivery without an installation. It
// has the id that the App's next delivery will have here.
func TestIDsOfAnotherHookCannotBeTaken(t *testing.T) {
	r := newRig(t, "github", "server")
	const none = `{"action":"opened"}`
	for _, p := range []struct{ body, id string }{{none, "42.a"}, {appBody, "a"}} {
		if response := r.post(t, githubEvents, p.body, fromGitHub(p.body, p.id)); response.StatusCode != 200 {
			t.Fatalf("got %+v", response)
		}
	}
	if list := r.stored(t, "github", "42"); len(list) != 1 {
		t.Errorf("stored %+v", list)
	}
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestBodiesThatAreNotPlainJSONAreRefusedVisibly sends bodies that could be stored
// but never be read.
func TestBodiesThatAreNotPlainJSONAreRefusedVisibly(t *testing.T) {
	r := newRig(t, "github", "server")
	form := "payload=" + url.QueryEscape(appBody)
	zipped := packed(t, appBody)
	const formType = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		body, media, encoding string
		status                int
	}{
		"form":                               {form, formType, "", 415},
		"form with a charset":                {form, formType + "; charset=utf-8", "", 415},
		"form that is called JSON":           {form, "application/json", "", 415},
		"JSON that is called a form":         {appBody, formType, "", 415},
		"text":                               {appBody, "text/plain", "", 415},
		"odd type":                           {appBody, "///", "", 415},
		"compressed":                         {zipped, "application/json", "gzip", 415},
		"compressed, which no header states": {zipped, "application/json", "", 415},
		"called compressed":                  {appBody, "application/json", "br", 415},
		"JSON with a charset":                {appBody, "application/json; charset=UTF-8", "identity", 200},
		"JSON of a kind":                     {appBody, "application/vnd.github.v3+json", "", 200},
	} {
		headers := fromGitHub(c.body, strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", ""))
		headers["Content-Type"], headers["Content-Encoding"] = c.media, c.encoding
		response := r.post(t, githubEvents, c.body, headers)
		if response.StatusCode != c.status || c.status == 415 && !strings.Contains(response.Body, "UNSUPPORTED_MEDIA_TYPE") ||
			c.status == 415 && !strings.Contains(response.Body, "choose application/json as the content type of the webhook") {
			t.Errorf("%s: got %d %s, want %d", name, response.StatusCode, response.Body, c.status)
		}
		lab := map[string]string{
			"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token(t, "77"), "Idempotency-Key": headers["X-GitHub-Delivery"],
			"Content-Type": c.media, "Content-Encoding": c.encoding,
		}
		if response := r.post(t, gitlabEvents, c.body, lab); response.StatusCode != c.status {
			t.Errorf("%s of GitLab: got %d %s, want %d", name, response.StatusCode, response.Body, c.status)
		}
		delete(lab, "X-Gitlab-Token")
		if response := r.post(t, gitlabEvents, c.body, lab); response.StatusCode != 403 || response.Body != "" {
			t.Errorf("%s without a token: got %d %s", name, response.StatusCode, response.Body)
		}
		if strings.Contains(name, "compressed") {
			continue // it may have arrived in another form than was signed
		}
		headers["X-Hub-Signature-256"] = signature("another", c.body)
		if response := r.post(t, githubEvents, c.body, headers); response.StatusCode != 403 || response.Body != "" {
			t.Errorf("%s with another signature: got %d %s", name, response.StatusCode, response.Body)
		}
	}
	// GitHub checks with a form whether the webhook exists. The response must be a
	// refusal.
	const ping = "payload=%7B%22zen%22%3A%22x%22%7D"
	headers := fromGitHub(ping, "ping")
	headers["X-GitHub-Event"], headers["Content-Type"] = "ping", formType
	if response := r.post(t, githubEvents, ping, headers); response.StatusCode != 415 {
		t.Errorf("ping: got %d", response.StatusCode)
	}
	if n := len(r.stored(t, "github", "42")) + len(r.stored(t, "gitlab", "77")); n != 4 {
		t.Errorf("%d are stored, want what is JSON", n)
	}
	if list := r.stored(t, "github", ""); len(list) > 0 {
		t.Errorf("stored %+v", list)
	}
}

func TestCompressedBodyThatArrivesOtherwiseThanItWasSignedIsToldWhatToDo(t *testing.T) {
	r := newRig(t, "github", "server")
	headers := fromGitHub(packed(t, appBody), "a")
	headers["Content-Encoding"] = "gzip"
	if response := r.post(t, githubEvents, appBody, headers); response.StatusCode != 415 {
		t.Errorf("got %d %s", response.StatusCode, response.Body)
	}
}

func TestDeliveryThatIsStuckIsTriedAgainWhenItsHostSendsItAgain(t *testing.T) {
	r := newRig(t, "github", "server")
	lab := map[string]string{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token(t, "77"), "Idempotency-Key": "a"}
	for vcs, send := range map[string]func() int{
		"github": func() int { return r.post(t, githubEvents, appBody, fromGitHub(appBody, "a")).StatusCode },
		"gitlab": func() int { return r.post(t, gitlabEvents, `{}`, lab).StatusCode },
	} {
		installation := map[string]string{"github": "42", "gitlab": "77"}[vcs]
		if got := send(); got != 200 {
			t.Fatalf("%s: got %d", vcs, got)
		}
		d, err := r.deliveries.Begin(t.Context(), r.stored(t, vcs, installation)[0].Key(), r.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.deliveries.GiveUp(t.Context(), d, "cannot be read", r.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		for n := range 2 {
			if got := send(); got != 200 {
				t.Fatalf("%s: got %d", vcs, got)
			}
			list := r.stored(t, vcs, installation)
			if len(list) != 1 || list[0].State != delivery.Received || list[0].Redelivered() != 1 {
				t.Errorf("%s, sent again %d times: %+v", vcs, n+1, list)
			}
		}
	}
}

// FuzzPost sends any bytes as a body of a content type. The body is stored or
// refused. A body that is refused as unreadable is not JSON.
func FuzzPost(f *testing.F) {
	for _, body := range []string{appBody, "payload=%7B%7D", "\x1f\x8b\x08", "", "{}", "null"} {
		for _, media := range []string{"application/json", "application/x-www-form-urlencoded", "", "text/plain;", "application/x+json; a=b"} {
			f.Add(body, media, "")
		}
		f.Add(body, "application/json", "gzip")
	}
	f.Fuzz(func(t *testing.T, body, media, encoding string) {
		p := post{body: []byte(body), media: media, encoding: encoding}
		refused := p.plain()
		if refused == nil && (p.packed() || strings.HasPrefix(body, "payload=")) {
			t.Fatalf("taken: %q as %q, %q", body, media, encoding)
		}
		if refused != nil && slices.Contains([]string{"", "application/json"}, media) && encoding == "" && strings.HasPrefix(body, "{") {
			t.Fatalf("refused: %q as %q: %v", body, media, refused)
		}
		if refused != nil && !strings.Contains(fmt.Sprint(refused), "application/json") {
			t.Fatal(refused)
		}
	})
}

// TestCopyOfALossIsToldFromTheHostsOwn sends what GitHub has signed a second time,
// under another id.
func TestCopyOfALossIsToldFromTheHostsOwn(t *testing.T) {
	r := newRig(t, "github", "server")
	const loss = `{"action":"removed","installation":{"id":42,"account":{"login":"acme"}},"repositories_removed":[{"id":7}]}`
	for _, p := range []struct{ id, event, body string }{
		{"a", "installation_repositories", loss},
		{"a", "installation_repositories", loss},
		{"b", "installation_repositories", loss},
		{"c", "star", loss},
		{"d", "pull_request", appBody},
		{"e", "pull_request", appBody},
	} {
		headers := fromGitHub(p.body, p.id)
		headers["X-GitHub-Event"] = p.event
		if response := r.post(t, githubEvents, p.body, headers); response.StatusCode != 200 {
			t.Fatalf("got %+v", response)
		}
	}
	for id, want := range map[string]bool{"42.a": false, "42.b": true, "42.c": false, "42.d": false, "42.e": false} {
		if d, err := r.deliveries.Get(t.Context(), "github", id); err != nil || d.Repeated != want {
			t.Errorf("%s: repeated %t, %v", id, d.Repeated, err)
		}
	}
}
