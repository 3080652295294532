package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// begun announces content under a key and returns the upload.
func (r rig) begun(t *testing.T, key, content, more string) upload {
	t.Helper()
	sum := sha256.Sum256([]byte(content))
	body := fmt.Sprintf(`{"size":%d,"sha256":"%s"%s}`, len(content), hex.EncodeToString(sum[:]), more)
	resp := r.ask(t, "POST", "/artifact/key/"+key, body)
	var u upload
	if err := json.Unmarshal([]byte(resp.Body), &u); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("got %d %s, want 201", resp.StatusCode, resp.Body)
	}
	return u
}

// send sends content in the way that an upload says.
func send(t *testing.T, p put, content string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), p.Method, p.URL, bytes.NewReader([]byte(content)))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range p.Headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("storage answers %s, want 200", resp.Status)
	}
}

func TestUploadBecomesARecordThatDescribesTheFile(t *testing.T) {
	r := newRig(t)
	u := r.begun(t, "a", "content", `,"file_name":"x.txt","content_type":"text/plain","idx":2`)
	r.want(t, "GET", "/key/a?idx=2&committed=false", "", 404, "")
	r.refused(t, "POST", "/artifact/upload/"+u.ID+"/complete", "", "INCOMPLETE_UPLOAD", "send")
	send(t, *u.Put, "content")
	description := `{"size":7,"sha256":"` + u.SHA256 + `","file_name":"x.txt","content_type":"text/plain"}`
	const size = 141
	for range 2 {
		var done upload
		resp := r.ask(t, "POST", "/artifact/upload/"+u.ID+"/complete", "")
		if err := json.Unmarshal([]byte(resp.Body), &done); err != nil || resp.StatusCode != 200 || done.State != artifact.Done || done.Put != nil {
			t.Fatalf("got %d %s, want the upload, done", resp.StatusCode, resp.Body)
		}
		if string(done.Record.Data) != "null" || done.Record.Idx != 2 || done.Record.Size != size {
			t.Errorf("got record %+v, want it without data", done.Record)
		}
	}
	r.want(t, "GET", "/key/a?idx=2", "", 200, rec(true, description, 2, "a", size, 0))
	r.refused(t, "DELETE", "/artifact/upload/"+u.ID, "", "UPLOAD_DONE", "delete")
	resp := r.ask(t, "GET", "/artifact/key/a?idx=2", "")
	if tag := resp.MultiValueHeaders["Etag"]; resp.StatusCode != 302 || resp.Body != "" || len(tag) != 1 || tag[0] != `"`+u.SHA256+`"` {
		t.Errorf("got %d %s %v, want a redirect with the hash as its tag", resp.StatusCode, resp.Body, resp.MultiValueHeaders)
	}
}

func TestUploadEndsWithItsTime(t *testing.T) {
	t.Parallel()
	of := functiontest.New(t, function)
	r := servedOn(of, of.Role, artifact.Limits{})
	r.caller.Expires = of.Clock.Now().Add(48 * time.Hour).Unix()
	u := r.begun(t, "a", "content", "")
	send(t, *u.Put, "content")
	target := "/artifact/upload/" + u.ID
	of.Clock.Add(artifact.UploadLifetime - time.Minute)
	resp := r.ask(t, "GET", target, "")
	var late upload
	if err := json.Unmarshal([]byte(resp.Body), &late); err != nil || late.Put == nil || late.Put.ExpiresAt > u.ExpiresAt {
		t.Errorf("got %d %s, want an address that ends with the upload, at %s", resp.StatusCode, resp.Body, u.ExpiresAt)
	}
	of.Clock.Add(2 * time.Minute)
	r.want(t, "GET", target, "", 404, "")
	r.want(t, "POST", target+"/complete", "", 404, "")
	r.want(t, "GET", "/key/a?committed=false", "", 404, "")
	r.want(t, "DELETE", target, "", 200, "")
}

func TestRefusalsOfCallersOfArtifactsAreEmpty(t *testing.T) {
	r := newRig(t)
	id := strings.Repeat("0", 32)
	writeOnly, readOnly, key := member(), member(), member()
	writeOnly.Capabilities, readOnly.Capabilities = access.Set{access.KVStoreWrite}, access.Set{access.KVStoreRead}
	key.Kind = access.KindAPIKey
	for _, c := range []struct {
		method, target string
		lacking        *access.Caller
	}{
		{"POST", "/artifact/key/a", readOnly},
		{"GET", "/artifact/key/a", writeOnly},
		{"GET", "/artifact/upload/" + id, readOnly},
		{"DELETE", "/artifact/upload/" + id, readOnly},
		{"POST", "/artifact/upload/" + id + "/complete", readOnly},
	} {
		for _, caller := range []*access.Caller{nil, key, c.lacking, member(access.Installation("2")), member(access.VCS("gitlab"))} {
			r.as(caller).want(t, c.method, c.target, `{}`, 403, "")
		}
		for _, installation := range []string{"2", "01", "abc", "%2E%2E"} {
			r.want(t, c.method, strings.Replace(base, "kv/1", "kv/"+installation, 1)+c.target, `{}`, 403, "")
		}
	}
}
