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

// oddKeys are keys as they may stand in a path, and what they mean.
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
		for operation, want := range map[string]string{"count/key/": `"count":1`, "size/key/": `"size":`, "iter/": `"results":[{`} {
			target := in.Base() + "/" + operation + sent + "?limit=1"
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
	// As long a key, but 3,000 bytes in the path: more than the gateway takes.
	c.Do(t, "PUT", in.Path("key", strings.Repeat("\u00e9", 500)), `{"data":1}`).Want(t, 414)
	for _, request := range [][2]string{{"PUT", "key"}, {"PUT", "cas/key"}, {"GET", "key"}, {"DELETE", "key"}, {"GET", "count/key"}, {"GET", "size/key"}, {"GET", "iter"}} {
		resp := c.Do(t, request[0], in.Path(request[1], strings.Repeat("k", 1001)), `{"data":1}`).Want(t, 400)
		if !strings.Contains(string(resp.Body), "1000") && !strings.Contains(string(resp.Body), "1,000") {
			t.Errorf("got %v, want an error that names the limit", resp)
		}
	}
}
