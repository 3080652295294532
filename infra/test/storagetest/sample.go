package storagetest

import "os"

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
