package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
)

func (h *rig) post(t *testing.T, vcs string, caller *access.Caller, body string) functiontest.Response {
	t.Helper()
	return h.do(t, "POST", "/api/v1/"+vcs+"/access-token", caller, body)
}

// made reads the key that the response to its creation contains.
func (h *rig) made(t *testing.T, resp functiontest.Response) apikey.Key {
	t.Helper()
	secret, err := apikey.Parse(decode[created](t, resp).RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	k, err := h.keys.Get(ctx, secret.User, secret.ID)
	if err != nil || !secret.Matches(k) {
		t.Fatalf("got %+v, %v; want the key of the text", k, err)
	}
	return k
}

func TestMakingKeysInALoopIsRefusedWithTheTimeToWait(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	caller := h.bearer(t, h.key)
	answers := map[int]int{}
	var last functiontest.Response
	for range 205 {
		last = h.post(t, "github", caller, `{"name":"loop","capabilities":[]}`)
		if answers[last.StatusCode]++; last.StatusCode == 200 {
			want(t, h.do(t, "DELETE", "/api/v1/github/access-token?id="+h.made(t, last).ID, caller, ""), 200, "")
		}
	}
	// One of them was made for the rig.
	if answers[200] != 199 || answers[429] != 6 {
		t.Errorf("got answers %v, want 199 keys and 6 refusals", answers)
	}
	want(t, last, 429, "TOO_MANY_NEW_KEYS")
	if wait := last.MultiValueHeaders["Retry-After"]; !slices.Equal(wait, []string{strconv.FormatInt(600-start.Unix()%600, 10)}) {
		t.Errorf("got Retry-After %v, want the rest of ten minutes", wait)
	}
}

func TestCapabilitiesAreMaskedAndRestrictionsKept(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	for _, c := range []struct {
		name   string
		held   access.Set // besides access_token_create; all capabilities of the caller
		vcs    string
		asked  string
		want   string // of the stored set, as JSON
		refuse string // id of the fault
	}{
		{name: "nothing asked", vcs: "github", asked: `[]`, want: "vcs=github"},
		{name: "held", held: access.Set{access.KVStoreRead}, vcs: "github", asked: `["kv_store_read"]`, want: "vcs=github kv_store_read"},
		{name: "not held is dropped", vcs: "github", asked: `["kv_store_read","access_token_create"]`, want: "vcs=github access_token_create"},
		{name: "twice is once", held: access.Set{access.KVStoreRead}, vcs: "gitlab", asked: `["kv_store_read","kv_store_read"]`, want: "vcs=gitlab kv_store_read"},
		{name: "vcs of the path, asked for", vcs: "github", asked: `[{"name":"vcs","vcs":"github"}]`, want: "vcs=github"},
		{name: "another vcs", vcs: "github", asked: `[{"name":"vcs","vcs":"gitlab"}]`, refuse: "VCS_MISMATCH"},
		{name: "both vcs", vcs: "github", asked: `[{"name":"vcs","vcs":"github"},{"name":"vcs","vcs":"gitlab"}]`, refuse: "VCS_MISMATCH"},
		{name: "unknown vcs", vcs: "github", asked: `[{"name":"vcs","vcs":""}]`, refuse: "VCS_MISMATCH"},
		{name: "a member's installation", vcs: "github", asked: `[{"name":"installation_id","id":"1"}]`, want: "vcs=github installation_id=1"},
		{name: "two of them", vcs: "github", asked: `[{"name":"installation_id","id":"2"},{"name":"installation_id","id":"1"}]`, want: "vcs=github installation_id=1 installation_id=2"},
		{name: "one of them is not", vcs: "github", asked: `[{"name":"installation_id","id":"1"},{"name":"installation_id","id":"3"}]`, refuse: "INSTALLATION_OUT_OF_REACH"},
		{name: "one of another vcs", vcs: "github", asked: `[{"name":"installation_id","id":"7"}]`, refuse: "INSTALLATION_OUT_OF_REACH"},
		{name: "one there", vcs: "gitlab", asked: `[{"name":"installation_id","id":"7"}]`, want: "vcs=gitlab installation_id=7"},
		{name: "empty id", vcs: "github", asked: `[{"name":"installation_id","id":""}]`, refuse: "INSTALLATION_OUT_OF_REACH"},
		{name: "restricted caller asks for none", held: access.Set{access.Installation("1")}, vcs: "github", asked: `[]`, want: "vcs=github installation_id=1"},
		{name: "restricted caller asks for its own", held: access.Set{access.Installation("1"), access.Installation("2")}, vcs: "github", asked: `[{"name":"installation_id","id":"2"}]`, want: "vcs=github installation_id=2"},
		{name: "restricted caller asks for another", held: access.Set{access.Installation("1")}, vcs: "github", asked: `[{"name":"installation_id","id":"2"}]`, refuse: "INSTALLATION_OUT_OF_REACH"},
		{name: "unknown capability", vcs: "github", asked: `["kv_store_read","root"]`, refuse: "INVALID_CAPABILITY"},
		{name: "capability with more", vcs: "github", asked: `[{"name":"vcs","vcs":"github","x":1}]`, refuse: "INVALID_CAPABILITY"},
		{name: "too many", vcs: "github", asked: "[" + strings.Repeat(`"kv_store_read",`, 32) + `"kv_store_read"]`, refuse: "TOO_MANY_CAPABILITIES"},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller := h.bearer(t, h.key)
			caller.Capabilities = access.Normalize(append(c.held, access.AccessTokenCreate))
			resp := h.post(t, c.vcs, caller, `{"name":"n","capabilities":`+c.asked+`}`)
			if c.refuse != "" {
				want(t, resp, 400, c.refuse)
				return
			}
			var got []string
			for _, capability := range h.made(t, resp).Capabilities {
				got = append(got, strings.TrimSuffix(capability.Name+"="+capability.Value, "="))
			}
			if want := strings.Fields(c.want); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestNoCallerMakesAWiderKey(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	caller := h.bearer(t, h.key)
	caller.Capabilities = access.Set{access.VCS("github"), access.AccessTokenCreate, access.Installation("1"), access.KVStoreRead}
	everything := `{"name":"n","capabilities":["access_token_create","access_token_refresh","kv_store_read","kv_store_write","kv_store_system_read","kv_store_system_write"]}`
	k := h.made(t, h.post(t, "github", caller, everything))
	if !k.Capabilities.Within(caller.Capabilities) || !slices.Equal(k.Capabilities, caller.Capabilities) {
		t.Errorf("got %v of %v", k.Capabilities, caller.Capabilities)
	}
	want(t, h.post(t, "gitlab", caller, everything), 403, "")
}

func TestWhatIsNotAKeyIsRefusedByName(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	for body, id := range map[string]string{
		``:                                  "INVALID_BODY",
		`[]`:                                "INVALID_BODY",
		`{"capabilities":[]}`:               "INVALID_BODY",
		`{"name":null,"capabilities":[]}`:   "INVALID_BODY",
		`{"name":"n"}`:                      "INVALID_BODY",
		`{"name":"n","capabilities":null}`:  "INVALID_BODY",
		`{"name":"n","capabilities":"all"}`: "INVALID_BODY",
		`{"name":7,"capabilities":[]}`:      "INVALID_BODY",
		`{"NAME":"n","capabilities":[]}`:    "UNKNOWN_MEMBER",
		`{"name":"n","Capabilities":[]}`:    "UNKNOWN_MEMBER",
		`{"name":"n","capabilities":[],"expires":"2100-01-01T00:00:00Z"}`:                  "UNKNOWN_MEMBER",
		`{"name":"n","name":"m","capabilities":[]}`:                                        "INVALID_BODY",
		`{"name":"n","capabilities":[{"name":"installation_id","id":"1","id":"2"}]}`:       "INVALID_CAPABILITY",
		`{"name":"n","capabilities":[7]}`:                                                  "INVALID_CAPABILITY",
		`{"name":"` + strings.Repeat("n", 201) + `","capabilities":[]}`:                    "NAME_TOO_LONG",
		`{"name":"a\ud800","capabilities":[]}`:                                             "INVALID_BODY",
		`{"name":"a\u0000","capabilities":[]}`:                                             "INVALID_NAME",
		`{"name":"n","capabilities":[],"description":"` + strings.Repeat("d", 1001) + `"}`: "DESCRIPTION_TOO_LONG",
		`{"name":"n","capabilities":[],"expires_at":"tomorrow"}`:                           "INVALID_EXPIRY",
		`{"name":"n","capabilities":[],"expires_at":""}`:                                   "INVALID_EXPIRY",
		`{"name":"n","capabilities":[],"expires_at":"2030-01-01"}`:                         "INVALID_EXPIRY",
		`{"name":"n","capabilities":[],"expires_at":"` + start.Format(time.RFC3339) + `"}`: "INVALID_EXPIRY",
		`{"name":"n","capabilities":[],"expires_at":7}`:                                    "INVALID_BODY",
		`{"name":"n","capabilities":[],"expires_at":"2001-01-01T00:00:00+01:00"}`:          "INVALID_EXPIRY",
	} {
		t.Run(body[:min(len(body), 60)], func(t *testing.T) {
			want(t, h.post(t, "github", h.bearer(t, h.key), body), 400, id)
		})
	}
}

func TestOptionalMembers(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	caller := h.bearer(t, h.key)
	k := h.made(t, h.post(t, "github", caller, `{"name":"","capabilities":[],"description":"d","expires_at":"2100-06-01T12:00:00.9+02:00"}`))
	if k.Name != "" || k.Description != "d" || !k.ExpiresAt.Equal(time.Date(2100, 6, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", k)
	}
	if k := h.made(t, h.post(t, "github", caller, `{"name":"n","capabilities":[],"expires_at":null}`)); !k.ExpiresAt.IsZero() {
		t.Errorf("got an end at %v", k.ExpiresAt)
	}
}

func TestKeyOfAnEndingKeyEndsNoLater(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	end := start.Add(time.Hour)
	ending := h.newKey(t, apikey.New{Capabilities: access.Strings(), ExpiresAt: end})
	caller := h.bearer(t, ending)
	body := func(at time.Time) string {
		return fmt.Sprintf(`{"name":"n","capabilities":[],"expires_at":%q}`, at.Format(time.RFC3339))
	}
	if k := h.made(t, h.post(t, "github", caller, `{"name":"n","capabilities":[]}`)); !k.ExpiresAt.Equal(end) {
		t.Errorf("none asked: got %v, want %v", k.ExpiresAt, end)
	}
	if k := h.made(t, h.post(t, "github", caller, body(end))); !k.ExpiresAt.Equal(end) {
		t.Errorf("the same asked: got %v, want %v", k.ExpiresAt, end)
	}
	want(t, h.post(t, "github", caller, body(end.Add(time.Second))), 400, "INVALID_EXPIRY")
}

func TestTokenOfARevokedKeyMakesNoKey(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	caller := h.bearer(t, h.key)
	if err := h.keys.Revoke(ctx, h.owner.ID, h.key.ID, h.Author()); err != nil {
		t.Fatal(err)
	}
	want(t, h.post(t, "github", caller, `{"name":"n","capabilities":[]}`), 403, "")
	caller.Key = uuid.NewString()
	want(t, h.post(t, "github", caller, `{"name":"n","capabilities":[]}`), 403, "")
}

func TestKeyThatIsRevokedMeanwhileMakesNoKey(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	caller := h.bearer(t, h.key)
	h.Faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: storagetest.Pass, Before: func() {
		if err := h.keys.Revoke(ctx, h.owner.ID, h.key.ID, h.Author()); err != nil {
			t.Error(err)
		}
	}})
	want(t, h.post(t, "github", caller, `{"name":"n","capabilities":[]}`), 403, "")
	if keys, err := h.keys.List(ctx, h.owner.ID, apikey.Query{}); err != nil || len(keys) != 0 {
		t.Errorf("got keys %v, %v; want none", keys, err)
	}
}

func TestStorageFailureMakesNoKeyByHalves(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	asked := `{"name":"n","capabilities":[{"name":"installation_id","id":"1"}]}`
	for _, operation := range []string{"GetItem", "Query", "TransactWriteItems"} {
		h.Faults.Clear()
		h.Faults.Add(storagetest.Fault{Operation: operation, Kind: storagetest.ServerError})
		want(t, h.post(t, "github", h.bearer(t, h.key), asked), 500, "")
	}
	keys, err := h.keys.List(ctx, h.owner.ID, apikey.Query{})
	if err != nil || len(keys) != 1 {
		t.Errorf("got %d keys, %v; want the first alone", len(keys), err)
	}
	h.Faults.Clear()
	h.Faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: storagetest.LoseAnswer})
	h.made(t, h.post(t, "github", h.bearer(t, h.key), asked))
}
