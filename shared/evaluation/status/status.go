// Package status has the names of the commit statuses that this server makes. Branch
// protection of users names them, so they never change. The package is pure.
package status

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/run"
)

// Operation is what a status is about.
type Operation string

// The operations.
const (
	Plan  Operation = "plan"
	Apply Operation = "apply"
)

// Aggregate is the status of a whole pull request: it succeeds when everything is applied.
const Aggregate = "terrateam apply"

// PreHooks returns the name of the status of the hooks before the work.
func PreHooks(o Operation) string { return fmt.Sprintf("terrateam %s pre-hooks", o) }

// PostHooks returns the name of the status of the hooks after the work.
func PostHooks(o Operation) string { return fmt.Sprintf("terrateam %s post-hooks", o) }

// Lengths of names, in bytes (orchestration, 18 and 28.18).
const (
	maxName       = 200
	dirPart       = 40
	workspacePart = 20
	digits        = 6
)

// Of returns the name of the status of a dirspace. A long name is shortened: the end of the
// directory, the beginning of the workspace, and digits by which it is still its own.
func Of(o Operation, d run.Dirspace) string {
	name := fmt.Sprintf("terrateam %s: %s %s", o, d.Dir, d.Workspace)
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(d.Dir + ":" + d.Workspace))
	return fmt.Sprintf("terrateam %s: ...%s %s... %s", o, last(d.Dir, dirPart), first(d.Workspace, workspacePart), hex.EncodeToString(sum[:])[:digits])
}

// last returns at most n bytes of the end of a text, without a part of a character.
func last(text string, n int) string {
	from := max(0, len(text)-n)
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++
	}
	return text[from:]
}

// first returns at most n bytes of the beginning of a text, without a part of a character.
func first(text string, n int) string {
	to := min(n, len(text))
	for to > 0 && to < len(text) && !utf8.RuneStart(text[to]) {
		to--
	}
	return text[:to]
}
