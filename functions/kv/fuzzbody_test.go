package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	number "math/big"
	"net/http"
	"reflect"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// tell sends a request with a body to the function with an ear. If the request is
// refused, the refusal must explain itself, and the function must not have called
// the store.
func tell(t *testing.T, method, target string, body []byte) (*ear, bool) {
	t.Helper()
	e := &ear{}
	l := httpapi.NewLambda(routes(e, e), slog.New(slog.DiscardHandler), time.Now, keyInOneSegment)
	resp, err := l.Handle(t.Context(), httpapitest.Event(t, method, base+target, member(), string(body)))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated {
		return e, true
	}
	checkRefusal(t, resp.StatusCode, resp.Body)
	if !reflect.DeepEqual(e, &ear{}) {
		t.Fatalf("%s of %q was refused with %s and done: %+v", target, body, resp.Body, e)
	}
	return e, false
}

// members returns the members of a JSON object by their exact names, read by a
// decoder that is not ours.
func members(t *testing.T, body []byte) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil || !utf8.Valid(body) {
		t.Fatalf("%q was accepted: %v", body, err)
	}
	return m
}

// same fails unless two JSON texts have the same canonical form.
func same(t *testing.T, sent, kept []byte) {
	t.Helper()
	v, err := canonical.Parse(sent)
	if err != nil || !bytes.Equal(v.Text, kept) {
		t.Fatalf("%q was kept as %q, want %q (%v)", sent, kept, v.Text, err)
	}
}

// written returns the body for a parsed request.
func written(t *testing.T, w *kv.Write, version *int) []byte {
	t.Helper()
	m := map[string]any{"data": json.RawMessage(w.Value.Text), "idx": w.Idx, "committed": w.Committed, "read_caps": w.ReadCaps, "write_caps": w.WriteCaps}
	if version != nil {
		m["version"] = *version
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzSetBody checks the body of a set or a compare-and-set. It must be refused, or
// mean what its members say, each read by its exact name. The parsed request, sent
// again, must mean the same.
func FuzzSetBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, swap bool, body []byte) {
		target := "/key/k"
		if swap {
			target = "/cas/key/k"
		}
		e, ok := tell(t, "PUT", target, body)
		if !ok {
			return
		}
		m, w := members(t, body), e.write
		same(t, m["data"], w.Value.Text)
		checkMember(t, m, "idx", w.Idx, 0)
		checkMember(t, m, "committed", w.Committed, true)
		if e.version != nil {
			checkMember(t, m, "version", *e.version, 0)
		} else if text, there := m["version"]; there && swap {
			t.Fatalf("version %s was passed over", text)
		}
		checkCaps(t, m["read_caps"], w.ReadCaps)
		checkCaps(t, m["write_caps"], w.WriteCaps)
		again, ok := tell(t, "PUT", target, written(t, w, e.version))
		if !ok || !reflect.DeepEqual(again, e) {
			t.Fatalf("%q was understood as %+v, which was understood as %+v", body, e.write, again.write)
		}
	})
}

// checkMember fails unless the parsed value is that of a member or its default.
func checkMember(t *testing.T, m map[string]json.RawMessage, name string, got, def any) {
	t.Helper()
	text, there := m[name]
	if !there {
		text, _ = json.Marshal(def)
	}
	want, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	sent, ok := new(number.Rat).SetString(string(text))
	if kept, isNumber := new(number.Rat).SetString(string(want)); ok && isNumber && sent.Cmp(kept) == 0 {
		return // 1.0 is 1
	}
	same(t, text, want)
}

// checkCaps fails unless caps are those of a list, null or a missing member.
func checkCaps(t *testing.T, text json.RawMessage, caps *access.Set) {
	t.Helper()
	if len(text) == 0 || string(text) == "null" {
		if caps != nil {
			t.Fatalf("capabilities %s became %v", text, *caps)
		}
		return
	}
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil || caps == nil || len(list) != len(*caps) || len(list) > access.MaxCapabilities {
		t.Fatalf("capabilities %s became %v", text, caps)
	}
	for i, entry := range list {
		kept, err := json.Marshal((*caps)[i])
		if err != nil {
			t.Fatal(err)
		}
		v, err := canonical.Parse(kept)
		if err != nil {
			t.Fatal(err)
		}
		same(t, entry, v.Text)
	}
}

// FuzzCommitBody checks that the body of a commit is refused, or names exactly the
// rows that it lists.
func FuzzCommitBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		e, ok := tell(t, "POST", "/commit", body)
		if !ok {
			return
		}
		var entries []json.RawMessage
		if err := json.Unmarshal(members(t, body)["keys"], &entries); err != nil || len(entries) != len(e.targets) {
			t.Fatalf("%q became %+v", body, e.targets)
		}
		var again bytes.Buffer
		for i, target := range e.targets {
			m := members(t, entries[i])
			var key *string
			if err := json.Unmarshal(m["key"], &key); err != nil || key == nil || *key != target.Key {
				t.Fatalf("%q became %+v", entries[i], target)
			}
			if _, there := m["idx"]; there != (target.Idx != nil) {
				t.Fatalf("%q became %+v", entries[i], target)
			}
			again.WriteString(`,{"key":` + string(canonical.AppendString(nil, target.Key)))
			if target.Idx != nil {
				checkMember(t, m, "idx", *target.Idx, nil)
				again.WriteString(`,"idx":` + strconv.Itoa(*target.Idx))
			}
			again.WriteString("}")
		}
		text := append(append([]byte(`{"keys":[`), bytes.TrimPrefix(again.Bytes(), []byte(","))...), "]}"...)
		if e2, ok := tell(t, "POST", "/commit", text); !ok || !reflect.DeepEqual(e2, e) {
			t.Fatalf("%q became %+v, and %q %+v", body, e.targets, text, e2.targets)
		}
	})
}
