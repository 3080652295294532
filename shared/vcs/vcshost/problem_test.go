package vcshost_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestEachErrorOfAHostHasOneMeaning(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err       error
		id        string
		kind      fault.Kind
		permanent string // the VCSs at which the error is permanent
	}{
		"limit":                   {vcshost.Limit(time.Minute), "HOST_LIMIT", fault.Busy, ""},
		"not configured":          {vcshost.ErrNotConfigured, "VCS_NOT_CONFIGURED", fault.Invalid, "github gitlab"},
		"key":                     {&vcshost.KeyError{Why: "it is empty"}, "VCS_NOT_CONFIGURED", fault.Invalid, "github gitlab"},
		"redirect":                {vcshost.ErrElsewhere, "HOST_UNAVAILABLE", fault.Busy, "github gitlab"},
		"list without end":        {vcshost.ErrEndless, "HOST_UNAVAILABLE", fault.Busy, "github gitlab"},
		"list with a cursor":      {vcshost.ErrCursor, "HOST_UNAVAILABLE", fault.Busy, "github gitlab"},
		"no token":                {vcshost.ErrNoToken, "NO_ACCESS_TOKEN", fault.Invalid, "github gitlab"},
		"refused":                 {vcshost.ErrRefused, "HOST_REFUSED", fault.Busy, "gitlab"},
		"forbidden":               {vcshost.ErrForbidden, "HOST_FORBIDDEN", fault.Invalid, "github gitlab"},
		"refusal":                 {&vcshost.Refusal{Reason: vcshost.ByAddress}, "HOST_FORBIDDEN", fault.Invalid, "github gitlab"},
		"not mergeable":           {vcshost.ErrNotMergeable, "NOT_MERGEABLE", fault.Invalid, "github gitlab"},
		"merge that is forbidden": {fmt.Errorf("%w: %w", vcshost.ErrNotMergeable, &vcshost.Refusal{}), "NOT_MERGEABLE", fault.Invalid, "github gitlab"},
		"too large":               {vcshost.ErrTooLarge, "TOO_LARGE", fault.Invalid, "github gitlab"},
		"no installation":         {vcshost.ErrNoInstallation, "HOST_FORBIDDEN", fault.Invalid, "github gitlab"},
		"gone":                    {vcshost.ErrGone, "HOST_UNAVAILABLE", fault.Busy, "github gitlab"},
		"page for browsers":       {&vcshost.BrowserPage{Status: 403}, "HOST_UNAVAILABLE", fault.Busy, ""},
		"group that is gone":      {fmt.Errorf("%w: %w", vcshost.ErrUnreachable, vcshost.ErrGone), "HOST_UNAVAILABLE", fault.Busy, "github gitlab"},
		"group without answer":    {fmt.Errorf("%w: status 502", vcshost.ErrUnreachable), "HOST_UNAVAILABLE", fault.Busy, ""},
		"limit that is no answer": {fmt.Errorf("%w: %w", vcshost.ErrNoAnswer, vcshost.Limit(time.Minute)), "HOST_LIMIT", fault.Busy, ""},
	} {
		for _, v := range vcs.All() {
			got, ok := vcshost.Explain(v, fmt.Errorf("list: %w", c.err))
			if !ok || got.ID != c.id || got.Kind != c.kind || got.Permanent != strings.Contains(c.permanent, string(v)) {
				t.Errorf("%s at %s: %+v, %t, want %s", name, v, got, ok, c.id)
			}
			if got.Cause == "" || got.Permanent != (got.Remedy != "") && !errors.Is(c.err, vcshost.ErrRefused) || strings.Contains(got.Cause+got.Remedy, "HOST") {
				t.Errorf("%s at %s: the texts are %q and %q", name, v, got.Cause, got.Remedy)
			}
			var f *fault.Error
			if err := vcshost.Fault(v, c.err); !errors.As(err, &f) || f.ID != c.id || f.Kind != c.kind || f.RetryAfter != got.RetryAfter || !errors.Is(err, c.err) {
				t.Errorf("%s at %s: fault %v, want %s", name, v, err, c.id)
			}
		}
	}
	if got, ok := vcshost.Explain(vcs.GitHub, errors.New("read table: status 500")); ok {
		t.Errorf("an error that no host made is explained: %+v", got)
	}
}

func TestDetailOfAProblemIsForItsOwnerAndTheLogAlone(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		&vcshost.Refusal{Words: "You may not"}:       `GitLab says: "You may not"`,
		&vcshost.KeyError{Why: "its end is missing"}: "its end is missing",
		vcshost.ErrForbidden:                         "",
	} {
		got, _ := vcshost.Explain(vcs.GitLab, err)
		var f *fault.Error
		if !errors.As(vcshost.Fault(vcs.GitLab, err), &f) || got.Detail != want || want != "" && strings.Contains(f.Detail, want) {
			t.Errorf("%v: detail %q, want %q; the caller is told %q", err, got.Detail, want, f.Detail)
		}
	}
}
