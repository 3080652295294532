//go:build unix

// Command clean removes the data of a local stack: only the files that a stack made in its
// folder. It also removes the folder of tools, into which everything is downloaded or built. If
// a stack uses one of the two folders, the command fails and removes nothing.
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
	held, err := state.HoldTools(tools)
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()
	left, err := state.Clean(dir)
	if err != nil {
		return err
	}
	for _, path := range left {
		fmt.Fprintf(os.Stderr, "clean: %s stays: no stack made it\n", filepath.Join(dir, path))
	}
	return os.RemoveAll(tools)
}
