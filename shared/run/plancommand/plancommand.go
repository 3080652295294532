// Package plancommand makes the commands with which the public runner moves plans of
// any size: the method cmd of storage.plans (sections 7 and 11 of the runner
// protocol). The runner executes a command that stores a plan before it tells the
// server of the plan, and one that fetches the plan before it applies. The package is
// pure.
//
// Both commands are one Python program, because the runner is written in Python, so
// each of its images has it. The program asks the server for a presigned URL, and
// sends or reads the bytes there. The runner writes its configuration and each command
// to the log of the CI job. So the commands do not hold the token of the run: the program
// asks for the run's work once more, as the CI job that it runs in, and finds the token
// there. They hold the work token. The runner prints that in other lines too, so the
// workflow file has to mask it (docs/guide-runs.md).
package plancommand

import (
	_ "embed" // the program
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed plan.py
var program string

// stored stands in place of the command that fetches a plan. The runner repeats it to
// the server after the upload. The apply gets the command from the server (Document),
// because only then it is known which run applies.
const stored = "opsplane-plan"

// command returns the command that runs the program. The option -I keeps Python from
// loading modules of the directory in which it runs, which the change under review may
// have put there.
func command(action, address string) []string {
	return []string{"python3", "-I", "-c", program, action, address}
}

// Storage returns the value of storage.plans in the configuration of a run that plans.
// api is the address at which runners reach the routes of the run's VCS, such as
// "https://host/api/github".
func Storage(api string) map[string]any {
	return map[string]any{
		"method": "cmd",
		// The runner replaces the variable by the run's work token.
		"store": list(command("store", RunAddress(api, "$token"))),
		"fetch": list([]string{stored}), "delete": list([]string{stored}),
	}
}

// RunAddress returns the address of a run for its runner. api is that of Storage.
func RunAddress(api, workToken string) string {
	return strings.TrimSuffix(api, "/") + "/v1/work-manifests/" + workToken
}

// list returns the form that a list has in decoded JSON.
func list(words []string) []any {
	values := make([]any, len(words))
	for i, word := range words {
		values[i] = word
	}
	return values
}

// document is what a runner stores as a plan, and what it finds when it applies, with
// the method cmd.
type document struct {
	Method  string   `json:"method"`
	Version int      `json:"version"`
	Fetch   []string `json:"fetch"`
	Delete  []string `json:"delete"`
}

// Stored reports whether the bytes that a runner stores as a plan say that the plan was
// uploaded with the command of Storage.
func Stored(plan []byte) bool {
	var d document
	err := json.Unmarshal(plan, &d)
	return err == nil && d.Method == "cmd" && len(d.Fetch) == 1 && d.Fetch[0] == stored
}

// Document returns what the runner of an apply gets in place of a plan that was
// uploaded. The runner executes the command in it. address is the RunAddress of the
// apply. There is nothing to delete: the server removes the plan when the apply has
// ended. But the runner needs a command for it (section 11 of the runner protocol).
func Document(address string) ([]byte, error) {
	text, err := json.Marshal(document{Method: "cmd", Version: 1, Fetch: command("fetch", address), Delete: []string{"true"}})
	if err != nil {
		return nil, fmt.Errorf("encode how to fetch a plan: %w", err)
	}
	return text, nil
}
