//go:build unix

package journey

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// oddKeys maps keys as they may be written in a path to the keys that they mean.
var oddKeys = map[string]string{
	"a/b": "a/b", "a//b": "a//b", "//": "//", "/": "/", "a/": "a/", "/a": "/a", "": "",
	".": ".", "..": "..", "../..": "../..", "a/./b": "a/./b", "a/../b": "a/../b", "../key/x": "../key/x", "%2e%2E": "..",
	"+": "+", "a+b": "a+b", "%2B": "+", "%20": " ", "%25": "%", "%2525": "%25", "%253F": "%3F", "%3F": "?", "%3Fidx=1": "?idx=1",
	"%23": "#", "%26=;,@:$!*'()": "&=;,@:$!*'()", "a%2Fb%2F": "a/b/", "%2F%2F": "//", "%5C": `\`, "%22%3C%3E": `"<>`,
	"%C3%A9": "\u00e9", "%E2%82%AC/%F0%9F%9A%80": "\u20ac/\U0001f680", "e%CC%81": "e\u0301", "%EF%BF%BD": "\ufffd", "%EF%BF%BF": "\uffff",
	"%7F%01%0A%0D%09": "\x7f\x01\n\r\t", "%7Bkey+%7D": "{key+}", "commit": "commit", "key": "key", "~-_": "~-_",
	"github/kv/1/key/x": "github/kv/1/key/x",
}

func TestEveryKeyHoweverOddComesBackAsItWasSent(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	meant := map[string]bool{}
	for sent, key := range oddKeys {
		path := in.Base() + "/key/" + sent
		value := strconv.Quote("value of " + url.PathEscape(key))
		var got record
		c.Do(t, "PUT", path, `{"data":`+value+`}`).Want(t, 200).Read(t, &got)
		if got.Key != key {
			t.Errorf("set %s: got key %q, want %q", path, got.Key, key)
		}
		meant[key] = true
		for _, again := range []string{path, in.Path("key", key)} {
			got = record{}
			c.Do(t, "GET", again, "").Want(t, 200).Read(t, &got)
			if got.Key != key || string(got.Data) != value {
				t.Errorf("get %s: got key %q with %s, want %q with %s", again, got.Key, got.Data, key, value)
			}
		}
		for operation, want := range map[string]string{"count/key/%s": `"count":1`, "size/key/%s": `"size":`, "iter/%s?limit=1": `"results":[{`} {
			target := in.Base() + "/" + strings.Replace(operation, "%s", sent, 1)
			if resp := c.Do(t, "GET", target, ""); resp.Status != http.StatusOK || !strings.Contains(string(resp.Body), want) {
				t.Errorf("got %v, want 200 with %s", resp, want)
			}
		}
	}
	c.Do(t, "GET", in.Path("iter", "")+"?limit=1000", "").Want(t, 200)
	listed := rows(t, c.Do(t, "GET", in.Path("iter", "")+"?limit=1000", ""))
	if len(listed) != len(meant) {
		t.Errorf("got %d keys, want %d: %q", len(listed), len(meant), listed)
	}
	for sent, key := range oddKeys {
		want := `{"result":` + strconv.FormatBool(meant[key]) + `}`
		c.Do(t, "DELETE", in.Base()+"/key/"+sent, "").WantBody(t, want)
		delete(meant, key)
	}
}

func TestCommitAndCompareAndSetTakeOddKeys(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	keys := map[string]bool{}
	var entries []map[string]string
	for sent, key := range oddKeys {
		if keys[key] {
			continue
		}
		keys[key] = true
		entries = append(entries, map[string]string{"key": key})
		written(t, c.Do(t, "PUT", in.Base()+"/cas/key/"+sent, `{"data":1,"committed":false}`))
	}
	body, err := json.Marshal(map[string]any{"keys": entries})
	if err != nil {
		t.Fatal(err)
	}
	var changed struct{ Keys []struct{ Key string } }
	c.Do(t, "POST", in.Base()+"/commit", string(body)).Want(t, 200).Read(t, &changed)
	for _, k := range changed.Keys {
		delete(keys, k.Key)
	}
	if len(keys) != 0 {
		t.Errorf("not committed: %v", keys)
	}
}

func TestEmptyKeyIsReachedWithAndWithoutTheSlash(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	written(t, c.Do(t, "PUT", in.Base()+"/key", `{"data":"empty"}`))
	written(t, c.Do(t, "PUT", in.Base()+"/cas/key/", `{"data":"empty","version":0}`))
	var got record
	c.Do(t, "GET", in.Base()+"/key/", "").Want(t, 200).Read(t, &got)
	if got.Key != "" || got.Version != 1 {
		t.Errorf("got %+v, want the empty key at version 1", got)
	}
	c.Do(t, "DELETE", in.Base()+"/key", "").WantBody(t, `{"result":true}`)
}

func TestKeyAboveTheLimitIsRefusedByName(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	written(t, c.Do(t, "PUT", in.Path("key", strings.Repeat("k", 1000)), `{"data":1}`))
	written(t, c.Do(t, "PUT", in.Path("key", strings.Repeat("\u00e9", 240)), `{"data":1}`))
	// The key is as long, but has 3,000 bytes in the path, which is more than the gateway
	// accepts.
	c.Do(t, "PUT", in.Path("key", strings.Repeat("\u00e9", 500)), `{"data":1}`).Want(t, 414)
	for _, request := range [][2]string{{"PUT", "key"}, {"PUT", "cas/key"}, {"GET", "key"}, {"DELETE", "key"}, {"GET", "count/key"}, {"GET", "size/key"}, {"GET", "iter"}} {
		body := ""
		if request[0] == "PUT" {
			body = `{"data":1}`
		}
		resp := c.Do(t, request[0], in.Path(request[1], strings.Repeat("k", 1001)), body).Want(t, 400)
		if !strings.Contains(string(resp.Body), "1000") && !strings.Contains(string(resp.Body), "1,000") {
			t.Errorf("got %v, want an error that names the limit", resp)
		}
	}
}

// TestKeysThatFitNoPathAreNamedInABody uses keys of the maximum length. In a path they would
// have up to 3,000 bytes. API Gateway accepts about 1,440.
func TestKeysThatFitNoPathAreNamedInABody(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	ask := func(route, operation, key, more string) Response {
		t.Helper()
		quoted, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		return c.Do(t, "POST", in.Base()+"/"+route, `{"`+operation+`":{"key":`+string(quoted)+more+`}}`)
	}
	keys := []string{strings.Repeat("\u00e9", 500), strings.Repeat("\u20ac", 333), strings.Repeat("\U0001f680", 250), strings.Repeat("\x01", 1000), strings.Repeat(`"/`, 500)}
	for _, key := range keys {
		written(t, ask("write", "set", key, `,"data":{"n":1},"idx":-1`))
		written(t, ask("write", "cas", key, `,"data":{"n":2}`))
		ask("write", "cas", key, `,"data":{"n":3}`).Want(t, 400)
		var got record
		ask("read", "get", key, `,"select":["m=n"]`).Want(t, 200).Read(t, &got)
		if got.Key != key || string(got.Data) != `{"m":2}` {
			t.Errorf("get: key of %d bytes with %s, want %d bytes with the value", len(got.Key), got.Data, len(key))
		}
		ask("read", "count", key, "").WantBody(t, `{"count":2,"max_idx":0}`)
		ask("read", "size", key, `,"idx":0`).WantBody(t, `{"size":8}`)
		idx, cursor := []int{}, ""
		for range 3 {
			var page struct {
				Results []record
				Cursor  string
			}
			ask("read", "iter", key, `,"prefix":true,"limit":1`+cursor).Want(t, 200).Read(t, &page)
			for _, r := range page.Results {
				idx = append(idx, r.Idx)
			}
			if page.Cursor == "" {
				break
			}
			cursor = `,"cursor":"` + page.Cursor + `"`
		}
		if len(idx) != 2 || idx[0] != -1 || idx[1] != 0 {
			t.Errorf("iter lists idx %v, want -1 and 0", idx)
		}
		whole := Upload{}
		ask("write", "create_artifact", key, `,`+strings.Trim(Announcement([]byte("file"), `,"idx":7`), "{}")).Want(t, 201).Read(t, &whole)
		whole.send(t, []byte("file"))
		c.Complete(t, in, whole.ID)
		if resp := ask("read", "open_artifact", key, `,"idx":7`); resp.Status != http.StatusSeeOther || resp.Header.Get("Location") == "" {
			t.Errorf("open_artifact: got %v, want 303 to the file", resp)
		}
		ask("write", "delete", key, "").WantBody(t, `{"result":true}`)
		ask("read", "count", key, "").Want(t, 404)
	}
}
