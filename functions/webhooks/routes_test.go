package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/contract"
)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, "WebhooksFunction", routes(&webhooks{}))
}
