package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

type page struct {
	Results []map[string]any `json:"results"`
}

func (p page) names() []string {
	var names []string
	for _, r := range p.Results {
		names = append(names, r["name"].(string))
	}
	return names
}

func TestListShowsWhatIsKnownAndNoMore(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	end := start.Add(time.Hour)
	k := h.newKey(t, apikey.New{Name: "ci", Description: "d", ExpiresAt: end, Capabilities: access.Set{access.VCS("github"), access.KVStoreRead}})
	if err := h.keys.MarkUsed(ctx, k.User, k.ID, h.Author()); err != nil {
		t.Fatal(err)
	}
	resp := h.do(t, "GET", "/api/v1/gitlab/access-token", h.bearer(t, h.key), "")
	want := `{"results":[{"capabilities":[{"name":"vcs","vcs":"github"},"kv_store_read"],"created_at":"2096-10-02T07:06:40Z","description":"d",` +
		`"expires_at":"2096-10-02T08:06:40Z","id":"` + k.ID + `","last_used_at":"2096-10-02T07:06:40Z","name":"ci"},` +
		`{"capabilities":["access_token_create","access_token_refresh","audit_read","audit_read_all","kv_store_read","kv_store_system_read","kv_store_system_write","kv_store_write","run_admin","run_apply","run_plan","run_read"],` +
		`"created_at":"2096-10-02T07:06:40Z","id":"` + h.key.ID + `","name":"own"}]}`
	if resp.Body != want {
		t.Errorf("got  %s\nwant %s", resp.Body, want)
	}
	if values, ok := resp.MultiValueHeaders["Link"]; !ok || values[0] != "" {
		t.Errorf("got Link %q, want it empty", values)
	}
}

func TestListIsPagedBothWays(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var all []string
	for _, name := range []string{"a,b", "a b", "ä", "", "", "x&y=z", "zz", "own2", "a\tb", "n<>\""} {
		h.newKey(t, apikey.New{Name: name})
		all = append(all, name)
	}
	all = append(all, "own")
	slices.Sort(all)
	for limit := 1; limit <= len(all)+1; limit++ {
		var forwards []string
		target, last := fmt.Sprintf("/api/v1/github/access-token?limit=%d", limit), functiontest.Response{}
		for target != "" {
			last = h.do(t, "GET", target, h.bearer(t, h.key), "")
			forwards = append(forwards, decode[page](t, last).names()...)
			target = last.Links(t)["next"]
		}
		if !slices.Equal(forwards, all) {
			t.Errorf("limit %d: got %q, want %q", limit, forwards, all)
		}
		backwards := decode[page](t, last).names()
		for target = last.Links(t)["prev"]; target != ""; target = last.Links(t)["prev"] {
			last = h.do(t, "GET", strings.Replace(target, "&page=", ",", 1), h.bearer(t, h.key), "")
			backwards = append(decode[page](t, last).names(), backwards...)
		}
		if !slices.Equal(backwards, all) {
			t.Errorf("limit %d, backwards: got %q, want %q", limit, backwards, all)
		}
	}
}

func TestListRefusesPagesThatItNeverGave(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	for _, query := range []string{
		"limit=0", "limit=x", "page=n", "page=x,YQ", "page=n,YQ,YQ", "page=n,", "page=n,_w",
		"page=n," + strings.Repeat("YWFh", 100),
	} {
		want(t, h.do(t, "GET", "/api/v1/github/access-token?"+query, h.bearer(t, h.key), ""), 400, "INVALID_PARAMETER")
	}
}

func TestRestrictedCallerSeesAndRevokesOnlyWhatIsWithin(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	within := h.newKey(t, apikey.New{Name: "within", Capabilities: access.Set{access.VCS("github"), access.Installation("1")}})
	for _, caps := range []access.Set{nil, {access.VCS("github")}, {access.VCS("github"), access.Installation("2")}, {access.VCS("gitlab"), access.Installation("1")}, {access.Installation("1")}} {
		h.newKey(t, apikey.New{Name: "beyond", Capabilities: caps})
	}
	caller := h.bearer(t, h.key)
	caller.Capabilities = access.Set{access.VCS("github"), access.AccessTokenCreate, access.Installation("1")}
	if got := decode[page](t, h.do(t, "GET", "/api/v1/github/access-token", caller, "")).names(); !slices.Equal(got, []string{"within"}) {
		t.Errorf("got %q", got)
	}
	keys, err := h.keys.List(ctx, h.owner.ID, apikey.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		want(t, h.do(t, "DELETE", "/api/v1/github/access-token?id="+k.ID, caller, ""), 200, "")
		after, err := h.keys.Get(ctx, h.owner.ID, k.ID)
		if err != nil || after.RevokedAt.IsZero() == (k.ID == within.ID) {
			t.Errorf("%s: got revoked at %v, %v", k.Name, after.RevokedAt, err)
		}
	}
}

func TestRevokeIsIdempotentAndSilent(t *testing.T) {
	t.Parallel()
	h, other := newRig(t), newRig(t)
	k := h.newKey(t, apikey.New{Name: "n"})
	if err := h.keys.MarkUsed(ctx, h.owner.ID, k.ID, h.Author()); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{
		"a key": k.ID, "it again": k.ID, "in capitals": strings.ToUpper(k.ID), "unknown": uuid.NewString(), "someone else's": other.key.ID,
	} {
		resp := h.do(t, "DELETE", "/api/v1/github/access-token?id="+id, h.bearer(t, h.key), "")
		if resp.StatusCode != 200 || resp.Body != "" {
			t.Errorf("%s: got %d %q, want an empty 200", name, resp.StatusCode, resp.Body)
		}
	}
	for _, query := range []string{"", "?id=", "?id", "?id=7", "?id={" + k.ID + "}", "?id=urn:uuid:" + k.ID, "?id=" + strings.ReplaceAll(k.ID, "-", "")} {
		want(t, h.do(t, "DELETE", "/api/v1/github/access-token"+query, h.bearer(t, h.key), ""), 400, "INVALID_PARAMETER")
	}
	if !h.told(t, k) || h.told(t, other.key) || h.told(t, h.key) {
		t.Error("verifiers are told wrongly")
	}
	got, err := h.keys.Get(ctx, h.owner.ID, k.ID)
	if err != nil || got.RevokedAt.IsZero() {
		t.Errorf("got %+v, %v; want it revoked", got, err)
	}
}

func TestRevocationsAtOnceAllSucceed(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	k := h.newKey(t, apikey.New{Name: "n"})
	caller := h.bearer(t, h.key)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { want(t, h.do(t, "DELETE", "/api/v1/github/access-token?id="+k.ID, caller, ""), 200, "") })
	}
	wg.Wait()
}

func TestRevocationSurvivesALostAnswerAndAKeyCanRevokeItself(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	if err := h.keys.MarkUsed(ctx, h.owner.ID, h.key.ID, h.Author()); err != nil {
		t.Fatal(err)
	}
	h.Faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: storagetest.LoseAnswer})
	h.Faults.Add(storagetest.Fault{Operation: "GetItem", Nth: 1, Kind: storagetest.Throttle})
	caller := h.bearer(t, h.key)
	want(t, h.do(t, "DELETE", "/api/v1/github/access-token?id="+h.key.ID, caller, ""), 200, "")
	got, err := h.keys.Get(ctx, h.owner.ID, h.key.ID)
	if err != nil || got.RevokedAt.IsZero() {
		t.Errorf("got %+v, %v; want it revoked", got, err)
	}
}

func TestFailedRevocationIsNotCalledDone(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	if err := h.keys.MarkUsed(ctx, h.owner.ID, h.key.ID, h.Author()); err != nil {
		t.Fatal(err)
	}
	for _, operation := range []string{"GetItem", "UpdateItem", "TransactWriteItems"} {
		h.Faults.Clear()
		h.Faults.Add(storagetest.Fault{Operation: operation, Kind: storagetest.ServerError})
		want(t, h.do(t, "DELETE", "/api/v1/github/access-token?id="+h.key.ID, h.bearer(t, h.key), ""), 500, "")
	}
}

func TestOnlyThoseWhoMayKeepKeys(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	without := h.bearer(t, h.key)
	without.Capabilities = access.Set{access.AccessTokenRefresh, access.KVStoreRead, access.KVStoreWrite}
	elsewhere := h.bearer(t, h.key)
	elsewhere.Capabilities = access.Set{access.VCS("gitlab"), access.AccessTokenCreate}
	expired := h.bearer(t, h.key)
	expired.Expires = start.Unix()
	for name, caller := range map[string]*access.Caller{
		"nobody": nil, "an API key": h.holder(t, h.key), "without the capability": without, "of another VCS": elsewhere, "expired": expired,
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			resp := h.do(t, method, "/api/v1/github/access-token?id="+h.key.ID, caller, `{"name":"n","capabilities":[]}`)
			if resp.StatusCode != 403 || resp.Body != "" {
				t.Errorf("%s, %s: got %d %q, want an empty 403", name, method, resp.StatusCode, resp.Body)
			}
		}
	}
	want(t, h.do(t, "GET", "/api/v1/bitbucket/access-token", h.bearer(t, h.key), ""), 404, "")
}

func TestEveryChangeNamesItsRequest(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	e := func(method, target, body string) (string, functiontest.Response) {
		request := uuid.NewString()
		invoked := lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: request})
		resp, err := h.lambda.Handle(invoked, eventOf(t, h, method, target, body))
		if err != nil {
			t.Fatal(err)
		}
		return request, functiontest.Response{APIGatewayProxyResponse: resp}
	}
	request, resp := e("POST", "/api/v1/github/access-token", `{"name":"n","capabilities":[]}`)
	k := h.made(t, resp)
	check := func(step, request string) {
		t.Helper()
		r := attr.Read(rawItem(t, h, k))
		for name, want := range map[string]string{change.AttrPrincipal: h.owner.ID, change.AttrCredential: h.key.ID, change.AttrRequest: request, change.AttrSource: "192.0.2.1"} {
			if got := r.String(name); got != want {
				t.Errorf("%s: got %s %q, want %q", step, name, got, want)
			}
		}
	}
	check("create", request)
	request, _ = e("DELETE", "/api/v1/github/access-token?id="+k.ID, "")
	check("revoke", request)
}
