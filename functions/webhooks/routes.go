package main

import (
	"log/slog"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/credential/secret"
)

// webhooks holds what the operations need.
type webhooks struct {
	deliveries     delivery.Store
	github, tokens *secret.Secret
	log            *slog.Logger
}

// signed needs no credential: a delivery carries its own proof of its origin.
var signed = access.Rule{Public: true}

// hosts accepts any parameters and members. People enter a webhook's address at the
// host, with or without parameters, and each version of a host may add members to a
// payload.
var hosts = httpapi.Input{
	OtherQuery: "the person who enters the webhook's address at the host may add parameters to it",
	AnyBody:    "a payload is the host's, and is read by what its event needs of it",
}

// routes lists the function's routes. GitHub Apps and GitLab groups have always
// used these paths for such servers.
func routes(w *webhooks) []httpapi.Route {
	return []httpapi.Route{
		{Pattern: "POST /api/github/v1/events", Rule: signed, Input: hosts, Endpoint: httpapi.JSON(decodeGitHub, w.acceptGitHub)},
		{Pattern: "POST /api/v1/gitlab/events", Rule: signed, Input: hosts, Endpoint: httpapi.JSON(decodeGitLab, w.acceptGitLab)},
	}
}
