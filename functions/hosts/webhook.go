package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
	"github.com/opsplane/opsplane/shared/vcs/webhook"
)

// decodeAddress returns the address of the API.
func decodeAddress(r *http.Request) (string, error) { return httpapi.Address(r), nil }

// webhookResponse holds what an owner of a group enters at GitLab.
type webhookResponse struct {
	State  string `json:"state"`
	Secret string `json:"webhook_secret"`
	URL    string `json:"webhook_url"`
}

// webhook returns the webhook of a group. If the group is not an installation, it
// makes it one, in the state pending until GitLab delivers. The secret of a group's
// webhook stays the same until the secret that it is derived from is rotated.
func (h *hosts) webhook(ctx context.Context, call httpapi.Call, base string) (webhookResponse, error) {
	g, err := h.maintained(ctx, call)
	if err != nil {
		return webhookResponse{}, err
	}
	values, err := h.webhookSecrets(ctx, call.Now)
	if err != nil {
		return webhookResponse{}, err
	}
	key, err := secret.Derive(values[0], webhook.Purpose)
	if err != nil {
		return webhookResponse{}, err
	}
	token, ok := webhook.Token(key, call.Installation.ID)
	if !ok {
		return webhookResponse{}, access.Refuse(access.StepHost, "no group can have this id")
	}
	known, err := h.know(ctx, call, g)
	if err != nil {
		return webhookResponse{}, err
	}
	return webhookResponse{State: status(known), Secret: token, URL: base + "/api/v1/gitlab/events"}, nil
}

// maintained reads the group of the call from GitLab. The caller must be a maintainer of the
// group, direct or through a parent group, and the group must be allowed to be an
// installation. Otherwise the request is refused.
func (h *hosts) maintained(ctx context.Context, call httpapi.Call) (g gitlabhost.Group, err error) {
	err = h.asCaller(ctx, call, func(client *gitlabhost.Client, account user.Identity) error {
		level, err := client.Level(ctx, call.Installation.ID, account.ID)
		if err != nil {
			return err
		}
		if level < gitlabhost.Maintainer {
			return access.Refuse(access.StepHost, "the user's access level at gitlab is %d in the group, and %d is needed", level, gitlabhost.Maintainer)
		}
		g, err = client.Group(ctx, string(call.Installation.ID))
		if errors.Is(err, vcshost.ErrGone) {
			return access.Refuse(access.StepHost, "gitlab does not show the group to the user's account")
		}
		if err != nil {
			return err
		}
		return h.allowed.check(ctx, client, g)
	})
	return g, err
}

// know makes the group of the call an installation, or stores the present name of a known one. It
// returns the installation.
func (h *hosts) know(ctx context.Context, call httpapi.Call, g gitlabhost.Group) (installation.Installation, error) {
	name := installation.NameOfGroup(g.FullName)
	store, of := h.people.Installations, call.Installation
	known, err := store.Get(ctx, of)
	if err == nil && known.Name == name || err != nil && !errors.Is(err, fault.ErrNotFound) {
		return known, err
	}
	if _, err := store.Save(ctx, call.Author(), installation.Installation{VCS: of.VCS, ID: of.ID, Name: name}); err != nil {
		return installation.Installation{}, err
	}
	return store.Get(ctx, of)
}
