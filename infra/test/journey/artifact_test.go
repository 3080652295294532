//go:build unix

package journey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// random returns content that no other test uses.
func random(size int, seed string) []byte {
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32.32s", seed))))
	_, _ = source.Read(content)
	return content
}

// large is the size of a file that is sent in two parts.
const large = 101 << 20

func TestFileInOnePieceComesBackTheSame(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	for _, size := range []int{0, 1, 3 << 20} {
		key := fmt.Sprint("dist/", size)
		content := random(size, key)
		u := c.Announce(t, in, key, Announcement(content, `,"content_type":"application/zip","file_name":"pläne \"17\".zip"`))
		if u.Put == nil || len(u.Parts) != 0 || u.State != "pending" {
			t.Fatalf("got %+v, want one put", u)
		}
		c.Do(t, "GET", in.Path("key", key)+"?committed=false", "").Want(t, 404)
		u.send(t, content)
		c.Do(t, "GET", in.Path("artifact/key", key)+"?committed=false", "").Want(t, 404)
		done := c.Complete(t, in, u.ID)
		again := c.Complete(t, in, u.ID)
		if done.State != "done" || string(done.Record) != string(again.Record) || string(done.Record) == "" {
			t.Errorf("completed: got %+v, again %+v, want the same, done", done, again)
		}

		location := c.Open(t, in, key)
		resp, got := Fetch(t, location)
		if resp.StatusCode != 200 || !bytes.Equal(got, content) || resp.Header.Get("Content-Type") != "application/zip" {
			t.Errorf("%d bytes: got %d, %v and %d bytes, want them all", size, resp.StatusCode, resp.Header, len(got))
		}
		disposition := resp.Header.Get("Content-Disposition")
		if !strings.Contains(disposition, "filename*=UTF-8''pl%C3%A4ne%20%2217%22.zip") {
			t.Errorf("Content-Disposition: got %s, want the file's name", disposition)
		}
		if size > 10 {
			resp, got = Fetch(t, location, "Range", "bytes=5-9")
			if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(got, content[5:10]) {
				t.Errorf("range: got %d with %d bytes, want 206 with 5", resp.StatusCode, len(got))
			}
		}
		if resp, got = Fetch(t, location, "If-None-Match", resp.Header.Get("Etag")); resp.StatusCode != http.StatusNotModified || len(got) != 0 {
			t.Errorf("If-None-Match at storage: got %d with %d bytes, want an empty 304", resp.StatusCode, len(got))
		}
	}
}

func TestRowOfAnArtifactDescribesItsFile(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	content := random(1000, "described")
	u := c.Store(t, in, "a/file", content, `,"content_type":"text/plain","file_name":"x.txt","idx":3`)
	want := fmt.Sprintf(`{"size":1000,"sha256":"%s","file_name":"x.txt","content_type":"text/plain"}`, u.SHA256)
	var got record
	c.Do(t, "GET", in.Path("key", "a/file")+"?idx=3", "").Want(t, 200).Read(t, &got)
	if string(got.Data) != want || !got.Committed || got.Version != 0 {
		t.Errorf("got %s, want data %s", got.Data, want)
	}
	var listed struct{ Results []record }
	c.Do(t, "GET", in.Path("iter", "a/")+"?prefix=true&select=sum=sha256", "").Want(t, 200).Read(t, &listed)
	if len(listed.Results) != 1 || string(listed.Results[0].Data) != `{"sum":"`+u.SHA256+`"}` {
		t.Errorf("iteration: got %+v, want the part of the description", listed)
	}
	c.Do(t, "GET", in.Path("count/key", "a/file"), "").WantBody(t, `{"count":1,"max_idx":3}`)
	c.Do(t, "GET", in.Path("artifact/key", "a/file"), "").Want(t, 404)
}

func TestCallerWhoHasTheFileIsToldSo(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c, in := s.Member(t)
	u := c.Store(t, in, "f", random(10, "tag"), "")
	target := in.Path("artifact/key", "f")
	own := c.Do(t, "GET", target, "").Want(t, 302).Header.Get("ETag")
	if own != `"`+u.SHA256+`"` {
		t.Errorf("ETag: got %s, want the SHA-256 in quotes", own)
	}
	stored, _ := Fetch(t, c.Open(t, in, "f"))
	for tags, want := range map[string]int{
		own: 304, "W/" + own: 304, `"other" ,  ` + own: 304, "*": 304, stored.Header.Get("ETag"): 304,
		`"other"`: 302, u.SHA256: 302, "": 302, `"*"`: 302,
	} {
		resp := s.Do(t, Request{
			Method: "GET", Target: target, Authorization: Bearer(c.Token(t)), Header: http.Header{"If-None-Match": {tags}},
		})
		if resp.Status != want || len(resp.Body) != 0 || resp.Header.Get("ETag") != own {
			t.Errorf("If-None-Match: %s: got %v, want %d without a body", tags, resp, want)
		}
	}
	c.Do(t, "GET", in.Path("artifact/key", "none"), "").Want(t, 404)
}

func TestFileInPartsIsResumedWhereItsUploadStopped(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	content := random(large, "parts")
	u := c.Announce(t, in, "big", Announcement(content, ""))
	if u.Put != nil || u.PartCount != 2 || len(u.Parts) != 2 || u.PartSize != 64<<20 {
		t.Fatalf("got %+v, want two parts", u)
	}
	complete := in.Base() + "/artifact/upload/" + u.ID + "/complete"
	last := u.Parts[1]
	last.Put.Want(t, content[last.Offset:], 200)
	// From here on the client's knowledge is not used, as if the client had ended.
	wantFault(t, c.Do(t, "POST", complete, ""), "INCOMPLETE_UPLOAD")
	now := c.Look(t, in, u.ID)
	if len(now.Parts) != 2 || now.Parts[0].Arrived || now.Parts[0].Put == nil || !now.Parts[1].Arrived || now.Parts[1].Put != nil {
		t.Fatalf("got %+v, want the second part alone to have arrived", now.Parts)
	}
	now.send(t, content)
	done := c.Complete(t, in, u.ID)
	if again := c.Complete(t, in, u.ID); done.State != "done" || string(done.Record) != string(again.Record) {
		t.Errorf("completed: got %+v, again %+v, want the same, done", done, again)
	}
	location := c.Open(t, in, "big")
	if _, got := Fetch(t, location); !bytes.Equal(got, content) {
		t.Errorf("got %d bytes that differ from the %d sent", len(got), len(content))
	}
	if _, got := Fetch(t, location, "Range", fmt.Sprintf("bytes=%d-%d", 64<<20-2, 64<<20+1)); !bytes.Equal(got, content[64<<20-2:64<<20+2]) {
		t.Errorf("range over the seam of the parts: got %d bytes, want its 4", len(got))
	}
}

func TestPartsAreHandedOutPageByPage(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	const size = 5<<30 + 1
	u := c.Announce(t, in, "huge", strings.Replace(Announcement(nil, ""), `"size":0`, fmt.Sprint(`"size":`, size), 1))
	if u.next == "" && len(u.Parts) != u.PartCount {
		t.Errorf("got %d of %d parts and no link to more", len(u.Parts), u.PartCount)
	}
	for _, limit := range []int{7, 80, 1000} {
		at := int64(0)
		for i, p := range c.Parts(t, in, u.ID, limit) {
			if p.Number != i+1 || p.Offset != at || p.Arrived || p.Put == nil || p.Size > u.PartSize {
				t.Errorf("got part %+v, want number %d at %d", p, i+1, at)
			}
			at += p.Size
		}
		if at != size {
			t.Errorf("parts by %d: got %d bytes, want %d", limit, at, int64(size))
		}
	}
	c.Do(t, "DELETE", in.Base()+"/artifact/upload/"+u.ID, "").Want(t, 200)
}

// wantFault ends the test unless the response is a 400 with this id and a reason.
func wantFault(t *testing.T, r Response, id string) {
	t.Helper()
	var f struct{ ID, Data string }
	if json.Unmarshal(r.Want(t, 400).Body, &f); f.ID != id || f.Data == "" {
		t.Fatalf("got %v, want 400 %s with a reason", r, id)
	}
}
