package source_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
)

func TestMain(m *testing.M) { storagetest.RunSampled(m) }
