package main

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/fault"
	"github.com/opsplane/opsplane/shared/ratelimit"
)

// attempts bounds the logins of one address that fail, or are under way. Anybody
// may begin a login, which costs nothing, and end it with a code of their own
// making, which has the server ask the host. A login that succeeds is taken out
// of the count: many people may sit behind one address.
var attempts = ratelimit.Limit{Name: "LOGIN", Max: 30, Window: 10 * time.Minute}

// site is the part of an address that is one caller's: an IPv6 address by its
// first 64 bits, as a caller has all of the others.
func site(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	if ip = ip.Unmap(); ip.Is6() {
		prefix, _ := ip.WithZone("").Prefix(64) // fails for wrong lengths only
		return prefix.String()
	}
	return ip.String()
}

// count counts an attempt before the host is asked; a TooMany fault if there were
// too many.
func (l *login) count(ctx context.Context, author change.Author) error {
	wait, err := l.attempts.Take(ctx, "ADDRESS#"+site(author.Source), attempts, author)
	if err != nil || wait == 0 {
		return err
	}
	return fault.TooManyf("TOO_MANY_LOGINS", "too many logins from your address have failed: log in again in %d seconds",
		int((wait+time.Second-1)/time.Second)).After(wait)
}

// uncount takes out of the count an attempt that succeeded.
func (l *login) uncount(ctx context.Context, author change.Author) {
	if err := l.attempts.GiveBack(ctx, "ADDRESS#"+site(author.Source), attempts, author); err != nil {
		l.log.LogAttrs(ctx, slog.LevelWarn, "login counted as failed",
			slog.String("request_id", author.Request), slog.String("error", err.Error()))
	}
}
