package kv_test

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
)

// TestMain sets how many inputs the property tests try. The command line can say
// otherwise.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", strconv.Itoa(storagetest.Sample(100, 20))); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
