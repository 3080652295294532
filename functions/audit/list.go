package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/fault"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/installation"
	"github.com/opsplane/opsplane/shared/paging"
	"github.com/opsplane/opsplane/shared/user"
)

var shape = paging.Shape{Elements: 1, Default: 50, Max: 200}

// query is what is asked of the trail.
type query struct {
	page     paging.Request
	target   access.Target // both empty: the caller's own actions
	from, to time.Time     // zero if not given
	actor, action,
	key, repository string
	hasKey bool
}

// window is how far back a list goes that does not say from when.
const window = 31 * 24 * time.Hour

// maxText bounds a filter, in bytes: no key is longer.
const maxText = 1000

func decode(r *http.Request) (query, error) {
	page, err := paging.Decode(r, shape)
	if err != nil {
		return query{}, err
	}
	if !page.First() && !audit.ValidCursor(page.Cursor[0]) {
		return query{}, paging.ErrCursor
	}
	values := httpapi.NewQuery(r)
	q := query{
		page: page, target: access.Target{VCS: values.String("vcs", ""), Installation: values.String("installation_id", "")},
		actor: values.String("actor", ""), action: values.String("action", ""),
		key: values.String("key", ""), repository: values.String("repository", ""), hasKey: values.Has("key"),
	}
	for _, text := range []string{q.actor, q.action, q.key, q.repository} {
		if len(text) > maxText {
			return query{}, fault.Invalidf("INVALID_PARAMETER", "a filter has at most %d bytes", maxText)
		}
	}
	if values.Has("vcs") || values.Has("installation_id") {
		if err := installation.ValidID(q.target.VCS, q.target.Installation); err != nil {
			return query{}, fault.Invalidf("INVALID_PARAMETER", "query parameters vcs and installation_id name an installation together")
		}
	}
	for name, field := range map[string]*time.Time{"from": &q.from, "to": &q.to} {
		if *field, err = moment(values, name); err != nil {
			return query{}, err
		}
	}
	return q, values.Err()
}

// moment reads a time of RFC 3339; zero if it is not given.
func moment(values *httpapi.Query, name string) (time.Time, error) {
	if !values.Has(name) {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, values.String(name, ""))
	if err != nil || at.Year() < 1970 || at.Year() > 9998 {
		return time.Time{}, fault.Invalidf("INVALID_PARAMETER", "query parameter %s must be a time such as 2026-11-24T12:00:00Z", name)
	}
	return at, nil
}

// list answers records, the newest first: of an installation that the caller
// reaches, or else those of the caller's own actions.
func (t trail) list(ctx context.Context, call httpapi.Call, q query) (paging.Results[audit.Record], error) {
	ask := audit.Query{From: q.from, To: q.to, Oldest: q.page.Backward, Limit: q.page.Limit, Keep: q.keep}
	switch {
	case q.target != (access.Target{}):
		reaches, err := t.reaches(ctx, call, q.target)
		if err != nil {
			return paging.Results[audit.Record]{}, err
		}
		if !reaches {
			return paging.Results[audit.Record]{}, fault.ErrForbidden
		}
		ask.Scope = audit.Record{VCS: q.target.VCS, Installation: q.target.Installation}.Scope()
	case !access.Set{}.Within(call.Caller.Capabilities), q.actor != "" && q.actor != call.Caller.User:
		return paging.Results[audit.Record]{}, fault.ErrForbidden
	default:
		ask.Actor = call.Caller.User
	}
	if ask.To.IsZero() {
		ask.To = call.Now.Add(time.Minute) // clocks of functions differ a little
	}
	if ask.From.IsZero() {
		ask.From = ask.To.Add(-window)
	}
	if !q.page.First() {
		ask.After = q.page.Cursor[0]
	}
	rows, more, err := t.records.List(ctx, ask)
	if err != nil {
		return paging.Results[audit.Record]{}, err
	}
	var on []string
	if more != "" {
		on = []string{more}
	}
	return paging.Part(q.page, rows, on, func(r audit.Record) []string { return []string{r.Cursor()} }), nil
}

// reaches reports whether the caller is a member of the installation and its
// credential is not kept from it. The path names no installation, so that the
// authorizer may have left memberships out.
func (t trail) reaches(ctx context.Context, call httpapi.Call, target access.Target) (bool, error) {
	caller := call.Caller
	if caller.Partial {
		u, err := t.users.Get(ctx, caller.User)
		if errors.Is(err, user.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		caller.Memberships = u.MembershipsFor(caller.Kind, call.Now)
	}
	return caller.Reaches(target), nil
}

// keep reports whether a record passes the filters. An action that ends with a
// dot stands for all that begin with it.
func (q query) keep(r audit.Record) bool {
	kind, _, _ := strings.Cut(r.Action, ".")
	switch {
	case q.actor != "" && r.Actor.ID != q.actor,
		strings.HasSuffix(q.action, ".") && !strings.HasPrefix(r.Action, q.action),
		q.action != "" && !strings.HasSuffix(q.action, ".") && r.Action != q.action,
		q.hasKey && (kind != "key" || r.Subject != q.key),
		q.repository != "" && (kind != "repository" || r.Subject != q.repository):
		return false
	}
	return true
}
