package artifact_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"mime"
	"net/http"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// sendWith does the same as send, with more headers, as a sender may add them.
func sendWith(t *testing.T, put *artifact.Put, body []byte, more map[string]string) int {
	t.Helper()
	with := *put
	with.Headers = maps.Clone(put.Headers)
	maps.Copy(with.Headers, more)
	return send(t, &with, body)
}

// fetch opens a key and requests its file as "curl --compressed" does.
func (r *rig) fetch(t *testing.T, key string) (http.Header, []byte) {
	t.Helper()
	d, err := r.Open(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, kv.Position{Key: key, Idx: 0}, false)
	if err != nil {
		t.Fatal(err)
	}
	// Go's HTTP client asks for gzip, and unpacks a response that says that it is
	// gzip.
	res, err := http.Get(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("download: %s, %v", res.Status, err)
	}
	return res.Header, got
}

// gzipped is a file that unpacks to other bytes.
var gzipped = func() []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte("something else")) // a buffer accepts every write
	_ = w.Close()
	return packed.Bytes()
}()

func TestSenderDecidesNoHeaderOfTheDownload(t *testing.T) {
	r := newRig(t)
	want := map[string]string{
		"Content-Encoding": "identity", "Cache-Control": "private, no-store", "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
		"Content-Language": "und", "Content-Type": "application/zip",
	}
	for name, value := range map[string]string{
		"": "", "Content-Encoding": "gzip", "Cache-Control": "public, max-age=31536000", "Expires": "Thu, 01 Jan 2099 00:00:00 GMT",
		"Content-Language": "de", "Content-Disposition": "inline", "Content-Type": "text/html",
		"X-Amz-Meta-Note": "x", "X-Amz-Website-Redirect-Location": "https://example.com/", "X-Amz-Storage-Class": "GLACIER",
	} {
		t.Run(name, func(t *testing.T) {
			u, page := r.create(t, artifact.New{Key: "k" + name, Committed: true, File: fileOf(gzipped)})
			more := map[string]string{}
			if name != "" {
				more[name] = value
			}
			if got := sendWith(t, page.Put, gzipped, more); got != http.StatusOK {
				// S3 refuses a header that was signed with another value, or that
				// has to be signed.
				if got != http.StatusForbidden {
					t.Fatalf("PUT answers %d", got)
				}
				if got := send(t, page.Put, gzipped); got != http.StatusOK {
					t.Fatalf("PUT without %s answers %d", name, got)
				}
			}
			r.complete(t, u.ID)
			header, body := r.fetch(t, "k"+name)
			if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != u.File.SHA256 {
				t.Errorf("got %q, which has another SHA-256 than the record says", body)
			}
			for name, want := range want {
				if got := header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if kind, _, err := mime.ParseMediaType(header.Get("Content-Disposition")); kind != "attachment" || err != nil {
				t.Errorf("Content-Disposition: got %q, %v", header.Get("Content-Disposition"), err)
			}
			if got := header.Get(name); name != "" && got == value {
				t.Errorf("%s: got %q, which the sender said", name, got)
			}
		})
	}
}

func TestSenderDecidesNoHeaderAfterTheCompletion(t *testing.T) {
	r := newRig(t)
	u, page := r.create(t, artifact.New{Key: "k", Committed: true, File: fileOf(gzipped)})
	send(t, page.Put, gzipped)
	r.complete(t, u.ID)
	if got := sendWith(t, page.Put, gzipped, map[string]string{"Content-Encoding": "gzip"}); got != http.StatusOK {
		t.Fatalf("PUT answers %d", got)
	}
	if _, body := r.fetch(t, "k"); !bytes.Equal(body, gzipped) {
		t.Errorf("got %q, want the bytes that were verified", body)
	}
}

func TestNameOfADownloadIsReadByEveryClient(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string]string{
		"":              `attachment`,
		"a.zip":         `attachment; filename=a.zip`,
		"a b.zip":       `attachment; filename="a b.zip"`,
		"Übersicht.txt": `attachment; filename="_bersicht.txt"; filename*=UTF-8''%C3%9Cbersicht.txt`,
		"pläne 17.zip":  `attachment; filename="pl_ne 17.zip"; filename*=UTF-8''pl%C3%A4ne%2017.zip`,
		`a"b.zip`:       `attachment; filename="a_b.zip"; filename*=UTF-8''a%22b.zip`,
		"50%25.zip":     `attachment; filename="50_25.zip"; filename*=UTF-8''50%2525.zip`,
		"計画'(1)*.zip":   `attachment; filename="__'(1)*.zip"; filename*=UTF-8''%E8%A8%88%E7%94%BB%27%281%29%2A.zip`,
		"a;b=c.zip":     `attachment; filename="a;b=c.zip"`,
	} {
		file := fileOf(gzipped)
		file.Name = name
		u, page := r.create(t, artifact.New{Key: "k", Committed: true, File: file})
		send(t, page.Put, gzipped)
		r.complete(t, u.ID)
		header, _ := r.fetch(t, "k")
		got := header.Get("Content-Disposition")
		if got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
		if name != "" {
			if _, params, err := mime.ParseMediaType(header.Get("Content-Disposition")); err != nil || params["filename"] != name {
				t.Errorf("%q: Go reads %q, %v", name, params["filename"], err)
			}
		}
	}
}

// The media type of a file, such as multipart/form-data, must not make the storage
// parse the body of the request as a form.
func TestFileOfAnyMediaTypeIsTaken(t *testing.T) {
	r := newRig(t)
	for _, kind := range []string{
		"multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "multipart/mixed", "application/xml",
	} {
		file := fileOf([]byte("a=1&b=2"))
		file.ContentType = kind
		u, page := r.create(t, artifact.New{Key: "k", Committed: true, File: file})
		if got := send(t, page.Put, []byte("a=1&b=2")); got != http.StatusOK {
			t.Errorf("%s: PUT answers %d", kind, got)
			continue
		}
		r.complete(t, u.ID)
		if header, body := r.fetch(t, "k"); header.Get("Content-Type") != kind || string(body) != "a=1&b=2" {
			t.Errorf("%s: got %q of type %q", kind, body, header.Get("Content-Type"))
		}
	}
}
