package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/contract"
)

func TestRoutesAreThoseOfTheDocumentAndTheTemplate(t *testing.T) {
	contract.CheckRoutes(t, "KvFunction", routes(nil, nil))
}
