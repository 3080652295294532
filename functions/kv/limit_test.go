package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/selection"
)

// maxEvent is the maximum size of a function's response, in bytes of its JSON.
const maxEvent = 6 << 20

func TestValueUpToTheLimitRoundTripsWithinALambdaEvent(t *testing.T) {
	r := newRig(t)
	// This is the longest key and the longest list of capabilities that a record
	// can have.
	path := "/key/" + url.PathEscape(strings.Repeat("\x01", kv.MaxKeyBytes))
	caps := strings.TrimSuffix(strings.Repeat(`{"name":"installation_id","id":"`+strings.Repeat(`\u0001`, 64)+`"},`, 32), ",")
	for i, c := range []struct {
		text     string
		accepted bool
	}{
		{`"` + strings.Repeat("x", kv.MaxEscapedValue-4) + `"`, true},
		{`"` + strings.Repeat("x", kv.MaxEscapedValue-3) + `"`, false},
		{`"` + strings.Repeat(`\"`, (kv.MaxEscapedValue-4)/4) + `"`, true},
		{`"` + strings.Repeat("\u2028", (kv.MaxEscapedValue-4)/6+1) + `"`, false},
		{`[` + strings.Repeat(`1e999,`, 10_000) + `1]`, false},
	} {
		start := time.Now()
		put := r.ask(t, "PUT", path, fmt.Sprintf(`{"data":%s,"idx":%d,"write_caps":[%s]}`, c.text, i, caps))
		took := time.Since(start)
		if !c.accepted {
			if put.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(put.Body, "VALUE_TOO_LARGE") || !strings.Contains(put.Body, "several idx") {
				t.Errorf("%.20s: set answers %d %.300s", c.text, put.StatusCode, put.Body)
			}
			continue
		}
		get := r.ask(t, "GET", path+"?idx="+strconv.Itoa(i), "")
		event, err := json.Marshal(get)
		if err != nil {
			t.Fatal(err)
		}
		if get.StatusCode != http.StatusOK || !strings.Contains(get.Body, c.text) || len(event) > maxEvent {
			t.Errorf("%.20s: set %d %.300s, get %d in %d bytes", c.text, put.StatusCode, put.Body, get.StatusCode, len(event))
		}
		t.Logf("%.5s…: %d bytes, stored in %v, answered in %d bytes", c.text, len(c.text), took, len(event))
	}
}

func TestNoPageIsLargerThanAFunctionMayAnswer(t *testing.T) {
	r := newRig(t)
	value := `"` + strings.Repeat(`x\"`, 700<<10) + `"` // 4.1 MB in a response
	for i := range 3 {
		r.ask(t, "PUT", "/key/big"+fmt.Sprint(i), `{"data":{"small":[1],"value":`+value+`}}`)
	}
	seen := 0
	for next := "/iter/big?prefix=true"; next != ""; seen++ {
		resp := r.ask(t, "GET", next, "")
		event, err := json.Marshal(resp)
		if err != nil || len(event) > maxEvent {
			t.Fatalf("an answer of %d bytes, %v", len(event), err)
		}
		var rows []string
		if rows, next = r.listed(t, next); len(rows) != 1 {
			t.Errorf("page of %d rows, want 1", len(rows))
		}
	}
	if seen != 3 {
		t.Errorf("%d pages, want 3", seen)
	}
	// If only parts of the values are selected, all three rows fit. All three must
	// still be read.
	r.want(t, "GET", "/iter/big?prefix=true&select=x=small&limit=2", "", 200,
		`{"results":[`+big(0)+`,`+big(1)+`]}`)
	if rows, next := r.listed(t, "/iter/big?prefix=true&select=x=small"); len(rows) != 3 || next != "" {
		t.Errorf("got %q, next %s", rows, next)
	}
	if rows, next := r.listed(t, "/iter/big?prefix=true&select=x=value"); len(rows) != 1 || next == "" {
		t.Errorf("got %q, next %s", rows, next)
	}
	if rows, next := r.listed(t, "/iter/big?prefix=true&include_data=false"); len(rows) != 3 || next != "" {
		t.Errorf("got %q, next %s", rows, next)
	}
	for _, route := range []string{"/key/big0", "/iter/big0"} {
		r.refused(t, "GET", route+"?select=a=value,b=value", "", "SELECTION_TOO_LARGE", "select fewer")
	}
}

func big(i int) string { return rec(true, `{"x":[1]}`, 0, fmt.Sprint("big", i), 700<<10*3+27, 0) }

// endless is a store in which every page has one record and a next page.
type endless struct {
	store
	budgets map[*kv.Budget]int
}

func (endless) NewBudget() *kv.Budget { return (&kv.Store{}).NewBudget() }

func (e endless) Iterate(_ context.Context, _ kv.Caller, r kv.Range) ([]kv.Record, *kv.Position, error) {
	e.budgets[r.Budget]++
	return []kv.Record{{Data: []byte("1")}}, &kv.Position{Idx: e.budgets[r.Budget]}, nil
}

func TestPagesOfOneAnswerShareABudget(t *testing.T) {
	t.Parallel()
	parts, err := selection.Parse(slices.Values([]string{"x=x"}))
	if err != nil {
		t.Fatal(err)
	}
	it := iterating{rows: kv.Range{Limit: 1000, WithData: true}, parts: parts, address: "/iter"}
	// A store without limits has budgets that are spent at once. Then one page must
	// be enough.
	e := endless{budgets: map[*kv.Budget]int{}}
	if p, err := (keys{e}).iterate(t.Context(), httpapi.Call{}, it); err != nil || len(p.Results) != 1 || p.next == "" {
		t.Errorf("with a spent budget: %d records, next %q, %v; want one record and a link", len(p.Results), p.next, err)
	}
	endlessly := endless{budgets: map[*kv.Budget]int{}}
	if p, err := (keys{unspent{endlessly}}).iterate(t.Context(), httpapi.Call{}, it); err != nil || len(p.Results) != maxReads || len(endlessly.budgets) != 1 {
		t.Errorf("got %d records with %d budgets, %v; want %d with one", len(p.Results), len(endlessly.budgets), err, maxReads)
	}
}

// large is a store with this number of rows on one page, all with the same value.
type large struct {
	store
	value []byte
	rows  int
}

func (large) NewBudget() *kv.Budget { return nil }

func (l large) Iterate(_ context.Context, _ kv.Caller, r kv.Range) (found []kv.Record, next *kv.Position, err error) {
	first := 0
	if r.After != nil {
		first = r.After.Idx + 1
	}
	for idx := first; idx < l.rows && len(found) < r.Limit; idx++ {
		found = append(found, kv.Record{Key: "k", Idx: idx, Data: l.value})
	}
	if len(found) > 0 && found[len(found)-1].Idx < l.rows-1 {
		next = &kv.Position{Key: "k", Idx: found[len(found)-1].Idx}
	}
	return found, next, nil
}

func TestManySelectionsOfLargeValuesEndAPageByTheirWork(t *testing.T) {
	t.Parallel()
	zeros := []byte("[" + strings.TrimSuffix(strings.Repeat("0,", 2_900_000), ",") + "]")
	for _, c := range []struct {
		name               string
		parts, rows, limit int
		pages              int
	}{
		{"fifty", selection.MaxItems, 9, 9, 5}, // the second value exceeds the limit
		{"fifty, row by row", selection.MaxItems, 3, 1, 3},
		{"fifty, and no more rows", selection.MaxItems, 2, 9, 1},
		{"one", 1, 9, 9, 1},
	} {
		var values []string
		for i := range c.parts {
			values = append(values, fmt.Sprintf("a%d=x", i))
		}
		parts, err := selection.Parse(slices.Values(values))
		if err != nil {
			t.Fatal(err)
		}
		it := iterating{rows: kv.Range{Limit: c.limit, WithData: true}, parts: parts}
		var got []int
		pages := 0
		for pages == 0 || it.rows.After != nil {
			p, err := (keys{large{value: zeros, rows: c.rows}}).iterate(t.Context(), httpapi.Call{}, it)
			if err != nil || len(p.Results) == 0 || pages > c.rows {
				t.Fatalf("%s: page %d has %d records, %v", c.name, pages, len(p.Results), err)
			}
			for _, r := range p.Results {
				got = append(got, r.Idx)
			}
			pages++
			it.rows.After = nil
			if p.Cursor != "" {
				if it.rows.After, err = decodeCursor(p.Cursor); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := make([]int, c.rows)
		for i := range want {
			want[i] = i
		}
		if !slices.Equal(got, want) || pages != c.pages {
			t.Errorf("%s: got rows %v on %d pages, want %v on %d", c.name, got, pages, want, c.pages)
		}
	}
}

// unspent is an endless store whose budgets have no limit.
type unspent struct{ endless }

func (unspent) NewBudget() *kv.Budget { return nil }

// changed is a store whose commits return these results.
type changed struct {
	store
	rows []kv.Position
}

func (c changed) Commit(context.Context, kv.Caller, []kv.Target) ([]kv.Position, error) {
	return c.rows, nil
}

func TestCommitListsWhatFitsAndCountsTheRest(t *testing.T) {
	t.Parallel()
	rows := make([]kv.Position, 3000)
	for i := range rows {
		rows[i] = kv.Position{Key: strings.Repeat(`"`, kv.MaxKeyBytes), Idx: i}
	}
	for _, n := range []int{0, 1000, len(rows)} {
		got, err := keys{changed{rows: rows[:n]}}.commit(t.Context(), httpapi.Call{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		event, err := json.Marshal(string(b))
		if err != nil || len(event) > maxEvent {
			t.Fatalf("an answer of %d bytes, %v", len(event), err)
		}
		h := http.Header{}
		got.SetHeaders(h)
		want := ""
		if omitted := n - len(got.Keys); omitted > 0 {
			want = strconv.Itoa(omitted)
		}
		if h.Get(headerOmitted) != want || n <= 1000 && want != "" || n == len(rows) && (want == "" || len(event) < maxEvent*9/10) {
			t.Errorf("%d rows: %d listed in %d bytes, %s: %q", n, len(got.Keys), len(event), headerOmitted, h.Get(headerOmitted))
		}
	}
}
