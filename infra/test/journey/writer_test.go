//go:build unix

package journey

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// writer writes without pauses and records what was acknowledged. Each round appends a row to a
// log, by insert only, and raises a counter by compare-and-set.
type writer struct {
	client *Client
	in     Installation
	name   string
	pad    string // makes rows large enough to be stored in the bucket

	acknowledged atomic.Int64 // rounds, for code that waits for progress
	rows         map[int]bool // log rows that were attempted, true if acknowledged
	next         int
	count        int // increments of the counter that were acknowledged
	unknown      int // increments that may have happened
}

func (w *writer) row(idx int) string { return fmt.Sprintf(`"%s %d %s"`, w.name, idx, w.pad) }

func (w *writer) log() string     { return "log-" + w.name }
func (w *writer) counter() string { return "counter-" + w.name }

// run writes until stop is closed. A failed request proves nothing, because its write may have
// taken effect.
func (w *writer) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if w.append() && w.raise() {
			w.acknowledged.Add(1)
			continue
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (w *writer) append() bool {
	idx := w.next
	w.next++
	w.rows[idx] = false
	resp, err := w.client.Try("PUT", w.in.Path("cas/key", w.log()), fmt.Sprintf(`{"idx":%d,"data":%s}`, idx, w.row(idx)))
	w.rows[idx] = err == nil && resp.Status == 200
	return w.rows[idx]
}

func (w *writer) raise() bool {
	resp, err := w.client.Try("GET", w.in.Path("key", w.counter()), "")
	if err != nil || resp.Status != 200 && resp.Status != 404 {
		return false
	}
	var now record
	body := `{"data":0}`
	if resp.Status == 200 {
		if json.Unmarshal(resp.Body, &now) != nil {
			return false
		}
		body = fmt.Sprintf(`{"data":%d,"version":%d}`, now.Version+1, now.Version)
	}
	resp, err = w.client.Try("PUT", w.in.Path("cas/key", w.counter()), body)
	switch {
	case err == nil && resp.Status == 200:
		w.count++
		return true
	case err == nil && (resp.Status == 400 || resp.Status == 403):
		return false // nothing was written
	}
	w.unknown++
	return false
}

// audit reads everything back. Everything acknowledged must exist as it was written, and
// nothing may exist that nobody wrote.
func (w *writer) audit(t *testing.T) {
	t.Helper()
	found := map[int]bool{}
	for target := w.in.Path("iter", w.log()) + "?idx=0&limit=10000"; target != ""; {
		resp := w.client.Do(t, "GET", target, "").Want(t, 200)
		var page struct{ Results []record }
		resp.Read(t, &page)
		for _, r := range page.Results {
			found[r.Idx] = true
			if string(r.Data) != w.row(r.Idx) {
				t.Errorf("%s, row %d: got %.60s, want %.60s", w.name, r.Idx, r.Data, w.row(r.Idx))
			}
		}
		target = resp.Next(t)
	}
	lost := []string{}
	for idx, acknowledged := range w.rows {
		if acknowledged && !found[idx] {
			lost = append(lost, fmt.Sprint(idx))
		}
		delete(found, idx)
	}
	if len(lost) > 0 || len(found) > 0 {
		t.Errorf("%s: got rows %s lost of %d, and %d that nobody wrote; want none", w.name, strings.Join(lost, ","), len(w.rows), len(found))
	}
	var counter record
	w.client.Do(t, "GET", w.in.Path("key", w.counter()), "").Want(t, 200).Read(t, &counter)
	if raised := counter.Version + 1; raised < w.count || raised > w.count+w.unknown {
		t.Errorf("%s: got the counter raised %d times, want %d that were acknowledged and at most %d more", w.name, raised, w.count, w.unknown)
	}
}
