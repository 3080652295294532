package load

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// liar is a key-value store of one installation. It gives wrong responses where a test wants
// them.
type liar struct {
	lie func(operation string, status int, answer map[string]any) (int, map[string]any)

	mu       sync.Mutex
	versions map[string]int
	values   map[string]any
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	operation, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, installation), "/load")
	if operation == "cas/key" || operation == "key" {
		operation = r.Method + " " + operation
	}
	status, answer := l.serve(operation, key, r)
	if l.lie != nil {
		status, answer = l.lie(operation, status, answer)
	}
	w.WriteHeader(status)
	if answer != nil {
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// serve keeps only idx 0, which is enough for small records.
func (l *liar) serve(operation, key string, r *http.Request) (int, map[string]any) {
	version, there := l.versions[key]
	var body struct {
		Data    any
		Version *int
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	switch operation {
	case "PUT cas/key":
		if there != (body.Version != nil) || there && *body.Version != version {
			return 400, nil
		}
		fallthrough
	case "PUT key":
		if there {
			version++
		}
		l.versions[key], l.values[key] = version, body.Data
		return 200, map[string]any{"version": version}
	case "GET key":
		if !there {
			return 404, nil
		}
		return 200, map[string]any{"key": "load" + key, "version": version, "data": l.values[key]}
	case "DELETE key":
		delete(l.versions, key)
		return 200, map[string]any{"result": there}
	}
	return http.StatusTeapot, nil
}

// try does a step a hundred times, after a few records were written.
func try(t *testing.T, step func(*worker) error, lie func(string, int, map[string]any) (int, map[string]any)) error {
	t.Helper()
	l := &liar{versions: map[string]int{}, values: map[string]any{}}
	server := httptest.NewServer(l)
	defer server.Close()
	w := &worker{client: clientOf(server.URL, newLedger()), rand: rand.New(rand.NewPCG(1, 1)), prefix: "load/1"}
	for range 20 {
		if err := w.set(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	l.mu.Lock()
	l.lie = lie
	l.mu.Unlock()
	for range 100 {
		if err := step(w); err != nil {
			return err
		}
	}
	return nil
}

func TestTrailThatLacksAWriteOrHasItTwiceIsNoticed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ records, want string }{
		"one":     {`[{"action":"key.write","subject":"load/k"}]`, ""},
		"none":    {`[]`, "no record"},
		"two":     {`[{"action":"key.write","subject":"load/k"},{"action":"key.write","subject":"load/k"}]`, "2 records"},
		"another": {`[{"action":"key.remove","subject":"load/k"}]`, "key.remove"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/audit" && r.URL.Query().Get("key") == "load/k" {
				_, _ = w.Write([]byte(`{"results":` + c.records + `}`))
			}
		}))
		defer server.Close()
		l := newLedger()
		w := &worker{client: clientOf(server.URL, l)}
		err := w.trail(t.Context(), "load/k", 0)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if noted := len(l.latency["audit trail"]); (noted == 1) != (err == nil) {
			t.Errorf("%s: %d lags noted", name, noted)
		}
	}
}

func TestWrongAnswersAreNoticed(t *testing.T) {
	t.Parallel()
	get := func(w *worker) error { return w.get(t.Context()) }
	set := func(w *worker) error { return w.set(t.Context()) }
	cas := func(w *worker) error { return w.cas(t.Context()) }
	remove := func(w *worker) error { return w.remove(t.Context()) }
	for name, c := range map[string]struct {
		step func(*worker) error
		lie  func(string, int, map[string]any) (int, map[string]any)
	}{
		"another value": {get, func(_ string, status int, a map[string]any) (int, map[string]any) {
			a["data"] = "other"
			return status, a
		}},
		"another version": {get, func(_ string, status int, a map[string]any) (int, map[string]any) {
			a["version"] = a["version"].(int) + 1
			return status, a
		}},
		"a lost record":  {get, func(string, int, map[string]any) (int, map[string]any) { return 404, nil }},
		"a server error": {get, func(string, int, map[string]any) (int, map[string]any) { return 500, nil }},
		"a version passed over": {set, func(_ string, status int, a map[string]any) (int, map[string]any) {
			a["version"] = 99
			return status, a
		}},
		"a cas that always holds": {cas, func(string, int, map[string]any) (int, map[string]any) { return 200, map[string]any{"version": 1} }},
		"a cas that never holds":  {cas, func(string, int, map[string]any) (int, map[string]any) { return 400, nil }},
		"nothing to delete": {remove, func(_ string, status int, _ map[string]any) (int, map[string]any) {
			return status, map[string]any{"result": false}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := try(t, c.step, nil); err != nil {
				t.Errorf("right answers: got %v", err)
			}
			if err := try(t, c.step, c.lie); err == nil {
				t.Error("wrong answers: got no error")
			}
		})
	}
}
