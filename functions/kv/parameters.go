package main

import (
	"net/http"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// parameters are the parameters of an operation without its key. They come from the
// query if the path names the key, otherwise from the body. The first failure is
// kept.
type parameters interface {
	// bool returns def if there is no parameter of this name.
	bool(name string, def bool) bool
	// int reads a whole number from low to high; nil if there is none.
	int(name string, low, high int) *int
	// string reads a text; nil if there is none.
	string(name string) *string
	// strings reads a list of texts.
	strings(name string) []string
	// failure returns the fault of the first parameter that could not be read.
	failure() error
}

// query holds the parameters of a request's query.
type query struct{ *httpapi.Query }

func queryOf(r *http.Request) parameters { return query{httpapi.NewQuery(r)} }

func (q query) bool(name string, def bool) bool { return q.Bool(name, def) }

func (q query) int(name string, low, high int) *int {
	if !q.Has(name) {
		return nil
	}
	n := q.Int(name, 0, low, high)
	return &n
}

func (q query) string(name string) *string {
	if !q.Has(name) {
		return nil
	}
	text := q.String(name, "")
	return &text
}

func (q query) strings(name string) []string { return q.All(name) }

func (q query) failure() error { return q.Err() }

var _, _ parameters = query{}, (*body)(nil)

// readIdx reads the parameter idx.
func readIdx(p parameters) *int { return p.int("idx", kv.MinIdx, kv.MaxIdx) }

// readDrafts reports whether the request asks for drafts too.
func readDrafts(p parameters) bool { return !p.bool("committed", true) }
