package main

import (
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// A proxy may send another Host. Links must still begin with the configured
// address. Otherwise the next page of a console has another origin.
func TestLinksAreAtTheConfiguredAddress(t *testing.T) {
	r := newRig(t)
	const public = "https://ops.example.com/us"
	r.At(public + "/")
	for _, key := range []string{"a", "b"} {
		r.want(t, "PUT", "/key/"+key, `{"data":1}`, 200, rec(true, "null", 0, key, 1, 0))
	}
	for _, c := range []struct{ method, target, body, header, want string }{
		{"GET", "/iter/a?limit=1", "", "Link", "<" + public + base + "/iter/a?cursor="},
		{"POST", "/artifact/key/f", `{"size":1,"sha256":"` + emptySum + `"}`, "Location", public + base + "/artifact/upload/"},
	} {
		event := httpapitest.Event(t, c.method, base+c.target, r.caller, c.body)
		event.MultiValueHeaders["X-Forwarded-Base"] = []string{"https://proxy.example.net"}
		resp, err := r.Handle(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(resp.MultiValueHeaders[c.header], " "); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s: got %d, %s %q, want one that begins with %q", c.method, c.target, resp.StatusCode, c.header, got, c.want)
		}
	}
}
