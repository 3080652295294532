package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

var shape = paging.Shape{Elements: 1, Default: 50, Max: 200}

// query is the request for records of the audit trail.
type query struct {
	page     paging.Request
	target   vcs.Installation // both empty: the caller's own actions
	from, to time.Time        // zero if not given
	actor, action,
	key, repository, run string
	hasAction, hasKey, hasRepository, hasRun bool
}

// maxText is the largest length of a filter, in bytes. No key is longer.
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
		page: page, target: vcs.Installation{VCS: vcs.VCS(values.String("vcs", "")), ID: vcs.ID(values.String("installation_id", ""))},
		actor: values.String("actor", ""), action: values.String("action", ""),
		key: values.String("key", ""), repository: values.String("repository", ""), run: values.String("run", ""),
		hasAction: values.Has("action"), hasKey: values.Has("key"), hasRepository: values.Has("repository"), hasRun: values.Has("run"),
	}
	for name, field := range map[string]*time.Time{"from": &q.from, "to": &q.to} {
		if *field, err = moment(values, name); err != nil {
			return query{}, err
		}
	}
	return q, cmp.Or(values.Err(), q.valid(values.Has("vcs"), values.Has("installation_id")))
}

// valid refuses filters that no record can match. Such a request is a mistake.
func (q query) valid(hasVCS, hasInstallation bool) error {
	for _, text := range []string{q.actor, q.action, q.key} {
		if len(text) > maxText {
			return fault.Invalidf("INVALID_PARAMETER", "a filter has at most %d bytes", maxText)
		}
	}
	switch {
	case hasVCS != hasInstallation:
		return fault.Invalidf("INVALID_PARAMETER", "query parameters vcs and installation_id belong together: one of them is missing")
	case q.hasAction && audit.CheckAction(q.action) != nil:
		return fault.Invalidf("INVALID_PARAMETER", "query parameter action: %v", audit.CheckAction(q.action))
	case q.hasKey && q.hasRepository, q.hasKey && q.hasRun, q.hasRepository && q.hasRun:
		return fault.Invalidf("INVALID_PARAMETER", "query parameters key, repository and run exclude each other: send one of them")
	case q.hasRepository && !vcs.ID(q.repository).Valid():
		return fault.Invalidf("INVALID_PARAMETER", "query parameter repository must be a repository's id, a number")
	case q.hasRun && !isRun(q.run):
		return fault.Invalidf("INVALID_PARAMETER", "query parameter run must be a run's id, a lower-case UUID")
	case !q.from.IsZero() && !q.to.IsZero() && !q.from.Before(q.to):
		return fault.Invalidf("INVALID_PARAMETER", "query parameter from must be before to")
	case hasVCS:
		return access.CheckInstallation(q.target)
	}
	return nil
}

// isRun reports whether a text has the form of a run's id.
func isRun(text string) bool {
	id, err := run.ParseID(text)
	return err == nil && string(id) == text
}

// moment reads a time of RFC 3339. It returns zero if the parameter is absent.
func moment(values *httpapi.Query, name string) (time.Time, error) {
	if !values.Has(name) {
		return time.Time{}, nil
	}
	at, err := timestamp.Parse(values.String(name, ""))
	if err != nil {
		return time.Time{}, fault.Invalidf("INVALID_PARAMETER", "query parameter %s must be a time such as %s", name, timestamp.Example)
	}
	return at, nil
}

// list returns records, the newest first: those of an installation that the caller
// reaches, or else those of the caller's own actions. A caller who may read
// everything sees any installation and any actor. If such a caller names neither,
// the list has the records that belong to no installation.
func (t trail) list(ctx context.Context, call httpapi.Call, q query) (paging.Results[audit.Record], error) {
	ask := audit.Query{From: q.from, To: q.to, Oldest: q.page.Backward, Limit: q.page.Limit}
	everything := call.Caller.Capabilities.HasAll([]access.Capability{access.AuditReadAll})
	unrestricted := access.Set{}.Within(call.Caller.Capabilities)
	switch {
	case q.target != (vcs.Installation{}):
		reaches, err := t.reaches(ctx, call, q.target, everything)
		if err != nil {
			return paging.Results[audit.Record]{}, err
		}
		if !reaches {
			return paging.Results[audit.Record]{}, access.Refuse(access.StepMembership,
				"the credential does not reach the installation that the query names, by membership and restrictions")
		}
		ask.Scope = audit.Scope(q.target)
	case !unrestricted:
		return paging.Results[audit.Record]{}, access.Refuse(access.StepRestriction, "a restricted credential reads records of an installation only, and the query names none")
	case !everything && q.actor != "" && q.actor != call.Caller.User:
		return paging.Results[audit.Record]{}, access.Refuse(access.StepCapability, "the credential lacks %s, and the query names another actor", access.AuditReadAll.Name)
	case q.actor != "":
		ask.Actor = q.actor
	case everything && (q.hasKey || q.repository != "" || q.run != ""):
		return paging.Results[audit.Record]{}, fault.Invalidf("INVALID_PARAMETER",
			"keys, repositories and runs are those of an installation: give vcs and installation_id, or an actor")
	case everything:
		ask.Scope = audit.NoInstallation
	default:
		ask.Actor = call.Caller.User
	}
	q.choose(&ask)
	// The clocks of functions differ a little. There are no records later than
	// that.
	if latest := call.Now.Add(time.Minute); ask.To.IsZero() || ask.To.After(latest) {
		ask.To = latest
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

// choose uses an index for the filters that it supports, and filters the rest after
// reading.
func (q query) choose(ask *audit.Query) {
	if ask.Scope != "" {
		switch {
		case q.hasKey:
			ask.Topic, ask.Scope = audit.Topic(ask.Scope, "key", q.key), ""
		case q.repository != "":
			ask.Topic, ask.Scope = audit.Topic(ask.Scope, "repository", q.repository), ""
		case q.run != "":
			ask.Topic, ask.Scope = audit.Topic(ask.Scope, "run", q.run), ""
		}
	}
	if q.action != "" || ask.Actor == "" && q.actor != "" || ask.Topic == "" && (q.hasKey || q.repository != "" || q.run != "") {
		ask.Keep = q.keep
	}
}

// reaches reports whether the caller is a member of the installation, or may read
// everything, and no restriction of its credential excludes the installation. The
// path does not name the installation, so the authorizer may have left out the
// memberships.
func (t trail) reaches(ctx context.Context, call httpapi.Call, target vcs.Installation, everything bool) (bool, error) {
	caller := call.Caller
	switch {
	case everything:
		caller.Memberships = []vcs.Installation{target}
	case caller.Partial:
		u, err := t.users.Get(ctx, caller.User)
		if errors.Is(err, user.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		caller.Memberships = u.MembershipsFor(caller, call.Now)
	}
	return caller.Reaches(target), nil
}

// keep reports whether a record passes the filters. A filter that ends with a dot
// matches all actions that begin with it.
func (q query) keep(r audit.Record) bool {
	kind := r.Kind()
	switch {
	case q.actor != "" && r.Actor.ID != q.actor,
		strings.HasSuffix(q.action, ".") && !strings.HasPrefix(r.Action, q.action),
		q.action != "" && !strings.HasSuffix(q.action, ".") && r.Action != q.action,
		q.hasKey && (kind != "key" || r.Subject != q.key),
		q.repository != "" && (kind != "repository" || r.Subject != q.repository),
		q.run != "" && (kind != "run" || r.Subject != q.run):
		return false
	}
	return true
}
