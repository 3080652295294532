package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

const (
	small    = 1 << 20                   // sent in one request
	inParts  = artifact.SinglePutMax + 1 // the smallest file that is sent in parts
	gibibyte = 1 << 30
)

var costsOfArtifacts = map[string]costs.Scenario{
	"create an upload in one piece": carrying(small, nothingSent, func(t *testing.T, c *carried) { c.create(t) }),
	"create an upload in 16 parts":  carrying(gibibyte, nothingSent, func(t *testing.T, c *carried) { c.create(t) }),
	"send a file in one piece":      carrying(small, isCreated, func(t *testing.T, c *carried) { c.send(t, c.made.Put, small) }),
	"send a part": carrying(inParts, isCreated, func(t *testing.T, c *carried) {
		p := c.made.Parts[1]
		c.send(t, p.Put, p.Size)
	}),
	"show an upload in one piece":  carrying(small, isCreated, func(t *testing.T, c *carried) { c.show(t) }),
	"show an upload in 16 parts":   carrying(gibibyte, isCreated, func(t *testing.T, c *carried) { c.show(t) }),
	"list 30 uploads":              carrying(small, thirtyCreated, func(t *testing.T, c *carried) { c.request(t, 200, "GET", "/artifact/upload", "") }),
	"complete a file in one piece": carrying(small, sent, func(t *testing.T, c *carried) { c.complete(t) }),
	"complete a file in parts":     carrying(inParts, sent, func(t *testing.T, c *carried) { c.complete(t) }),
	"complete a file again":        carrying(small, completed, func(t *testing.T, c *carried) { c.complete(t) }),
	"complete before it was sent":  carrying(small, isCreated, func(t *testing.T, c *carried) { c.request(t, 400, "POST", c.path("/complete"), "") }),
	"abort an upload in one piece": carrying(small, isCreated, func(t *testing.T, c *carried) { c.request(t, 200, "DELETE", c.path(""), "") }),
	"abort an upload in parts":     carrying(inParts, isCreated, func(t *testing.T, c *carried) { c.request(t, 200, "DELETE", c.path(""), "") }),
	"download, redirect":           carrying(small, completed, func(t *testing.T, c *carried) { c.request(t, 302, "GET", "/artifact"+at, "") }),
	"download, the file":           carrying(small, completed, func(t *testing.T, c *carried) { c.fetch(t) }),
	"get, description of a file":   carrying(small, completed, func(t *testing.T, c *carried) { c.request(t, 200, "GET", at, "") }),
}

// carried is a file of zeros that is uploaded or downloaded.
type carried struct {
	metered
	size int64
	made upload
}

// carrying returns a scenario with a file of this size in bytes.
func carrying(size int64, prepare, do func(*testing.T, *carried)) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		c := &carried{metered: newMetered(t), size: size}
		prepare(t, c)
		c.Start()
		do(t, c)
		return c.Meter
	}
}

func nothingSent(*testing.T, *carried) {}

func isCreated(t *testing.T, c *carried) { c.create(t) }

func thirtyCreated(t *testing.T, c *carried) {
	for range 30 {
		c.create(t)
	}
}

func sent(t *testing.T, c *carried) {
	c.create(t)
	if c.made.Put != nil {
		c.send(t, c.made.Put, c.size)
	}
	for _, p := range c.made.Parts {
		c.send(t, p.Put, p.Size)
	}
}

func completed(t *testing.T, c *carried) {
	sent(t, c)
	c.complete(t)
}

func (c *carried) create(t *testing.T) {
	t.Helper()
	sum := emptySHA256 // the hash of a file that is never sent does not matter
	switch c.size {
	case small:
		sum = smallSHA256()
	case inParts:
		sum = inPartsSHA256()
	}
	body := c.request(t, http.StatusCreated, "POST", "/artifact"+at, fmt.Sprintf(
		`{"size":%d,"sha256":%q,"content_type":"application/zip","file_name":"package.zip"}`, c.size, sum))
	if err := json.Unmarshal([]byte(body), &c.made); err != nil {
		t.Fatal(err)
	}
}

func (c *carried) path(rest string) string { return "/artifact/upload/" + c.made.ID + rest }

func (c *carried) show(t *testing.T) {
	t.Helper()
	c.request(t, http.StatusOK, "GET", c.path(""), "")
}

func (c *carried) complete(t *testing.T) {
	t.Helper()
	c.request(t, http.StatusOK, "POST", c.path("/complete"), "")
}

// send does what the client does with a URL that it received.
func (c *carried) send(t *testing.T, p *put, size int64) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), p.Method, p.URL, io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = size
	for name, value := range p.Headers {
		r.Header.Set(name, value)
	}
	c.want200(t, r)
}

// fetch does what the client does when it is redirected.
func (c *carried) fetch(t *testing.T) {
	t.Helper()
	c.Stop()
	answer := c.ask(t, "GET", "/artifact"+at, "")
	c.Start()
	r, err := http.NewRequestWithContext(t.Context(), "GET", answer.MultiValueHeaders["Location"][0], nil)
	if err != nil {
		t.Fatal(err)
	}
	c.want200(t, r)
}

func (c *carried) want200(t *testing.T, r *http.Request) {
	t.Helper()
	answer, err := c.HTTP().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s, %v", r.Method, answer.Status, err)
	}
}

// zeros is a reader of endless zeros.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Hashes of the files that are sent.
var (
	smallSHA256   = sync.OnceValue(func() string { return sha256Of(small) })
	inPartsSHA256 = sync.OnceValue(func() string { return sha256Of(inParts) })
)

func sha256Of(size int64) string {
	sum := sha256.New()
	_, _ = io.CopyN(sum, zeros{}, size) // neither of them fails
	return hex.EncodeToString(sum.Sum(nil))
}
