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
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const (
	// again is the time after a refusal until the host is asked once more. The
	// refusal may be an error of the host, or come from a login that is in
	// progress.
	again = 5 * time.Minute
	// away is the time without use by the person, and without a key in use, after
	// which the host is not asked again. No session lives longer than this after
	// its login.
	away = session.Lifetime
	// settle is the maximum time for moving a renewal when the invocation's time is
	// over.
	settle = 3 * time.Second
)

// errAbsent says that nobody would use the host's statement.
var errAbsent = errors.New("no one uses the host's statement")

// keep does one renewal and moves or ends it. It reports whether the host gave no
// usable response. Its error comes from the storage. Then the renewal is still due.
//
// Nothing is stored before the end. So if a worker dies, the renewal is still due.
// All steps may be done twice.
func (r *run) keep(ctx context.Context, system vcs.VCS, host loginhost.Host, of membership.Reminder) (failed bool, err error) {
	renewal, err := r.people.Renewals.Get(ctx, of.User, system)
	if errors.Is(err, membership.ErrMoved) || err == nil && !renewal.Due.Equal(of.At) {
		// Another worker was first and moved the reminder, or the reminder was left
		// behind.
		return false, r.people.Renewals.Drop(ctx, system, of)
	}
	if err != nil {
		return false, err
	}
	said, err := r.ask(ctx, host, renewal)
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	switch {
	case err == nil:
		renewal.Tries, renewal.Refused = 0, false
		r.renewed.Add(1)
		err = r.people.Renewals.Move(after, renewal, said.asked.Add(membership.RenewalInterval-rand.N(membership.RenewalInterval/10)))
	case ctx.Err() != nil:
		return false, nil // the time is over: the renewal is still due
	case errors.Is(err, errAbsent):
		r.ended.Add(1)
		err = r.people.Renewals.End(after, renewal)
	case refused(err) && !renewal.Refused:
		renewal.Tries, renewal.Refused = 0, true
		err = r.people.Renewals.Move(after, renewal, r.now().Add(again))
	case refused(err):
		r.ended.Add(1)
		err = r.disown(after, renewal, said)
	default:
		failed = true
		err = r.stumble(after, renewal, err)
	}
	if errors.Is(err, membership.ErrMoved) {
		err = nil
	}
	return failed, err
}

// refused reports whether the host may no longer be asked about the person: because
// the host says so, or because there is no valid grant.
func refused(err error) bool {
	return errors.Is(err, grant.ErrNone) || errors.Is(err, vcshost.ErrRefused)
}

// statement says when a host was asked about a person, and for which of the person's
// accounts.
type statement struct {
	asked   time.Time
	account vcs.Account
}

// ask asks the host which installations the person may act on, unless the last
// statement is recent.
func (r *run) ask(ctx context.Context, host loginhost.Host, renewal membership.Renewal) (said statement, err error) {
	defer frame.Guard(&err)
	now := r.now()
	u, err := r.people.Users.Get(ctx, renewal.User)
	if errors.Is(err, user.ErrNotFound) {
		return statement{}, errAbsent
	}
	if err != nil {
		return statement{}, err
	}
	identity, known := u.Identities[renewal.VCS]
	if !known {
		return statement{}, errAbsent
	}
	said = statement{asked: now, account: vcs.Account{VCS: renewal.VCS, ID: identity.ID}}
	if last, ok := u.Hosted[renewal.VCS]; ok && now.Sub(last.AskedAt) < membership.RenewalInterval*9/10 {
		said.asked = last.AskedAt // the person has listed the installations, which asked the host
		return said, nil
	}
	if now.Sub(renewal.SeenAt) > away {
		used, err := r.keyInUse(ctx, renewal.User, now)
		if err != nil {
			return said, err
		}
		if !used {
			return said, errAbsent
		}
	}
	return said, r.renew(ctx, host, grant.Holder{User: renewal.User, Account: said.account}, r.author(now))
}

// renew asks the host which installations the holder may act on. A host ends a
// token when its grant is refreshed, and another call may refresh the grant at the
// same time. Then the host is asked once more, with the next token.
func (r *run) renew(ctx context.Context, host loginhost.Host, of grant.Holder, author change.Author) error {
	token, err := r.grants.Token(ctx, of, host.OAuth.Refresh, author)
	if err != nil {
		return err
	}
	if _, err = r.people.Ask(ctx, author, host.People, of, token); !errors.Is(err, vcshost.ErrRefused) {
		return err
	}
	if token, err = r.grants.Renewed(ctx, of, token, host.OAuth.Refresh, author); err != nil {
		return err
	}
	_, err = r.people.Ask(ctx, author, host.People, of, token)
	return err
}

// keyInUse reports whether the user has a valid API key that was created or used
// recently.
func (r *run) keyInUse(ctx context.Context, id string, now time.Time) (bool, error) {
	keys, err := r.keys.List(ctx, id, apikey.Query{})
	for _, k := range keys {
		if k.LiveAt(now) && (now.Sub(k.CreatedAt) <= away || now.Sub(k.LastUsedAt) <= away) {
			return true, nil
		}
	}
	return false, err
}

// author returns the author of the changes that a renewal makes.
func (r *run) author(now time.Time) change.Author {
	return change.Author{Principal: change.Server, Request: r.request, At: now}
}

// underWay is how long before its grant is stored a login may have begun.
const underWay = 30 * time.Second

// disown removes the host's statement about the person's account, and ends the
// renewal. If a login was in progress when the host was asked, the statement that
// it brings stays, because its time is the login's beginning.
func (r *run) disown(ctx context.Context, renewal membership.Renewal, said statement) error {
	asked := user.Hosted{AskedAt: said.asked.Add(-underWay)}
	if err := r.people.Users.Replace(ctx, r.author(r.now()), renewal.User, said.account, asked); err != nil {
		return err
	}
	r.log.LogAttrs(ctx, slog.LevelInfo, "memberships ended", slog.String("user", renewal.User), slog.String("vcs", string(renewal.VCS)),
		slog.String("why", "the host no longer accepts the person's grant"))
	return r.people.Renewals.End(ctx, renewal)
}

// stumble moves a renewal for which the host or the storage gave no usable
// response. The host's last statement stays valid until it lapses.
func (r *run) stumble(ctx context.Context, renewal membership.Renewal, problem error) error {
	renewal.Tries++
	wait := backoff.Pause(renewal.Tries)
	var limited *vcshost.Limited
	if errors.As(problem, &limited) {
		wait = max(wait, min(limited.RetryAfter, membership.RenewalInterval)+rand.N(time.Minute))
	}
	r.failed.Add(1)
	r.log.LogAttrs(ctx, slog.LevelWarn, "memberships not renewed", slog.String("user", renewal.User), slog.String("vcs", string(renewal.VCS)),
		slog.Int("tries", renewal.Tries), slog.String("error", problem.Error()))
	return r.people.Renewals.Move(ctx, renewal, r.now().Add(wait))
}

// backoff is how long a renewal waits before its host is asked again. The host's
// last statement lapses later than that.
var backoff = queue.Backoff{First: 5 * time.Minute, Most: 80 * time.Minute}
