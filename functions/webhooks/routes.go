package main

import (
	"log/slog"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/credential/secret"
)

// webhooks is what the operations need.
type webhooks struct {
	deliveries     delivery.Store
	github, tokens *secret.Secret
	log            *slog.Logger
}

// signed deliveries prove where they come from themselves.
var signed = access.Rule{Public: true}

// hosts say what they like: a webhook's address is entered there, with parameters
// or without, and a payload has new members with every version of a host.
var hosts = httpapi.Input{
	OtherQuery: "whoever enters the webhook's address at the host may add parameters to it",
	AnyBody:    "a payload is the host's, and is read by what its event needs of it",
}

// routes lists the function's routes. The paths are those that GitHub Apps and
// GitLab groups of such servers have always been given.
func routes(w *webhooks) []httpapi.Route {
	return []httpapi.Route{
		{Pattern: "POST /api/github/v1/events", Rule: signed, Input: hosts, Endpoint: httpapi.JSON(decodeGitHub, w.acceptGitHub)},
		{Pattern: "POST /api/v1/gitlab/events", Rule: signed, Input: hosts, Endpoint: httpapi.JSON(decodeGitLab, w.acceptGitLab)},
	}
}
