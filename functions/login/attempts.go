package main

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/ratelimit"
	"github.com/opsplane/opsplane/shared/audit/change"
)

// attempts limits the logins of one address whose code the host refuses, or which
// are in progress. Anybody may begin a login, which costs nothing, and end it with
// an invented code, which makes the server send a request to the host. A login that
// succeeds, or fails for another reason, does not count, because many people may
// share one address. A Max of 0 means no limit: behind a proxy all callers have the
// same address.
func attempts(most int) ratelimit.Limit {
	return ratelimit.Limit{Name: "LOGIN", Max: most, Window: 10 * time.Minute}
}

// site returns the part of an address that belongs to one caller. For an IPv6
// address these are the first 64 bits, because a caller has all addresses with
// them.
func site(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	if ip = ip.Unmap(); ip.Is6() {
		prefix, _ := ip.WithZone("").Prefix(64) // fails only for wrong lengths
		return prefix.String()
	}
	return ip.String()
}

// count counts an attempt before the host is asked. It returns a TooMany fault if
// there were too many.
func (l *login) count(ctx context.Context, author change.Author) error {
	if l.failures == 0 {
		return nil
	}
	wait, err := l.attempts.Take(ctx, "ADDRESS#"+site(author.Source), attempts(l.failures), author)
	if err != nil || wait == 0 {
		return err
	}
	return fault.TooManyf("TOO_MANY_LOGINS", "too many logins from your address failed: log in again in %d seconds",
		int((wait+time.Second-1)/time.Second)).After(wait)
}

// uncount removes an attempt from the count, if the host did not refuse its code.
func (l *login) uncount(ctx context.Context, author change.Author) {
	if l.failures == 0 {
		return
	}
	if err := l.attempts.GiveBack(ctx, "ADDRESS#"+site(author.Source), attempts(l.failures), author); err != nil {
		l.log.LogAttrs(ctx, slog.LevelWarn, "login counted as failed",
			slog.String("request_id", author.Request), slog.String("error", err.Error()))
	}
}
