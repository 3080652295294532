//go:build unix

package journey

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// record is the JSON form of a record.
type record struct {
	Key       string          `json:"key"`
	Idx       int             `json:"idx"`
	Data      json.RawMessage `json:"data"`
	Size      int             `json:"size"`
	Version   int             `json:"version"`
	Committed bool            `json:"committed"`
	CreatedAt string          `json:"created_at"`
}

// written decodes the response of a set or a compare-and-set.
func written(t *testing.T, resp Response) record {
	t.Helper()
	var r record
	resp.Want(t, http.StatusOK).Read(t, &r)
	if string(r.Data) != "null" {
		t.Errorf("got data %s in the answer to a write, want null", r.Data)
	}
	return r
}

func TestFirstKeyOfAStackIsExchangedForATokenThatKnowsItsUser(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	refreshed := s.Do(t, Request{Method: "POST", Target: "/api/v1/access-token/refresh", Authorization: Bearer(s.APIKey)}).Want(t, 200)
	var answer struct{ Token string }
	refreshed.Read(t, &answer)
	for _, credential := range []string{answer.Token, s.APIKey} {
		var who struct {
			ID  string
			VCS []string
		}
		s.Do(t, Request{Method: "GET", Target: "/api/v1/whoami", Authorization: Bearer(credential)}).Want(t, 200).Read(t, &who)
		if len(who.ID) != 36 || !slices.Contains(who.VCS, "github") { // the demo may also have made it a member at gitlab
			t.Errorf("got %+v, want a user of github", who)
		}
		s.Do(t, Request{Method: "GET", Target: "/api/v1/github/whoami", Authorization: "bEaReR  " + credential + " "}).Want(t, 200)
	}
	// Installation 1 is the installation that the stack makes together with the user.
	first := Installation{VCS: "github", ID: "1"}
	c := s.Client(s.APIKey)
	written(t, c.Do(t, "PUT", first.Path("key", "hello"), `{"data":{"greeting":"world"}}`))
	c.Do(t, "GET", first.Path("key", "hello")+"?select=g=greeting", "").Want(t, 200)
}

func TestValueIsSetReadOverwrittenAndDeleted(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	key := in.Path("key", "env/prod")
	c.Do(t, "GET", key, "").Want(t, 404)
	before := time.Now().Truncate(time.Second)
	for version, value := range []string{`{"sha":"abc"}`, `[1.50,null,"\u00e9"]`, `null`, `"x"`} {
		w := written(t, c.Do(t, "PUT", key, `{"data":`+value+`}`))
		if w.Version != version || w.Key != "env/prod" || w.Idx != 0 || !w.Committed {
			t.Errorf("set: got %+v, want version %d of env/prod, committed", w, version)
		}
		at, err := time.Parse("2006-01-02T15:04:05Z", w.CreatedAt)
		if err != nil || at.Before(before) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("set: got created_at %q, want now in UTC, whole seconds", w.CreatedAt)
		}
	}
	var got record
	resp := c.Do(t, "GET", key, "").Want(t, 200)
	resp.Read(t, &got)
	if string(got.Data) != `"x"` || got.Size != 3 || got.Version != 3 || strings.Contains(string(resp.Body), "_caps") {
		t.Errorf(`got %s, want data "x" of size 3 at version 3 without capabilities`, resp.Body)
	}
	c.Do(t, "DELETE", key+"?version=2", "").WantBody(t, `{"result":false}`)
	c.Do(t, "DELETE", key+"?version=3", "").WantBody(t, `{"result":true}`)
	c.Do(t, "DELETE", key, "").WantBody(t, `{"result":false}`)
	c.Do(t, "GET", key, "").Want(t, 404)
	if w := written(t, c.Do(t, "PUT", key, `{"data":1}`)); w.Version != 0 {
		t.Errorf("set after delete: got version %d, want 0", w.Version)
	}
}

func TestCompareAndSetInsertsUpdatesAndFailsWithoutWords(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	cas := in.Path("cas/key", "lock")
	fails := func(body string) {
		t.Helper()
		if resp := c.Do(t, "PUT", cas, body).Want(t, 400); len(resp.Body) != 0 {
			t.Errorf("failed comparison: got %v, want an empty body", resp)
		}
	}
	fails(`{"data":1,"version":0}`)
	if w := written(t, c.Do(t, "PUT", cas, `{"data":1,"committed":false}`)); w.Version != 0 || w.Committed {
		t.Errorf("insert: got %+v, want a draft at version 0", w)
	}
	fails(`{"data":2}`)
	fails(`{"data":2,"version":1}`)
	if w := written(t, c.Do(t, "PUT", cas, `{"data":2,"version":0}`)); w.Version != 1 || !w.Committed {
		t.Errorf("update: got %+v, want version 1, committed", w)
	}
	fails(`{"data":3,"version":0}`)
}

func TestDraftsAreSeenByNobodyWhoDidNotAskUntilTheirCommit(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	a, b := in.Path("key", "a"), in.Path("key", "b")
	for idx := range 3 {
		written(t, c.Do(t, "PUT", a, `{"idx":`+string(rune('0'+idx))+`,"data":"chunk","committed":false}`))
	}
	written(t, c.Do(t, "PUT", b, `{"data":"other","committed":false}`))
	for _, target := range []string{a, b, in.Path("count/key", "a"), in.Path("size/key", "a"), a + "?idx=2"} {
		c.Do(t, "GET", target, "").Want(t, 404)
	}
	c.Do(t, "GET", in.Path("iter", ""), "").WantBody(t, `{"results":[]}`)
	c.Do(t, "GET", a+"?committed=false", "").Want(t, 200)
	c.Do(t, "GET", in.Path("count/key", "a")+"?committed=false", "").WantBody(t, `{"count":3,"max_idx":2}`)

	var changed struct {
		Keys []struct {
			Key string
			Idx int
		}
	}
	commit := in.Base() + "/commit"
	c.Do(t, "POST", commit, `{"keys":[]}`).WantBody(t, `{"keys":[]}`)
	c.Do(t, "POST", commit, `{"keys":[{"key":"a"},{"key":"b","idx":0},{"key":"b"},{"key":"none"}]}`).Want(t, 200).Read(t, &changed)
	if len(changed.Keys) != 4 {
		t.Errorf("commit: got %+v, want the three rows of a and that of b, each once", changed.Keys)
	}
	c.Do(t, "POST", commit, `{"keys":[{"key":"a"}]}`).WantBody(t, `{"keys":[]}`)
	c.Do(t, "GET", in.Path("count/key", "a"), "").WantBody(t, `{"count":3,"max_idx":2}`)
	c.Do(t, "GET", in.Path("size/key", "a"), "").WantBody(t, `{"size":21}`)
	c.Do(t, "GET", in.Path("size/key", "a")+"?idx=1", "").WantBody(t, `{"size":7}`)
	c.Do(t, "GET", in.Path("size/key", "none"), "").Want(t, 404)
	c.Do(t, "GET", in.Path("count/key", "none"), "").Want(t, 404)
	c.Do(t, "DELETE", a+"?idx=1", "").WantBody(t, `{"result":true}`)
	c.Do(t, "GET", in.Path("count/key", "a"), "").WantBody(t, `{"count":2,"max_idx":2}`)
	c.Do(t, "DELETE", a, "").WantBody(t, `{"result":true}`)
	c.Do(t, "GET", a+"?committed=false", "").Want(t, 404)
}

func TestSelectAnswersPartsOfAValueInBothEncodingsOfAnArray(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	key := in.Path("key", "doc")
	written(t, c.Do(t, "PUT", key, `{"data":{"a":{"b":1},"list":[{"n":"x"},{"n":"y"}],"odd key":true}}`))
	for query, want := range map[string]string{
		"select=":                             `{}`,
		"select=one=a.b":                      `{"one":1}`,
		"select=one=a.b&select=two=list[1].n": `{"one":1,"two":"y"}`,
		"select=one=a.b,two=list[*].n":        `{"one":1,"two":"x"}`,
		"select=odd=%22odd+key%22,none=a.c.d": `{"odd":true,"none":null}`,
		"select=x=a.b&select=y=list%5B0%5D.n": `{"x":1,"y":"x"}`,
		"select=one%3Da.b&committed=true":     `{"one":1}`,
	} {
		var got record
		c.Do(t, "GET", key+"?"+query, "").Want(t, 200).Read(t, &got)
		if string(got.Data) != want || got.Size == 0 {
			t.Errorf("%s: got data %s (size %d), want %s and the size of the whole value", query, got.Data, got.Size, want)
		}
	}
}

func TestRowWithCapabilitiesIsHiddenFromAndKeptAgainstOthers(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	in := s.Installation(t, "github")
	user := s.User(t, in)
	all := s.Client(s.Key(t, user, Capabilities()...))
	plain := s.Client(s.Key(t, user, "kv_store_read", "kv_store_write"))
	key := in.Path("key", "system")
	written(t, all.Do(t, "PUT", key, `{"data":1,"read_caps":["kv_store_system_read"],"write_caps":["kv_store_system_write"]}`))
	all.Do(t, "GET", key, "").Want(t, 200)
	for _, target := range []string{key, in.Path("count/key", "system"), in.Path("size/key", "system")} {
		plain.Do(t, "GET", target, "").Want(t, 404)
	}
	plain.Do(t, "GET", in.Path("iter", "system"), "").WantBody(t, `{"results":[]}`)
	plain.Do(t, "PUT", key, `{"data":2}`).WantRefused(t)
	plain.Do(t, "PUT", in.Path("cas/key", "system"), `{"data":2,"version":0}`).Want(t, 400)
	plain.Do(t, "DELETE", key, "").WantBody(t, `{"result":false}`)
	var got record
	all.Do(t, "GET", key, "").Want(t, 200).Read(t, &got)
	if string(got.Data) != "1" || got.Version != 0 {
		t.Errorf("got %+v, want the value as it was first written", got)
	}
}

func TestUnknownPathsAre404WithoutABodyWhateverTheCredential(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c, in := s.Member(t)
	for _, target := range []string{"/api", "/api/v1", "/api/v2/whoami", "/api/v1/whoami/more", in.Base(), in.Base() + "/other"} {
		for _, authorization := range []string{"", Bearer("nonsense"), Bearer(c.Token(t))} {
			resp := s.Do(t, Request{Method: "GET", Target: target, Authorization: authorization}).Want(t, 404)
			if len(resp.Body) != 0 {
				t.Errorf("got %v, want no body", resp)
			}
		}
	}
	// The gateway admits a slash at the end. The function does not.
	c.Do(t, "GET", "/api/v1/whoami/", "").Want(t, 404)
	c.Do(t, "GET", "/api/v1/bitbucket/whoami", "").Want(t, 404)
	c.Do(t, "PATCH", in.Path("key", "a"), "{}").Want(t, 404)
}
