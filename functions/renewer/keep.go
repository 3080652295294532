package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/person"
	"github.com/opsplane/opsplane/shared/login/renewal"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const (
	// again is how long after a refusal the host is asked once more: one may be an
	// accident of the host's, or of a login that is under way.
	again = 5 * time.Minute
	// away is after how long without its person and without a key in use the host
	// is asked no more. No session lives as long after its login.
	away = session.Lifetime
	// settle is how long it may take to move an appointment when time is over.
	settle = 3 * time.Second
)

// errAbsent says that nobody would use the host's word.
var errAbsent = errors.New("nobody uses the host's word")

// keep keeps one appointment and moves or ends it. It reports whether the host
// gave no answer; its error is of storage: then the appointment is due still.
//
// Nothing is noted before the end, so that a worker that dies leaves an
// appointment that is due; and nothing that is done is wrong to be done twice.
func (r *run) keep(ctx context.Context, vcs string, provider person.Provider, of renewal.Reminder) (failed bool, err error) {
	a, err := r.people.Appointments.Get(ctx, of.User, vcs)
	if errors.Is(err, renewal.ErrMoved) || err == nil && !a.Due.Equal(of.At) {
		// Another worker was first, and took the reminder along; or it was left behind.
		return false, r.people.Appointments.Drop(ctx, vcs, of)
	}
	if err != nil {
		return false, err
	}
	word, err := r.ask(ctx, provider, a)
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	switch {
	case err == nil:
		a.Tries, a.Refused = 0, false
		r.renewed.Add(1)
		err = r.people.Appointments.Move(after, a, word.asked.Add(renewal.Every-rand.N(renewal.Every/10)))
	case ctx.Err() != nil:
		return false, nil // time is over: it is due still
	case errors.Is(err, errAbsent):
		r.ended.Add(1)
		err = r.people.Appointments.End(after, a)
	case refused(err) && !a.Refused:
		a.Tries, a.Refused = 0, true
		err = r.people.Appointments.Move(after, a, r.now().Add(again))
	case refused(err):
		r.ended.Add(1)
		err = r.disown(after, a, word)
	default:
		failed = true
		err = r.stumble(after, a, err)
	}
	if errors.Is(err, renewal.ErrMoved) {
		err = nil
	}
	return failed, err
}

// refused reports whether the host, or what we have of its grant, says that it
// may not be asked about the person any more.
func refused(err error) bool {
	return errors.Is(err, session.ErrNoGrant) || errors.Is(err, vcshost.ErrRefused)
}

// word is when a host was asked about a person, by which account of its.
type word struct {
	asked   time.Time
	account string
}

// ask has the host say what the person may act on, unless it did not long ago.
func (r *run) ask(ctx context.Context, provider person.Provider, a renewal.Appointment) (said word, err error) {
	defer frame.Guard(&err)
	now := r.now()
	u, err := r.people.Users.Get(ctx, a.User)
	if errors.Is(err, user.ErrNotFound) {
		return word{}, errAbsent
	}
	if err != nil {
		return word{}, err
	}
	account, person := u.Identities[a.VCS]
	if !person {
		return word{}, errAbsent
	}
	said = word{asked: now, account: account.ID}
	if last, ok := u.Hosted[a.VCS]; ok && now.Sub(last.AskedAt) < renewal.Every*9/10 {
		said.asked = last.AskedAt // the person has listed them
		return said, nil
	}
	if now.Sub(a.SeenAt) > away {
		used, err := r.keyInUse(ctx, a.User, now)
		if err != nil {
			return said, err
		}
		if !used {
			return said, errAbsent
		}
	}
	return said, r.renew(ctx, provider, session.Holder{User: a.User, VCS: a.VCS, Account: account.ID}, r.author(now))
}

// renew has the host say anew what the holder may act on. A host ends a token when
// its grant is refreshed, which another call may do meanwhile: then it is asked
// once more with the next one.
func (r *run) renew(ctx context.Context, provider person.Provider, of session.Holder, author change.Author) error {
	token, err := r.grants.Token(ctx, of, provider.OAuth.Refresh, author)
	if err != nil {
		return err
	}
	if _, err = r.people.Ask(ctx, author, provider.Host, of, token); !errors.Is(err, vcshost.ErrRefused) {
		return err
	}
	if token, err = r.grants.Renewed(ctx, of, token, provider.OAuth.Refresh, author); err != nil {
		return err
	}
	_, err = r.people.Ask(ctx, author, provider.Host, of, token)
	return err
}

// keyInUse reports whether the user has an API key that is live and was made or
// used not long ago.
func (r *run) keyInUse(ctx context.Context, id string, now time.Time) (bool, error) {
	keys, err := r.keys.List(ctx, id, apikey.Query{})
	for _, k := range keys {
		if k.LiveAt(now) && (now.Sub(k.CreatedAt) <= away || now.Sub(k.LastUsedAt) <= away) {
			return true, nil
		}
	}
	return false, err
}

// author is who stands in what a renewal changes.
func (r *run) author(now time.Time) change.Author {
	return change.Author{Principal: change.Server, Request: r.request, At: now}
}

// underWay is how long before its grant is stored a login may have begun.
const underWay = 30 * time.Second

// disown takes away what the host said of the person's account, and ends the
// appointment. What a login brings that was under way when the host was asked
// stands: it is as of the login's beginning.
func (r *run) disown(ctx context.Context, a renewal.Appointment, said word) error {
	asked := user.Hosted{AskedAt: said.asked.Add(-underWay)}
	if err := r.people.Users.Replace(ctx, r.author(r.now()), a.User, a.VCS, said.account, asked); err != nil {
		return err
	}
	r.log.LogAttrs(ctx, slog.LevelInfo, "memberships ended", slog.String("user", a.User), slog.String("vcs", a.VCS),
		slog.String("why", "the host takes the person's grant no more"))
	return r.people.Appointments.End(ctx, a)
}

// stumble moves an appointment for which the host or storage gave no answer:
// what the host said last holds until it lapses.
func (r *run) stumble(ctx context.Context, a renewal.Appointment, problem error) error {
	a.Tries++
	wait := backoff.Pause(a.Tries)
	var limited *vcshost.Limited
	if errors.As(problem, &limited) {
		wait = max(wait, min(limited.RetryAfter, renewal.Every)+rand.N(time.Minute))
	}
	r.failed.Add(1)
	r.log.LogAttrs(ctx, slog.LevelWarn, "memberships not renewed", slog.String("user", a.User), slog.String("vcs", a.VCS),
		slog.Int("tries", a.Tries), slog.String("error", problem.Error()))
	return r.people.Appointments.Move(ctx, a, r.now().Add(wait))
}

// backoff is how long an appointment waits before its host is asked again. What the
// host said last lapses only later.
var backoff = queue.Backoff{First: 5 * time.Minute, Most: 80 * time.Minute}
