package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/contract"
)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, "InstallationsFunction", routes(&installations{}))
}
