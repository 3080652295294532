package storagetest

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

// Sample returns how often a test makes a check that it repeats with other input: all, or few if
// DYNAMODB=dynamodb-local chooses AWS's server. Tests run on that server in addition to the
// default one. It is there to show that both servers understand the requests alike, and each
// request takes it milliseconds of processor time. So there a test makes few of its checks, and
// makes all of them on the default server.
func Sample(all, few int) int {
	if os.Getenv("DYNAMODB") == "dynamodb-local" {
		return few
	}
	return all
}

// RunSampled is the TestMain of a package with property tests. It sets how many inputs each of
// them tries, with Sample. The command line (-rapid.checks) can say otherwise.
func RunSampled(m *testing.M) {
	if err := flag.Set("rapid.checks", strconv.Itoa(Sample(100, 20))); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
