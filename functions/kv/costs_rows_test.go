package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
)

var at = "/key/" + key("k")

var costsOfReading = map[string]costs.Scenario{
	"get, value of 100 bytes":                  after(has(0, tiny), 200, "GET", at, ""),
	"get, value of 8 KiB":                      after(has(0, inline), 200, "GET", at, ""),
	"get, value of 100 KiB":                    after(has(0, chunk), 200, "GET", at, ""),
	"get, chunk of 100 KiB at another idx":     after(has(1, chunk), 200, "GET", at+"?idx=1", ""),
	"get, no such key":                         after(nothing, 404, "GET", at, ""),
	"get, no such idx of a key with chunks":    after(has(1, chunk), 404, "GET", at+"?idx=2", ""),
	"get, no such idx of a key with idx 0":     after(has(0, tiny), 404, "GET", at+"?idx=2", ""),
	"get without the value (`select=`)":        after(has(0, chunk), 200, "GET", at+"?select=", ""),
	"count, key with idx 0":                    after(has(0, tiny), 200, "GET", "/count"+at, ""),
	"count, key with 1,000 chunks":             after(hasChunks(1000, true), 200, "GET", "/count"+at, ""),
	"size, key with 1,000 chunks":              after(hasChunks(1000, true), 200, "GET", "/size"+at, ""),
	"count, key with 200 records of 8 KiB":     after(hasRows(200, true), 200, "GET", "/count"+at, ""),
	"get, value of 100 bytes, key in the body": after(has(0, tiny), 200, "POST", "/read", `{"get":{"key":"`+key("k")+`"}}`),
	"size, one chunk":                          after(has(1, chunk), 200, "GET", "/size"+at+"?idx=1", ""),
}

var costsOfWriting = map[string]costs.Scenario{
	"set, value of 100 bytes":                                        after(nothing, 200, "PUT", at, `{"data":`+tiny+`}`),
	"set, value of 100 bytes over another":                           after(has(0, tiny), 200, "PUT", at, `{"data":`+tiny+`}`),
	"set, value of 8 KiB":                                            after(nothing, 200, "PUT", at, `{"data":`+inline+`}`),
	"set, value of 100 bytes over one of 8 KiB":                      after(has(0, inline), 200, "PUT", at, `{"data":`+tiny+`}`),
	"set, value of 100 KiB":                                          after(isRegistered, 200, "PUT", at, `{"data":`+chunk+`}`),
	"set, chunk of 100 KiB at another idx":                           after(has(1, chunk), 200, "PUT", at, `{"idx":2,"committed":false,"data":`+chunk+`}`),
	"set, value of 100 bytes at another idx":                         after(has(1, tiny), 200, "PUT", at, `{"idx":2,"data":`+tiny+`}`),
	"set, first chunk of a key":                                      after(isRegistered, 200, "PUT", at, `{"idx":1,"committed":false,"data":`+chunk+`}`),
	"set, first larger value of an installation":                     after(nothing, 200, "PUT", at, `{"data":`+chunk+`}`),
	"set, over a row with write capabilities":                        after(hasGuarded(0), 200, "PUT", at, `{"data":`+tiny+`}`),
	"set, over a row with write capabilities at another idx":         after(hasGuarded(1), 200, "PUT", at, `{"idx":1,"data":`+tiny+`}`),
	"set, first row with write capabilities of a key at another idx": after(has(1, tiny), 200, "PUT", at, `{"idx":2,`+guard+`"data":`+tiny+`}`),
	"set, value of 100 bytes, key in the body":                       after(nothing, 200, "POST", "/write", `{"set":{"key":"`+key("k")+`","data":`+tiny+`}}`),
	"cas onto a version":                                             after(has(0, tiny), 200, "PUT", "/cas"+at, `{"version":0,"data":`+tiny+`}`),
	"cas onto nothing":                                               after(nothing, 200, "PUT", "/cas"+at, `{"data":`+tiny+`}`),
	"cas onto a version at another idx":                              after(has(1, tiny), 200, "PUT", "/cas"+at, `{"idx":1,"version":0,"data":`+tiny+`}`),
	"cas that fails, on a row of 100 bytes":                          after(has(0, tiny), 400, "PUT", "/cas"+at, `{"version":7,"data":`+tiny+`}`),
	"cas that fails, on a row of 8 KiB":                              after(has(0, inline), 400, "PUT", "/cas"+at, `{"version":7,"data":`+tiny+`}`),
	"cas that fails, with a value of 100 KiB":                        after(all(isRegistered, has(0, tiny)), 400, "PUT", "/cas"+at, `{"version":7,"data":`+chunk+`}`),
}

// guard gives a row write capabilities, all of which the caller holds.
const guard = `"write_caps":["kv_store_write"],`

func hasGuarded(idx int) func(*testing.T, metered) {
	return func(t *testing.T, m metered) {
		m.request(t, http.StatusOK, "PUT", at, fmt.Sprintf(`{"idx":%d,%s"data":%s}`, idx, guard, tiny))
	}
}

var costsOfRemoving = map[string]costs.Scenario{
	"delete of a key with idx 0":                  after(has(0, tiny), 200, "DELETE", at, ""),
	"delete of a key with 8 KiB at idx 0":         after(has(0, inline), 200, "DELETE", at, ""),
	"delete of a key with 10 chunks":              after(hasChunks(10, true), 200, "DELETE", at, ""),
	"delete of a key with 1,000 chunks":           after(hasChunks(1000, true), 200, "DELETE", at, ""),
	"delete of a key with idx 0 and 10 chunks":    after(all(has(0, tiny), hasChunks(10, true)), 200, "DELETE", at, ""),
	"delete of a key with 10 chunks at a version": after(hasChunks(10, true), 200, "DELETE", at+"?version=0", ""),
	"delete of a key with 10 guarded rows":        after(hasGuardedRows(10), 200, "DELETE", at, ""),
	"delete of a key that was emptied row by row": after(emptied, 200, "DELETE", at, ""),
	"delete of no such key":                       after(nothing, 200, "DELETE", at, ""),
	"delete of idx 0":                             after(has(0, tiny), 200, "DELETE", at+"?idx=0", ""),
	"delete of idx 0 of a key with chunks":        after(all(has(0, tiny), has(1, chunk)), 200, "DELETE", at+"?idx=0", ""),
	"delete of one chunk":                         after(has(1, chunk), 200, "DELETE", at+"?idx=1", ""),
	"delete of no such idx 0":                     after(nothing, 200, "DELETE", at+"?idx=0", ""),
}

func hasGuardedRows(n int) func(*testing.T, metered) {
	return func(t *testing.T, m metered) {
		hasGuarded(1)(t, m)
		m.multiply(t, n)
	}
}

var costsOfCommitting = map[string]costs.Scenario{
	"commit, draft of 100 bytes at idx 0":       committing1(1, func(t *testing.T, m metered) { m.put(t, "k", 0, false, tiny) }, ""),
	"commit, draft of 8 KiB at idx 0":           committing1(1, func(t *testing.T, m metered) { m.put(t, "k", 0, false, inline) }, ""),
	"commit, one chunk by its idx":              committing1(1, hasChunks(10, false), `,"idx":1`),
	"commit, key with 10 chunks":                committing1(10, hasChunks(10, false), ""),
	"commit, key with 1,000 chunks":             committing1(1000, hasChunks(1000, false), ""),
	"commit, key without a draft":               committing1(0, has(0, tiny), ""),
	"commit, 10 keys with a draft of 100 bytes": committingKeys(10, func(t *testing.T, m metered, name string) { m.put(t, name, 0, false, tiny) }),
}

// committing1 commits one key, and requires that this changes the given number of
// rows.
func committing1(rows int, prepare func(*testing.T, metered), idx string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		m := newMetered(t)
		prepare(t, m)
		m.Start()
		body := m.request(t, http.StatusOK, "POST", "/commit", fmt.Sprintf(`{"keys":[{"key":%q%s}]}`, key("k"), idx))
		if got := length(t, body, "keys"); got != rows {
			t.Errorf("committed %d rows, want %d", got, rows)
		}
		return m.Meter
	}
}

// committingKeys commits several keys together, with one draft each.
func committingKeys(n int, prepare func(*testing.T, metered, string)) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		m := newMetered(t)
		var names []string
		for i := range n {
			prepare(t, m, fmt.Sprint("k", i))
			names = append(names, fmt.Sprintf(`{"key":%q}`, key(fmt.Sprint("k", i))))
		}
		m.Start()
		body := m.request(t, http.StatusOK, "POST", "/commit", `{"keys":[`+strings.Join(names, ",")+`]}`)
		if got := length(t, body, "keys"); got != n {
			t.Errorf("committed %d rows, want %d", got, n)
		}
		return m.Meter
	}
}

var costsOfIterating = map[string]costs.Scenario{
	"iterate, page of 30 keys of 100 bytes":        iterating30(hasKeys(31, tiny), ""),
	"iterate, page of 30 keys with larger values":  iterating30(hasKeys(31, larger), ""),
	"iterate, the same page without data":          iterating30(hasKeys(31, larger), "&include_data=false"),
	"iterate, page of 30 chunks of a key":          iterating30(hasChunks(31, true), ""),
	"iterate, page of 30 chunks of a key of 1,000": iterating30(hasChunks(1000, true), ""),
	"iterate, past 200 drafts of 8 KiB":            after(hasRows(200, false), 200, "GET", "/iter/k?prefix=true", ""),
}

// hasRows prepares a key with n values of 8 KiB, beginning at idx 1. The values lie
// in their rows.
func hasRows(n int, committed bool) func(*testing.T, metered) {
	return func(t *testing.T, m metered) {
		m.put(t, "k", 1, committed, inline)
		m.multiply(t, n)
	}
}

func hasKeys(n int, data string) func(*testing.T, metered) {
	return func(t *testing.T, m metered) {
		for i := range n {
			m.put(t, fmt.Sprint("k", i), 0, true, data)
		}
	}
}

// iterating30 reads the first page of an iteration.
func iterating30(prepare func(*testing.T, metered), query string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		m := newMetered(t)
		prepare(t, m)
		m.Start()
		body := m.request(t, http.StatusOK, "GET", "/iter/k?prefix=true"+query, "")
		if got := length(t, body, "results"); got != 30 {
			t.Errorf("the page has %d records, want 30", got)
		}
		return m.Meter
	}
}

// emptied prepares a key whose only chunk was written and deleted.
func emptied(t *testing.T, m metered) {
	m.put(t, "k", 1, true, tiny)
	m.request(t, 200, "DELETE", at+"?idx=1", "")
}
