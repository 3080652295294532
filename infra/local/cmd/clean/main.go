//go:build unix

// Command clean removes the data of a local stack: what a stack made in its
// folder, and nothing else. It fails, and removes nothing, if a stack runs on the
// folder or from the folder of tools.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/opsplane/opsplane/infra/local/state"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "clean: name the folder of the local stack, and that of the tools")
		os.Exit(2)
	}
	if err := clean(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "clean:", err)
		os.Exit(1)
	}
}

func clean(dir, tools string) error {
	if err := state.CheckTools(tools); err != nil {
		return err
	}
	left, err := state.Clean(dir)
	for _, path := range left {
		fmt.Fprintf(os.Stderr, "clean: %s stays: no stack made it\n", filepath.Join(dir, path))
	}
	return err
}
