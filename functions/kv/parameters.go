package main

import (
	"iter"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// parameters are the parameters of an operation without its key. They come from the
// query if the path names the key, otherwise from the body. The first failure is
// kept.
type parameters interface {
	// Bool returns def if there is no parameter of this name.
	Bool(name string, def bool) bool
	// OptionalInt reads a whole number from low to high; nil if there is none.
	OptionalInt(name string, low, high int) *int
	// OptionalString reads a text; nil if there is none.
	OptionalString(name string) *string
	// Strings reads a list of texts, one by one.
	Strings(name string) iter.Seq[string]
	// Err returns the fault of the first parameter that could not be read.
	Err() error
}

var _, _ parameters = (*httpapi.Query)(nil), (*httpapi.Body)(nil)

// readIdx reads the parameter idx.
func readIdx(p parameters) *int { return p.OptionalInt("idx", kv.MinIdx, kv.MaxIdx) }

// readDrafts reports whether the request asks for drafts too.
func readDrafts(p parameters) bool { return !p.Bool("committed", true) }

// orZero returns the number, or 0 if there is none.
func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
