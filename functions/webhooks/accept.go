package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
	"github.com/opsplane/opsplane/shared/vcs/webhook"
)

// post is a delivery as it was sent.
type post struct {
	event string
	// id is the host's id. proof is the signature or the token.
	id, proof string
	// media and encoding are the host's content type and content encoding of the
	// body.
	media, encoding string
	body            []byte
}

// maxEvent is the maximum length of an event's name, in bytes.
const maxEvent = 100

func decodeGitHub(r *http.Request) (post, error) {
	return decode(r, post{
		event: r.Header.Get("X-GitHub-Event"), id: r.Header.Get("X-GitHub-Delivery"), proof: r.Header.Get("X-Hub-Signature-256"),
	})
}

// decodeGitLab reads the id that stays the same when GitLab sends a delivery again.
// Versions before 17.4 send no such id: their X-Gitlab-Event-UUID is the same for
// all events that one request or job at GitLab causes.
func decodeGitLab(r *http.Request) (post, error) {
	return decode(r, post{
		event: r.Header.Get("X-Gitlab-Event"), id: r.Header.Get("Idempotency-Key"), proof: r.Header.Get("X-Gitlab-Token"),
	})
}

// decode reads the body. Other missing parts are reported only after the proof is
// checked, so that only the host learns of them.
func decode(r *http.Request, p post) (post, error) {
	var err error
	p.media, p.encoding = r.Header.Get("Content-Type"), r.Header.Get("Content-Encoding")
	if p.body, err = io.ReadAll(r.Body); err != nil {
		return post{}, fault.Invalidf("INVALID_BODY", "the body could not be read")
	}
	return p, nil
}

// acceptGitHub stores a delivery that GitHub has signed.
func (w *webhooks) acceptGitHub(ctx context.Context, call httpapi.Call, p post) (httpapi.Empty, error) {
	err := w.signed(ctx, call.Now, p)
	if errors.Is(err, fault.ErrForbidden) && p.packed() {
		return httpapi.Empty{}, errPacked // a compressed body may arrive in another form than was signed
	}
	if err == nil {
		err = p.plain()
	}
	if err != nil {
		return httpapi.Empty{}, err
	}
	if p.event == "ping" {
		return httpapi.Empty{}, nil // GitHub checks whether the webhook exists
	}
	// A body that cannot be read is stored too. The worker says what is wrong with
	// it.
	e, _ := vcsevent.GitHub(p.event, p.body)
	if p.id != "" {
		p.id = delivery.ID(e.Installation, p.id)
	}
	return httpapi.Empty{}, w.accept(ctx, call, vcs.GitHub, e, p, e.Timeless())
}

// signed refuses a delivery that is not signed with a value of GitHub's webhook
// secret. During a rotation the secret has two values. If no known value fits, the
// latest values are read and tried, because the secret may just have been changed.
func (w *webhooks) signed(ctx context.Context, now time.Time, p post) error {
	for _, read := range []func(context.Context, time.Time) (string, error){w.github.Text, w.github.LatestText} {
		text, err := read(ctx, now)
		if err != nil {
			return configured(err)
		}
		for value := range strings.FieldsSeq(text) {
			if webhook.Signed(value, p.body, p.proof) {
				return nil
			}
		}
	}
	return access.Refuse(access.StepSignature, "the delivery is not signed with the webhook secret of the GitHub App")
}

// acceptGitLab stores a delivery that comes with an installation's token.
func (w *webhooks) acceptGitLab(ctx context.Context, call httpapi.Call, p post) (httpapi.Empty, error) {
	if p.proof == "" {
		return httpapi.Empty{}, access.Refuse(access.StepSignature, "the delivery has no header X-Gitlab-Token")
	}
	installation, err := w.installation(ctx, call.Now, p.proof)
	if err == nil {
		err = p.plain()
	}
	if err != nil {
		return httpapi.Empty{}, err
	}
	if p.id == "" {
		p.id = contentID(p)
	}
	p.id = delivery.ID(installation, p.id)
	e, _ := vcsevent.GitLab(p.event, installation, p.body)
	// A sender of copies is no special danger here: it has the group's token, and
	// so can send any delivery.
	return httpapi.Empty{}, w.accept(ctx, call, vcs.GitLab, e, p, false)
}

// contentID returns the id of a delivery that comes without one: a hash of its
// event and body.
func contentID(p post) string {
	h := sha256.New()
	h.Write([]byte(p.event + "\n")) // a header has only one line
	h.Write(p.body)
	return hex.EncodeToString(h.Sum(nil))
}

// installation returns the installation that a token belongs to. The token must be
// made with a value of the secret of these tokens. If no known value fits, the
// latest values are read and tried, because another instance may have given out a
// token of a newer value.
func (w *webhooks) installation(ctx context.Context, now time.Time, token string) (vcs.ID, error) {
	for _, read := range []func(context.Context, time.Time) ([]string, error){w.tokens.Values, w.tokens.LatestValues} {
		values, err := read(ctx, now)
		if err != nil {
			return "", configured(err)
		}
		installation, err := w.explain(ctx, values, token)
		if installation != "" || err != nil {
			return installation, err
		}
	}
	return "", access.Refuse(access.StepSignature, "the delivery's token is no group's")
}

// explain returns the installation of a token that is made with one of the values.
// It is empty if no value fits. If the value is not the newest, the log says so,
// because the operator must have the token replaced before that value is dropped.
func (w *webhooks) explain(ctx context.Context, values []string, token string) (vcs.ID, error) {
	for i, value := range values {
		key, err := secret.Derive(value, webhook.Purpose)
		if err != nil {
			return "", err
		}
		installation, ok := webhook.Installation(key, token)
		if !ok {
			continue
		}
		if i > 0 {
			w.log.LogAttrs(ctx, slog.LevelWarn, "webhook token of an older secret", slog.String("installation", string(installation)))
		}
		return installation, nil
	}
	return "", nil
}

// configured turns the error of a secret that is not set into a fault: a host that
// is not configured has no webhook.
func configured(err error) error {
	if errors.Is(err, secret.ErrNotConfigured) {
		return fault.ErrNotFound
	}
	return err
}

// accept stores a delivery. One that is stored already is acknowledged again, and
// tried again if it is stuck. If a delivery is timeless, its body shows whether it
// is a copy.
func (w *webhooks) accept(ctx context.Context, call httpapi.Call, system vcs.VCS, e vcsevent.Event, p post, timeless bool) error {
	if p.event == "" || len(p.event) > maxEvent {
		return fault.Invalidf("INVALID_HEADER", "the header that names the event is missing or longer than %d bytes", maxEvent)
	}
	if !validID(p.id) {
		return fault.Invalidf("INVALID_HEADER",
			"the header that names the delivery is missing, or is not 1 to %d letters, digits, dots, dashes and underscores", delivery.MaxID)
	}
	_, err := w.deliveries.Accept(ctx, delivery.Delivery{
		ID: p.id, Event: e.Name, Action: e.Action, Installation: vcs.Installation{VCS: system, ID: e.Installation}, Repository: e.Repository,
		ReceivedAt: call.Now.Truncate(time.Millisecond), Timeless: timeless,
	}, p.body)
	return err
}

func validID(id string) bool {
	for _, c := range id {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return id != "" && len(id) <= delivery.MaxID
}
