//go:build unix

package journey

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/opsplane/opsplane/infra/apiclient"
)

// Put is one request to storage, as a response of the API describes it.
type Put struct {
	Method  string
	URL     string
	Headers map[string]string
}

// Part is a piece of a file.
type Part struct {
	Number       int
	Offset, Size int64
	Arrived      bool
	Put          *Put
}

// Upload is an upload, as a response of the API describes it.
type Upload struct {
	ID, State, SHA256    string
	Size                 int64
	Verified             *int64
	Put                  *Put
	PartSize             int64 `json:"part_size"`
	PartCount            int   `json:"part_count"`
	Parts                []Part
	Record               json.RawMessage
	ContentType, Expires string

	next string // target of the next page of parts
}

// Announcement returns the body of a request that announces an upload of content. more holds
// further members, each with a comma in front.
func Announcement(content []byte, more string) string {
	sum := sha256.Sum256(content)
	return fmt.Sprintf(`{"size":%d,"sha256":"%s"%s}`, len(content), hex.EncodeToString(sum[:]), more)
}

// upload decodes a response that describes an upload.
func (r Response) upload(t testing.TB, status int) Upload {
	t.Helper()
	var u Upload
	r.Want(t, status).Read(t, &u)
	u.next = r.Next(t)
	return u
}

// Announce announces an upload.
func (c *Client) Announce(t testing.TB, in Installation, key, body string) Upload {
	t.Helper()
	return c.Do(t, "POST", in.Path("artifact/key", key), body).upload(t, http.StatusCreated)
}

// Look returns the current state of an upload.
func (c *Client) Look(t testing.TB, in Installation, id string) Upload {
	t.Helper()
	return c.Do(t, "GET", in.Base()+"/artifact/upload/"+id, "").upload(t, http.StatusOK)
}

// Parts returns all parts of an upload. It reads them page by page.
func (c *Client) Parts(t testing.TB, in Installation, id string, limit int) []Part {
	t.Helper()
	var all []Part
	for target := fmt.Sprintf("%s/artifact/upload/%s?limit=%d", in.Base(), id, limit); target != ""; {
		page := c.Do(t, "GET", target, "").upload(t, http.StatusOK)
		if len(page.Parts) == 0 || len(page.Parts) > limit {
			t.Fatalf("%s: got %d parts, want 1 to %d", target, len(page.Parts), limit)
		}
		all, target = append(all, page.Parts...), page.next
	}
	return all
}

// Complete requests the completion of an upload until the upload is done.
func (c *Client) Complete(t testing.TB, in Installation, id string) Upload {
	t.Helper()
	for {
		resp := c.Do(t, "POST", in.Base()+"/artifact/upload/"+id+"/complete", "")
		if resp.Status != http.StatusAccepted {
			return resp.upload(t, http.StatusOK)
		}
	}
}

// Store stores content with one upload.
func (c *Client) Store(t testing.TB, in Installation, key string, content []byte, more string) Upload {
	t.Helper()
	u := c.Announce(t, in, key, Announcement(content, more))
	u.send(t, content)
	return c.Complete(t, in, u.ID)
}

// send sends the parts of a file that have not arrived, as the upload describes them.
func (u Upload) send(t testing.TB, content []byte) {
	t.Helper()
	if u.Put != nil {
		u.Put.Want(t, content, http.StatusOK)
	}
	for _, p := range u.Parts {
		if !p.Arrived {
			p.Put.Want(t, content[p.Offset:p.Offset+p.Size], http.StatusOK)
		}
	}
}

// Send sends a body with exactly the headers that the response names.
func (p Put) Send(t testing.TB, body []byte) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequest(p.Method, p.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range p.Headers {
		req.Header.Set(name, value)
	}
	// The library takes the length from this field and ignores a header of that name.
	if length := req.Header.Get("Content-Length"); length != "" {
		if req.ContentLength, err = strconv.ParseInt(length, 10, 64); err != nil {
			t.Fatal(err)
		}
		req.Header.Del("Content-Length")
	}
	if req.ContentLength == 0 {
		req.Body = http.NoBody
	}
	resp, text, err := roundTrip(req)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// Want sends a body, and ends the test unless storage responds with the status.
func (p Put) Want(t testing.TB, body []byte, status int) {
	t.Helper()
	if got, answer := p.Send(t, body); got != status {
		t.Fatalf("put of %d bytes: got %d %.500s, want status %d", len(body), got, answer, status)
	}
}

// storage is an HTTP client for storage. It sends no credentials and follows no redirects.
var storage = apiclient.NewHTTPClient(connections)

func roundTrip(req *http.Request) (*http.Response, []byte, error) {
	resp, err := storage.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp, text, err
}

// Fetch fetches an address in storage. headers are further headers, each a name and a value.
func Fetch(t testing.TB, address string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, content, err := roundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, content
}

// Open requests a file and returns the address of its bytes.
func (c *Client) Open(t testing.TB, in Installation, key string) (location string) {
	t.Helper()
	resp := c.Do(t, "GET", in.Path("artifact/key", key), "").Want(t, http.StatusFound)
	if len(resp.Body) != 0 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v, %v; want no body, and that nobody keeps the answer", resp, resp.Header)
	}
	return resp.Header.Get("Location")
}
