package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/contract"
)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, "TokensFunction", routes(&tokens{}))
}
