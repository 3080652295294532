package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

const (
	// smallKeys is the number of small records of each connection. It is small, so that reads
	// mostly find a record.
	smallKeys = 8
	// smallValue is the length of their values: about that of a status, a lock or a pointer.
	smallValue = 200
)

// small is what a connection knows about one of its small records.
type small struct {
	there   bool
	version int
	value   string
}

func (w *worker) name(n int) string { return fmt.Sprintf("%s/small/%d", w.prefix, n) }

func (w *worker) get(ctx context.Context) error {
	n := w.rand.IntN(smallKeys)
	a, err := w.client.do(ctx, "get", http.MethodGet, target("key", w.name(n)), nil)
	if err != nil {
		return err
	}
	known := w.small[n]
	if !known.there {
		return a.Want(http.StatusNotFound)
	}
	var r record
	if err := errors.Join(a.Want(http.StatusOK), a.Decode(&r)); err != nil {
		return err
	}
	return r.holds(known.version, known.value)
}

func (w *worker) set(ctx context.Context) error {
	n := w.rand.IntN(smallKeys)
	return w.write(ctx, "set", "key", n, nil)
}

// cas writes with the version that the connection knows. One time in four it uses a version
// that the record does not have, and then the write must fail.
func (w *worker) cas(ctx context.Context) error {
	n := w.rand.IntN(smallKeys)
	known := w.small[n]
	version := known.version
	switch {
	case w.rand.IntN(4) == 0:
		version += 1000
		body, err := json.Marshal(map[string]any{"data": "never", "version": version})
		if err != nil {
			return err
		}
		a, err := w.client.do(ctx, "cas", http.MethodPut, target("cas/key", w.name(n)), body)
		if err == nil && (a.Status != http.StatusBadRequest || len(a.Body) > 0) {
			err = fmt.Errorf("cas on a version that is not there: got %v, want 400 without a body", a)
		}
		return err
	case known.there:
		return w.write(ctx, "cas", "cas/key", n, &version)
	}
	return w.write(ctx, "cas", "cas/key", n, nil)
}

// write stores a new value and checks the version in the response. If an earlier attempt may
// have taken effect, it reads the record, as the guides say.
func (w *worker) write(ctx context.Context, operation, route string, n int, version *int) error {
	request := map[string]any{"data": w.text(smallValue)}
	if version != nil {
		request["version"] = *version
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	a, err := w.client.do(ctx, operation, http.MethodPut, target(route, w.name(n)), body)
	if err != nil {
		return err
	}
	want := small{there: true, value: request["data"].(string)}
	if w.small[n].there {
		want.version = w.small[n].version + 1
	}
	if a.Uncertain {
		return w.learn(ctx, n, want)
	}
	var r record
	if err := errors.Join(a.Want(http.StatusOK), a.Decode(&r)); err != nil {
		return err
	}
	if r.Version != want.version {
		return fmt.Errorf("%s: got version %d, want %d", operation, r.Version, want.version)
	}
	w.small[n] = want
	return nil
}

// learn reads a record after a write that was sent twice. The record must have the value, at
// the next version or at the one after that.
func (w *worker) learn(ctx context.Context, n int, want small) error {
	a, err := w.client.do(ctx, "get", http.MethodGet, target("key", w.name(n)), nil)
	if err != nil {
		return err
	}
	var r record
	if err := errors.Join(a.Want(http.StatusOK), a.Decode(&r)); err != nil {
		return err
	}
	if r.Version == want.version+1 {
		want.version++
	}
	w.small[n] = want
	return r.holds(want.version, want.value)
}

func (w *worker) remove(ctx context.Context) error {
	n := w.rand.IntN(smallKeys)
	a, err := w.client.do(ctx, "delete", http.MethodDelete, target("key", w.name(n)), nil)
	if err != nil {
		return err
	}
	var got struct{ Result bool }
	if err := errors.Join(a.Want(http.StatusOK), a.Decode(&got)); err != nil {
		return err
	}
	if got.Result != w.small[n].there && !a.Uncertain {
		return fmt.Errorf("delete: got %t, want %t", got.Result, w.small[n].there)
	}
	w.small[n] = small{}
	return nil
}

// iterate iterates over the connection's small records. It expects exactly those that the
// connection knows, in order.
func (w *worker) iterate(ctx context.Context) error {
	a, err := w.client.do(ctx, "iterate", http.MethodGet, target("iter", w.prefix+"/small/")+"?prefix=true&limit=100", nil)
	if err != nil {
		return err
	}
	var page struct{ Results []record }
	if err := errors.Join(a.Want(http.StatusOK), a.Decode(&page)); err != nil {
		return err
	}
	found := page.Results
	for n, known := range w.small {
		if !known.there {
			continue
		}
		if len(found) == 0 || found[0].Key != w.name(n) {
			return fmt.Errorf("iterate: got %d records, and %s is not where it should be", len(page.Results), w.name(n))
		}
		if err := found[0].holds(known.version, known.value); err != nil {
			return fmt.Errorf("iterate, %s: %w", found[0].Key, err)
		}
		found = found[1:]
	}
	if len(found) > 0 {
		return fmt.Errorf("iterate: got %s, which was deleted or never written", found[0].Key)
	}
	return nil
}
