package vcshost

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Problem says what an error of a host means for people. Its texts have no full
// stop at the end.
type Problem struct {
	// ID names the problem for programs, such as "HOST_LIMIT".
	ID string
	// Kind is the kind of the fault. It is Busy if the same request may succeed
	// later, and Invalid if somebody has to do something first.
	Kind fault.Kind
	// Permanent says that a task must not repeat the request by itself: somebody
	// has to do something first.
	Permanent bool
	// Cause says what is wrong. It holds no text of the host.
	Cause string
	// Remedy says who has to do what. It is empty if waiting is enough.
	Remedy string
	// Detail is the host's own message, without secrets and with a limited length,
	// or says what is wrong with the key. Only the owner of a task and the log may
	// have it, no other caller.
	Detail string
	// RetryAfter is how long the host asks to wait. It is 0 if the host does not
	// say.
	RetryAfter time.Duration
}

// Explain returns what an error of a VCS host means. It returns false for an error
// that does not come from a client of a host.
func Explain(v vcs.VCS, err error) (Problem, bool) {
	var limited *Limited
	if errors.As(err, &limited) {
		return Problem{
			ID: "HOST_LIMIT", Kind: fault.Busy, RetryAfter: limited.RetryAfter,
			Cause: fmt.Sprintf("%s accepts no more requests for %s", v.Label(), limited.RetryAfter.Round(time.Second)),
		}, true
	}
	var key *KeyError
	if errors.As(err, &key) {
		p := badKey.at(v, err)
		p.Detail = key.Why
		return p, true
	}
	for _, row := range problems {
		if row.is(err) {
			return row.at(v, err), true
		}
	}
	return Problem{}, false
}

// Fault returns the error in a form that a caller may see: the Problem that Explain
// returns, or HOST_UNAVAILABLE. It wraps the error, for the log. If ErrGone,
// ErrRefused or ErrForbidden have a special meaning for the code that calls Fault,
// that code must check for them first.
func Fault(v vcs.VCS, err error) error {
	p, ok := Explain(v, err)
	// Of a thing that is gone, only its caller knows what it is.
	if !ok || errors.Is(err, ErrGone) && p.ID == unavailable.id {
		p = unavailable.at(v, err)
	}
	detail := p.Cause
	switch {
	case p.RetryAfter > 0:
		detail += ": try again then"
	case p.Remedy == "":
		detail += ": try again in a moment"
	default:
		detail += ": " + p.Remedy
	}
	f := &fault.Error{Kind: p.Kind, ID: p.ID, Detail: detail, RetryAfter: p.RetryAfter, LogCause: true}
	return fmt.Errorf("%w: %w", f, err)
}

// row says what some errors mean. In its texts, "HOST" stands for the host's name.
type row struct {
	errs []error
	problem
	// ofHost has the texts that differ by VCS.
	ofHost map[vcs.VCS]problem
}

// problem is the part of a Problem that comes from a row of the table.
type problem struct {
	id        string
	kind      fault.Kind
	permanent bool
	cause     string
	remedy    string
}

// The rows that are chosen by code, and not by a comparison of errors.
var (
	badKey = row{problem: problem{
		"VCS_NOT_CONFIGURED", fault.Invalid, true, "this server cannot read the private key of its GitHub App",
		"its operator must store another one in the secret that GithubAppPrivateKey names",
	}}
	unavailable = row{problem: problem{"HOST_UNAVAILABLE", fault.Busy, false, "HOST does not answer as it should", ""}}
)

// problems is the table of errors. The first row that matches an error is used.
var problems = []row{
	{errs: []error{ErrNotConfigured}, ofHost: map[vcs.VCS]problem{
		vcs.GitHub: {"VCS_NOT_CONFIGURED", fault.Invalid, true, "this server has no GitHub App", "its operator sets GithubAppId and GithubAppPrivateKey"},
		vcs.GitLab: {"VCS_NOT_CONFIGURED", fault.Invalid, true, "this server is no application at GitLab", "its operator sets GitlabAppId"},
	}},
	{errs: []error{ErrElsewhere}, problem: problem{
		"HOST_UNAVAILABLE", fault.Busy, true, "HOST sends this server on to another address than the one that is configured",
		"the operator of this server must look at it",
	}},
	{errs: []error{ErrEndless, ErrCursor}, problem: problem{
		"HOST_UNAVAILABLE", fault.Busy, true, "a list of HOST cannot be read to its end: its pages lead back, or do not end",
		"the operator of this server must look at the host, or at the proxy before it",
	}},
	{errs: []error{ErrNoToken}, problem: problem{
		"NO_ACCESS_TOKEN", fault.Invalid, true, "no access token is stored for the group",
		"store one with PUT /api/v1/gitlab/installations/{installation_id}/access-token",
	}},
	{errs: []error{ErrRefused}, ofHost: map[vcs.VCS]problem{
		vcs.GitHub: {"HOST_REFUSED", fault.Busy, false, "GitHub does not accept the App's credentials", "the operator of this server must look at the App's private key"},
		vcs.GitLab: {"HOST_REFUSED", fault.Busy, true, "GitLab does not accept the group's access token", "store another one"},
	}},
	{errs: []error{ErrNotMergeable}, problem: problem{
		"NOT_MERGEABLE", fault.Invalid, true, "HOST does not merge the pull request as it is now", "look at the pull request there, which says why",
	}},
	{errs: []error{ErrTooLarge}, problem: problem{
		"TOO_LARGE", fault.Invalid, true, "a file or a list of HOST is larger than this server reads", "make it smaller; keep the infrastructure in a repository of its own",
	}},
	{errs: []error{ErrForbidden}, problem: problem{"HOST_FORBIDDEN", fault.Invalid, true, "HOST does not let this server do that", ""}},
	{errs: []error{ErrNoInstallation}, problem: problem{
		"HOST_FORBIDDEN", fault.Invalid, true, "HOST has no such installation, or does not show it to this server", "install the GitHub App there",
	}},
	{errs: []error{ErrGone}, problem: problem{
		"HOST_UNAVAILABLE", fault.Busy, true, "HOST has no such installation, or does not show it to this server", "look at the installation there",
	}},
	{errs: []error{ErrNoAnswer, ErrUnreachable}, problem: unavailable.problem},
}

// is reports whether an error matches the row.
func (r row) is(err error) bool {
	for _, target := range r.errs {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// at returns the Problem of the row at a VCS.
func (r row) at(v vcs.VCS, err error) Problem {
	text := r.problem
	if differing, ok := r.ofHost[v]; ok {
		text = differing
	}
	p := Problem{ID: text.id, Kind: text.kind, Permanent: text.permanent, Cause: strings.ReplaceAll(text.cause, "HOST", v.Label()), Remedy: text.remedy}
	if errors.Is(err, ErrForbidden) && r.is(ErrForbidden) {
		p.Remedy = remedyOf(v, err)
	}
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Words != "" {
		p.Detail = v.Label() + ` says: "` + refusal.Words + `"`
	}
	return p
}

// remedyOf says why a host forbids something, and what somebody has to do about it
// at the host. The text holds no text of the host.
func remedyOf(v vcs.VCS, err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		switch refusal.Reason {
		case ByAddress:
			return "it refuses the network address that this server's requests come from; have the organisation's owner, " +
				"or the host's administrator, allow the address"
		case BySAML:
			return "the organisation asks for SAML single sign-on; sign in there with it, and authorize this application for the organisation"
		}
	}
	return usualReasons[v] + "; change that there"
}

// usualReasons are the most frequent reasons for a refusal. They are used if the
// host states no reason.
var usualReasons = map[vcs.VCS]string{
	vcs.GitHub: "the installation of its GitHub App is suspended or gone, or has not accepted a permission that the App asks for",
	vcs.GitLab: "the token that it has for the group lacks a scope, or its account lacks a role",
}
