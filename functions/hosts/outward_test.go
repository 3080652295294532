package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestCallerIsToldToTryAgainWhereTheHostHasNotResponded(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{vcshost.ErrNoAnswer, grant.ErrRefreshing} {
		var f *fault.Error
		if err := outward("github", fmt.Errorf("renew: %w", cause)); !errors.As(err, &f) || f.Kind != fault.Busy || f.ID != "HOST_UNAVAILABLE" {
			t.Errorf("%v: got %v, want a Busy fault", cause, err)
		}
	}
	if err := outward("github", grant.ErrNone); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("no grant: got %v, want a refusal", err)
	}
	storage := errors.New("storage")
	if err := outward("github", storage); !errors.Is(err, storage) || errors.As(err, new(*fault.Error)) {
		t.Errorf("storage: got %v, want it unchanged", err)
	}
}
