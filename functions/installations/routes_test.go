package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/contract"
)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, "InstallationsFunction", routes(&installations{}))
}
