//go:build unix

package journey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestStorageRefusesAnyOtherBodyThanTheOneAnnounced(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	content := random(1<<20, "announced")
	u := c.Announce(t, in, "f", Announcement(content, ""))
	other := bytes.Clone(content)
	other[77]++
	refused := func(name string, p Put, body []byte) {
		t.Helper()
		if status, answer := p.Send(t, body); status >= 200 && status < 300 {
			t.Errorf("%s: storage took it: %d %s", name, status, answer)
		}
	}
	longer, header := *u.Put, map[string]string{}
	for name, value := range u.Put.Headers {
		header[name] = value
	}
	header["Content-Length"] = fmt.Sprint(len(content) + 1)
	longer.Headers = header
	refused("another body", *u.Put, other)
	refused("a longer body", longer, append(bytes.Clone(content), 1))
	for name := range u.Put.Headers {
		if name != "Content-Length" {
			changed := *u.Put
			changed.Headers = map[string]string{}
			for n, value := range u.Put.Headers {
				if n != name {
					changed.Headers[n] = value
				}
			}
			refused("without "+name, changed, content)
		}
	}
	wantFault(t, c.Do(t, "POST", in.Base()+"/artifact/upload/"+u.ID+"/complete", ""), "INCOMPLETE_UPLOAD")
	c.Do(t, "GET", in.Path("artifact/key", "f")+"?committed=false", "").Want(t, 404)
	u.send(t, content)
	c.Complete(t, in, u.ID)
	if _, got := Fetch(t, c.Open(t, in, "f")); !bytes.Equal(got, content) {
		t.Errorf("got %d bytes that differ from the %d announced", len(got), len(content))
	}
}

func TestFileInPartsWithAnotherHashIsRefusedAtItsCompletion(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	content := make([]byte, large)
	u := c.Announce(t, in, "f", Announcement(content, ""))
	if status, _ := u.Parts[0].Put.Send(t, content[:1]); status == 200 {
		t.Error("storage took a part of another length")
	}
	content[large-1] = 1
	u.send(t, content)
	complete := in.Base() + "/artifact/upload/" + u.ID + "/complete"
	resp := c.Do(t, "POST", complete, "")
	for resp.Status == 202 {
		resp = c.Do(t, "POST", complete, "")
	}
	wantFault(t, resp, "WRONG_HASH")
	c.Do(t, "GET", in.Path("artifact/key", "f")+"?committed=false", "").Want(t, 404)
	if again := c.Do(t, "POST", complete, ""); again.Status == 200 || again.Status == 202 {
		t.Errorf("got %v, want that it stays refused", again)
	}
}

func TestAddressOpensOneFileAndNothingElse(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	u := c.Store(t, in, "f", []byte("one"), "")
	other := c.Store(t, in, "g", []byte("two"), "")
	location := c.Open(t, in, "f")
	for name, address := range map[string]string{
		"another object": strings.Replace(location, u.ID, other.ID, 1),
		"no signature":   location[:strings.Index(location, "?")],
		"a longer life":  strings.Replace(location, "X-Amz-Expires=300", "X-Amz-Expires=3000", 1),
	} {
		if address == location {
			t.Errorf("%s: the address %s has not the expected form", name, location)
		}
		if resp, got := Fetch(t, address); resp.StatusCode != 403 {
			t.Errorf("%s: got %d %.100q, want 403", name, resp.StatusCode, got)
		}
	}
	if status, _ := (Put{Method: "PUT", URL: location}).Send(t, []byte("new")); status < 400 {
		t.Errorf("got %d, want that nobody writes with the address of a download", status)
	}
}

func TestUploadsOfOneCallerAreBoundedAndListed(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	announce := func(key string, gib int) Response {
		return c.Do(t, "POST", in.Path("artifact/key", key), fmt.Sprintf(`{"size":%d,"sha256":"%064d"}`, gib<<30, 0))
	}
	// The stack has the template's limits: a caller may have uploads of 25 GiB under way, and
	// an installation 100 GiB.
	wantFault(t, announce("a", 101), "QUOTA_EXCEEDED")
	wantFault(t, announce("a", 26), "TOO_MANY_UPLOADS")
	first := announce("a", 20).upload(t, 201)
	wantFault(t, announce("b", 6), "TOO_MANY_UPLOADS")
	second := announce("c", 5).upload(t, 201)
	wantFault(t, announce("d", 1), "TOO_MANY_UPLOADS")
	target := in.Base() + "/artifact/upload/" + first.ID
	for range 2 {
		c.Do(t, "DELETE", target, "").Want(t, 200)
	}
	c.Do(t, "GET", target, "").Want(t, 404)
	c.Do(t, "POST", target+"/complete", "").Want(t, 404)
	// The addresses of the aborted upload still work. So the upload counts, and the list shows
	// it.
	wantFault(t, announce("d", 1), "TOO_MANY_UPLOADS")
	var list struct {
		Uploads []struct {
			ID, Key, State string
			Size           int64
			CreatedBy      string `json:"created_by"`
			ExpiresAt      string `json:"expires_at"`
		}
	}
	answer := c.Do(t, "GET", in.Base()+"/artifact/upload", "")
	answer.Want(t, 200)
	if err := json.Unmarshal(answer.Body, &list); err != nil || len(list.Uploads) != 2 {
		t.Fatalf("got %s, %v; want both uploads", answer.Body, err)
	}
	for n, want := range []struct{ id, key, state string }{{first.ID, "a", "aborted"}, {second.ID, "c", "pending"}} {
		if got := list.Uploads[n]; got.ID != want.id || got.Key != want.key || got.State != want.state || got.CreatedBy == "" || got.ExpiresAt == "" {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	// Another installation has its own limit.
	other, elsewhere := theStack(t).Member(t)
	other.Do(t, "POST", elsewhere.Path("artifact/key", "a"), fmt.Sprintf(`{"size":%d,"sha256":"%064d"}`, int64(25<<30), 0)).upload(t, 201)
	other.Do(t, "GET", elsewhere.Base()+"/artifact/upload/"+first.ID, "").Want(t, 404)
}
