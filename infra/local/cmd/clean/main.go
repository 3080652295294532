//go:build unix

// Command clean removes the data of the local stack whose folder is its
// argument: what a stack made there, and nothing else.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/opsplane/opsplane/infra/local/state"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "clean: name the folder of the local stack")
		os.Exit(2)
	}
	left, err := state.Clean(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "clean:", err)
		os.Exit(1)
	}
	for _, path := range left {
		fmt.Fprintf(os.Stderr, "clean: %s stays: no stack made it\n", filepath.Join(os.Args[1], path))
	}
}
