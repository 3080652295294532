package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/webhook"
)

var born = time.UnixMilli(4_000_000_000_123).UTC()

const (
	githubEvents = "/api/github/v1/events"
	gitlabEvents = "/api/v1/gitlab/events"
	githubSecret = "github's"
	serverSecret = "the-server's-of-32-bytes-or-more"
	olderSecret  = "the-server's-older-of-32-bytes-or-more"
)

type rig struct {
	*functiontest.Rig
	deliveries delivery.Store // of the test
	secrets    string         // the folder of the secrets
}

const function = "WebhooksFunction"

// newRig serves the routes. github and server are the names of GitHub's secret and
// the server's secret.
func newRig(t *testing.T, github, server string) *rig {
	dir := t.TempDir()
	t.Setenv("SECRETS_DIR", dir)
	for name, text := range map[string]string{"github": githubSecret, "server": serverSecret + " " + olderSecret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	of := functiontest.New(t, function)
	r := rigOn(of, of.Role.DynamoDB, github, server)
	r.secrets = dir
	return r
}

// rigOn makes the function use db for its storage.
func rigOn(of *functiontest.Rig, db *dynamodb.Client, github, server string) *rig {
	table := of.Env.Table("DeliveriesTable")
	r := &rig{Rig: of, deliveries: delivery.Store{DB: of.Env.DynamoDB, Table: table}}
	r.Clock.Set(born)
	r.Serve(routes(&webhooks{
		deliveries: delivery.Store{DB: db, Table: table}, github: secret.New(of.Env.Config, github, time.Now), tokens: secret.New(of.Env.Config, server, time.Now), log: r.Logger(),
	}))
	return r
}

func (r *rig) post(t *testing.T, path, body string, headers map[string]string) functiontest.Response {
	t.Helper()
	event := httpapitest.Event(t, "POST", path, nil, body)
	for name, value := range headers {
		if value != "" {
			event.MultiValueHeaders[name] = []string{value}
		}
	}
	return r.Send(t, event)
}

func signature(key, body string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

func fromGitHub(body, id string) map[string]string {
	return map[string]string{
		"X-GitHub-Event": "push", "X-GitHub-Delivery": id, "X-Hub-Signature-256": signature(githubSecret, body),
	}
}

func (r *rig) stored(t *testing.T, system, installation string) []delivery.Delivery {
	t.Helper()
	list, err := r.deliveries.List(t.Context(), vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(installation)}, delivery.Query{Before: born.Add(24 * time.Hour), Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

const body = `{"installation":{"id":42},"repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":"main"}}`

func TestSignedDeliveryIsStoredAndAcknowledgedOnce(t *testing.T) {
	r := newRig(t, "github", "server")
	for range 3 {
		if response := r.post(t, githubEvents, body, fromGitHub(body, "a")); response.StatusCode != 200 || response.Body != "" {
			t.Fatalf("got %+v", response)
		}
		r.Clock.Add(time.Minute)
	}
	list := r.stored(t, "github", "42")
	if len(list) != 1 || list[0].Event != "push" || list[0].Repository != "7" || !list[0].ReceivedAt.Equal(born) {
		t.Fatalf("stored %+v", list)
	}
	if kept, err := r.deliveries.Body(t.Context(), list[0]); err != nil || string(kept) != body {
		t.Errorf("body %q, %v", kept, err)
	}
}

func TestForgedDeliveriesAreRefusedAndStoreNothing(t *testing.T) {
	r := newRig(t, "github", "server")
	with := func(change map[string]string) map[string]string {
		h := fromGitHub(body, "a")
		for name, value := range change {
			h[name] = value
		}
		return h
	}
	for name, headers := range map[string]map[string]string{
		"no signature":         with(map[string]string{"X-Hub-Signature-256": ""}),
		"SHA-1":                with(map[string]string{"X-Hub-Signature-256": "", "X-Hub-Signature": "sha1=00"}),
		"another secret":       with(map[string]string{"X-Hub-Signature-256": signature("x", body)}),
		"another body's":       with(map[string]string{"X-Hub-Signature-256": signature(githubSecret, body+" ")}),
		"no event either":      with(map[string]string{"X-Hub-Signature-256": "", "X-GitHub-Event": ""}),
		"the server's secret":  with(map[string]string{"X-Hub-Signature-256": signature(serverSecret, body)}),
		"the token of a group": {"X-Gitlab-Token": token(t, "77")},
	} {
		if response := r.post(t, githubEvents, body, headers); response.StatusCode != 403 || response.Body != "" {
			t.Errorf("%s: got %+v", name, response)
		}
	}
	if response := r.post(t, githubEvents, body[:len(body)-5], fromGitHub(body, "a")); response.StatusCode != 403 {
		t.Errorf("truncated: got %+v", response)
	}
	if list := r.stored(t, "github", "42"); len(list) > 0 {
		t.Errorf("stored %+v", list)
	}
}

func token(t *testing.T, installation string) string {
	t.Helper()
	return tokenOf(t, serverSecret, installation)
}

func tokenOf(t *testing.T, value, installation string) string {
	t.Helper()
	key, err := secret.Derive(value, webhook.Purpose)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := webhook.Token(key, vcs.ID(installation))
	if !ok {
		t.Fatal("no token")
	}
	return text
}

func TestGitLabsTokenNamesTheInstallation(t *testing.T) {
	r := newRig(t, "github", "server")
	headers := func(token, id string) map[string]string {
		return map[string]string{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token, "Idempotency-Key": id}
	}
	const body = `{"project":{"id":501,"path_with_namespace":"acme/infra"}}`
	for _, id := range []string{"a", "a", "b", "", ""} { // without an id, its content identifies it
		if response := r.post(t, gitlabEvents, body, headers(token(t, "77"), id)); response.StatusCode != 200 || response.Body != "" {
			t.Fatalf("got %+v", response)
		}
	}
	if list := r.stored(t, "gitlab", "77"); len(list) != 3 || list[0].Repository != "501" {
		t.Errorf("stored %+v", list)
	}
	if response := r.post(t, gitlabEvents, body, headers(tokenOf(t, olderSecret, "79"), "a")); response.StatusCode != 200 || len(r.stored(t, "gitlab", "79")) != 1 {
		t.Errorf("a token from before the rotation: got %+v", response)
	}
	if n := strings.Count(r.Log.String(), "webhook token of an older secret"); n != 1 || !strings.Contains(r.Log.String(), `"installation":"79"`) {
		t.Errorf("the log has %d lines on tokens of the older secret, want one, on group 79: %s", n, r.Log.String())
	}
	good := token(t, "77")
	for name, text := range map[string]string{
		"no token": "", "another server's": tokenOf(t, "another", "77"), "another installation": token(t, "78")[:16] + good[16:], "truncated": good[:62], "GitHub's": githubSecret,
	} {
		if response := r.post(t, gitlabEvents, body, headers(text, "c")); response.StatusCode != 403 || response.Body != "" {
			t.Errorf("%s: got %+v", name, response)
		}
	}
	if list := r.stored(t, "gitlab", "78"); len(list) > 0 {
		t.Errorf("stored %+v", list)
	}
}

func TestTokenOfASecretThatWasReadElsewhereIsTaken(t *testing.T) {
	r := newRig(t, "github", "server")
	const newer = "the-server's-newer-of-32-bytes-or-more"
	post := func(text string) int {
		return r.post(t, gitlabEvents, `{}`, map[string]string{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": text, "Idempotency-Key": "a"}).StatusCode
	}
	if got := post(token(t, "77")); got != 200 {
		t.Fatalf("before the rotation: got %d", got)
	}
	if err := os.WriteFile(filepath.Join(r.secrets, "server"), []byte(newer+" "+serverSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := post(tokenOf(t, newer, "78")); got != 403 {
		t.Errorf("within a second of the last reading: got %d, want 403: an unknown token costs no read", got)
	}
	r.Clock.Add(secret.Early)
	if got := post(tokenOf(t, newer, "78")); got != 200 || len(r.stored(t, "gitlab", "78")) != 1 {
		t.Errorf("a second later: got %d, want that the delivery is stored", got)
	}
}

func TestProvenDeliveryWithoutNamesIsToldWhatIsMissing(t *testing.T) {
	r := newRig(t, "github", "server")
	for name, headers := range map[string]map[string]string{
		"no event":       {"X-GitHub-Event": ""},
		"long event":     {"X-GitHub-Event": strings.Repeat("e", maxEvent+1)},
		"no delivery":    {"X-GitHub-Delivery": ""},
		"long delivery":  {"X-GitHub-Delivery": strings.Repeat("d", delivery.MaxID+1)},
		"odd delivery":   {"X-GitHub-Delivery": "a#b"},
		"odd as a whole": {"X-GitHub-Delivery": strings.Repeat("d", delivery.MaxID-2)}, // the text for the installation counts, too
	} {
		all := fromGitHub(body, "a")
		for name, value := range headers {
			all[name] = value
		}
		if response := r.post(t, githubEvents, body, all); response.StatusCode != 400 || !strings.Contains(response.Body, "INVALID_HEADER") {
			t.Errorf("%s: got %+v", name, response)
		}
	}
}

func TestUnreadableAndUnknownDeliveriesAreKept(t *testing.T) {
	r := newRig(t, "github", "server")
	for id, body := range map[string]string{"broken": `{"installation":{"id":`, "odd": `{"zen":"x"}`, "empty": ""} {
		if response := r.post(t, githubEvents, body, fromGitHub(body, id)); response.StatusCode != 200 {
			t.Errorf("%s: got %+v", id, response)
		}
	}
	if list := r.stored(t, "github", ""); len(list) != 3 {
		t.Errorf("stored %+v", list)
	}
}

func TestHostThatIsNotConfiguredHasNoWebhook(t *testing.T) {
	r := newRig(t, "", "")
	if response := r.post(t, githubEvents, body, fromGitHub(body, "a")); response.StatusCode != 404 {
		t.Errorf("GitHub: got %+v", response)
	}
	if response := r.post(t, gitlabEvents, "{}", map[string]string{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token(t, "77")}); response.StatusCode != 404 {
		t.Errorf("GitLab: got %+v", response)
	}
}

// TestGitLabsEventUUIDIsNoDeliveryID sends what one merge causes at a GitLab that
// sends no delivery id.
func TestGitLabsEventUUIDIsNoDeliveryID(t *testing.T) {
	r := newRig(t, "github", "server")
	for _, d := range []struct{ event, body string }{
		{"Push Hook", `{"project":{"id":501,"path_with_namespace":"acme/infra"},"ref":"refs/heads/a"}`},
		{"Merge Request Hook", `{"object_kind":"merge_request","project":{"id":501,"path_with_namespace":"acme/infra"},"object_attributes":{"iid":3}}`},
		{"Merge Request Hook", `{"object_kind":"merge_request","project":{"id":501,"path_with_namespace":"acme/infra"},"object_attributes":{"iid":4}}`},
		{"Push Hook", `{}`},
		{"Note Hook", `{}`}, // the same body with another event
	} {
		for range 2 { // each arrives again
			if response := r.post(t, gitlabEvents, d.body, map[string]string{
				"X-Gitlab-Event": d.event, "X-Gitlab-Token": token(t, "77"), "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
			}); response.StatusCode != 200 {
				t.Fatalf("got %+v", response)
			}
		}
	}
	if list := r.stored(t, "gitlab", "77"); len(list) != 5 {
		t.Errorf("%d of 5 different events are stored", len(list))
	}
}

func TestReplayUnderAnotherIDIsAnotherDelivery(t *testing.T) {
	r := newRig(t, "github", "server")
	for _, id := range []string{"a", "b", "a"} {
		if response := r.post(t, githubEvents, body, fromGitHub(body, id)); response.StatusCode != 200 {
			t.Fatalf("got %+v", response)
		}
	}
	// The delivery's facts have versions, and its body states its kind: see the
	// tests of the worker and of the decoders.
	if list := r.stored(t, "github", "42"); len(list) != 2 {
		t.Errorf("stored %+v", list)
	}
}

func TestDeliveryThatComesSeveralTimesAtOnceIsStoredOnce(t *testing.T) {
	r := newRig(t, "github", "server")
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if response := r.post(t, githubEvents, body, fromGitHub(body, "a")); response.StatusCode != 200 {
				t.Errorf("got %+v", response)
			}
		})
	}
	all.Wait()
	if list := r.stored(t, "github", "42"); len(list) != 1 {
		t.Errorf("stored %d", len(list))
	}
}

func TestLargestBodiesAreStoredOrRefusedVisibly(t *testing.T) {
	r := newRig(t, "github", "server")
	// The body is as large as an invocation may be. It is JSON that compresses, as
	// hosts send it.
	var large strings.Builder
	large.WriteString(`{"action":"created","installation":{"id":42,"account":{"login":"acme"}},"repositories":[`)
	for n := 1; large.Len() < 5_900_000; n++ {
		fmt.Fprintf(&large, `{"id":%d,"node_id":"R_kgDO%08x","name":"service-%d","full_name":"acme/service-%d","private":true},`, n, n, n, n)
	}
	text := strings.TrimSuffix(large.String(), ",") + "]}"
	if response := r.post(t, githubEvents, text, fromGitHub(text, "large")); response.StatusCode != 200 {
		t.Fatalf("got %d %s", response.StatusCode, response.Body)
	}
	list := r.stored(t, "github", "42")
	if len(list) != 1 {
		t.Fatalf("stored %+v", list)
	}
	if kept, err := r.deliveries.Body(t.Context(), list[0]); err != nil || string(kept) != text {
		t.Errorf("%d of %d bytes are kept, %v", len(kept), len(text), err)
	}
	// Random texts do not compress to less than three quarters.
	random := make([]byte, 3_600_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	dense := `{"installation":{"id":43},"x":"` + base64.StdEncoding.EncodeToString(random) + `"}`
	response := r.post(t, githubEvents, dense, fromGitHub(dense, "dense"))
	if response.StatusCode != 413 || !strings.Contains(response.Body, "DELIVERY_TOO_LARGE") || !strings.Contains(response.Body, "at most 3500000 are kept") {
		t.Errorf("got %d %s", response.StatusCode, response.Body)
	}
	if list := r.stored(t, "github", "43"); len(list) != 0 {
		t.Errorf("stored %+v", list)
	}
}

func TestGitHubsSecretIsRotatedWithoutLosingADelivery(t *testing.T) {
	r := newRig(t, "github", "server")
	secret := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(r.secrets, "github"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	expect := func(when, value string, status int) {
		t.Helper()
		n++
		headers := fromGitHub(body, fmt.Sprint("d", n))
		headers["X-Hub-Signature-256"] = signature(value, body)
		if response := r.post(t, githubEvents, body, headers); response.StatusCode != status {
			t.Errorf("%s: got %d, want %d", when, response.StatusCode, status)
		}
	}
	expect("before", githubSecret, 200)
	secret("the-new-one\n" + githubSecret + "\n")
	expect("within a second of the last reading", "the-new-one", 403)
	r.Clock.Add(time.Second)
	expect("the new one, which nobody has read yet", "the-new-one", 200)
	expect("the old one beside it", githubSecret, 200)
	expect("one that is neither", "another", 403)
	expect("both as one", "the-new-one\n"+githubSecret, 403)
	secret("the-new-one\n")
	r.Clock.Add(10 * time.Minute)
	expect("the old one when it was dropped", githubSecret, 403)
	expect("only the new one", "the-new-one", 200)
	if list := r.stored(t, "github", "42"); len(list) != 4 {
		t.Errorf("stored %d", len(list))
	}
}
