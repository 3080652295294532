package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// announced is a store that keeps what it is asked to create, and returns these
// pages.
type announced struct {
	artifactStore
	got  *artifact.New
	page artifact.Page
}

func (a announced) Create(_ context.Context, _ kv.Caller, n artifact.New) (artifact.Upload, artifact.Page, error) {
	*a.got = n
	return artifact.Upload{ID: strings.Repeat("0", 32), Key: n.Key, File: n.File}, a.page, nil
}

func newAnnounced(page artifact.Page) (rig, *artifact.New) {
	got := &artifact.New{}
	list := routes(nil, announced{got: got, page: page})
	return served(list, member()), got
}

const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestAnnouncementIsReadAsItIsMeant(t *testing.T) {
	t.Parallel()
	r, got := newAnnounced(artifact.Page{})
	for body, want := range map[string]artifact.File{
		`{"size":0,"sha256":"%s"}`:             {SHA256: emptySum, ContentType: "application/octet-stream"},
		`{"size":5497558138880,"sha256":"%s"}`: {Size: 5 << 40, SHA256: emptySum, ContentType: "application/octet-stream"},
		`{"size":1,"sha256":"%s","content_type":"text/plain; charset=\"utf-8\"","file_name":"a \"b\" é.txt"}`: {
			Size: 1, SHA256: emptySum, ContentType: `text/plain; charset="utf-8"`, Name: `a "b" é.txt`,
		},
	} {
		for _, sum := range []string{emptySum, strings.ToUpper(emptySum)} {
			*got = artifact.New{}
			resp := r.ask(t, "POST", "/artifact/key/a%2Fb", fmt.Sprintf(body, sum))
			if resp.StatusCode != 201 || got.File != want || got.Key != "a/b" || !got.Committed {
				t.Errorf("%s: got %d %s and %+v, want %+v", body, resp.StatusCode, resp.Body, got, want)
			}
		}
	}
	r.ask(t, "POST", "/artifact/key/", `{"size":1,"sha256":"`+emptySum+`","idx":-3,"committed":false,"version":7,"read_caps":[],"write_caps":["kv_store_system_write"]}`)
	if got.Key != "" || got.Idx != -3 || got.Committed || got.Absent || *got.Version != 7 || len(*got.ReadCaps) != 0 || len(*got.WriteCaps) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestBadAnnouncementIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	r, got := newAnnounced(artifact.Page{})
	sum := `"sha256":"` + emptySum + `"`
	for body, says := range map[string]string{
		``: "body is empty", `[]`: "JSON object", `{}`: `"size" is required`, `{"size":1}`: `"sha256" is required`,
		`{"size":-1,` + sum + `}`: "0 to 5497558138880", `{"size":5497558138881,` + sum + `}`: "0 to 5497558138880",
		`{"size":1.5,` + sum + `}`: "whole number", `{"size":1e-3,` + sum + `}`: "whole number", `{"size":1e999,` + sum + `}`: "whole number",
		`{"size":"1",` + sum + `}`: "whole number", `{"size":null,` + sum + `}`: "whole number",
		`{"size":18446744073709551617,` + sum + `}`:                                     "whole number",
		`{"size":1,"sha256":null}`:                                                      "64 hexadecimal digits",
		`{"size":1,"sha256":"` + emptySum[1:] + `"}`:                                    "64 hexadecimal digits",
		`{"size":1,"sha256":"` + emptySum + `00"}`:                                      "64 hexadecimal digits",
		`{"size":1,"sha256":"g` + emptySum[1:] + `"}`:                                   "64 hexadecimal digits",
		`{"size":1,` + sum + `,"content_type":"zip"}`:                                   "media type",
		`{"size":1,` + sum + `,"content_type":""}`:                                      "media type",
		`{"size":1,` + sum + `,"content_type":null}`:                                    "media type",
		`{"size":1,` + sum + `,"content_type":" text/plain"}`:                           "media type",
		`{"size":1,` + sum + `,"content_type":"text/plain\r\nX: 1"}`:                    "media type",
		`{"size":1,` + sum + `,"content_type":"text/é"}`:                                "media type",
		`{"size":1,` + sum + `,"content_type":"text/` + strings.Repeat("x", 251) + `"}`: "255",
		`{"size":1,` + sum + `,"file_name":""}`:                                         "plain name",
		`{"size":1,` + sum + `,"file_name":null}`:                                       "plain name",
		`{"size":1,` + sum + `,"file_name":".."}`:                                       "plain name",
		`{"size":1,` + sum + `,"file_name":"a/b"}`:                                      "plain name",
		`{"size":1,` + sum + `,"file_name":"a\\b"}`:                                     "plain name",
		`{"size":1,` + sum + `,"file_name":"a\nb"}`:                                     "plain name",
		`{"size":1,` + sum + `,"file_name":"a\u202egpj"}`:                               "plain name",
		`{"size":1,` + sum + `,"file_name":"` + strings.Repeat("é", 128) + `"}`:         "255",
		`{"size":1,` + sum + `,"idx":40000}`:                                            "idx",
		`{"size":1,` + sum + `,"committed":1}`:                                          "true or false",
		`{"size":1,` + sum + `,"version":-1}`:                                           "0 to 32767",
		`{"size":1,` + sum + `,"if_absent":"yes"}`:                                      "true or false",
		`{"size":1,` + sum + `,"if_absent":true,"version":1}`:                           "exclude each other",
		`{"size":1,` + sum + `,"read_caps":"x"}`:                                        "list of capabilities",
	} {
		*got = artifact.New{}
		r.refused(t, "POST", "/artifact/key/a", body, "INVALID_BODY", says)
		if got.File != (artifact.File{}) {
			t.Errorf("%s reached the store", body)
		}
	}
	for _, target := range []string{"?after=-1", "?after=10001", "?after=x", "?limit=0", "?limit=1001"} {
		r.refused(t, "GET", "/artifact/upload/"+strings.Repeat("0", 32)+target, "", "INVALID_PARAMETER", target[1:6])
	}
	for _, id := range []string{"x", strings.Repeat("0", 31), strings.Repeat("A", 32), "..", "%2E%2E", strings.Repeat("0", 32) + "%2F"} {
		r.want(t, "GET", "/artifact/upload/"+id, "", 404, "")
		r.want(t, "DELETE", "/artifact/upload/"+id, "", 404, "")
		r.want(t, "POST", "/artifact/upload/"+id+"/complete", "", 404, "")
	}
}

func TestConditionNeedsTheRightToRead(t *testing.T) {
	t.Parallel()
	r, got := newAnnounced(artifact.Page{})
	caller := member()
	caller.Capabilities = access.Set{access.KVStoreWrite}
	const body = `{"size":1,"sha256":"` + emptySum + `"`
	if resp := r.as(caller).ask(t, "POST", "/artifact/key/a", body+`,"if_absent":false}`); resp.StatusCode != 201 {
		t.Errorf("got %d %s, want 201", resp.StatusCode, resp.Body)
	}
	for _, condition := range []string{`,"version":0}`, `,"if_absent":true}`} {
		*got = artifact.New{}
		r.as(caller).want(t, "POST", "/artifact/key/a", body+condition, 403, "")
		if got.File.Size != 0 {
			t.Errorf("%s reached the store", condition)
		}
		if resp := r.ask(t, "POST", "/artifact/key/a", body+condition); resp.StatusCode != 201 {
			t.Errorf("%s: got %d %s, want 201", condition, resp.StatusCode, resp.Body)
		}
	}
}

func TestLongestPageOfPartsFitsIntoAnAnswer(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_900_000_000, 0)
	// With the token of a session, as a role has it, a URL has about 2 KB.
	put := &artifact.Put{URL: "https://example.com/" + strings.Repeat("x", 2500), Headers: map[string]string{"Content-Length": "67108864"}, ExpiresAt: at}
	page := artifact.Page{Next: artifact.MaxPage}
	for i := range artifact.MaxPage {
		page.Parts = append(page.Parts, artifact.Part{Number: i + 1, Size: 1 << 26, Put: put})
	}
	r, _ := newAnnounced(page)
	resp := r.ask(t, "POST", "/artifact/key/"+strings.Repeat("%01", kv.MaxKeyBytes), `{"size":1,"sha256":"`+emptySum+`"}`)
	event, err := json.Marshal(resp)
	if err != nil || resp.StatusCode != 201 || len(event) > maxEvent {
		t.Errorf("got %d in %d bytes, %v; want 201 in at most %d", resp.StatusCode, len(event), err, maxEvent)
	}
	const upload = "http://api.example.com/live/api/v1/github/kv/1/artifact/upload/00000000000000000000000000000000"
	for name, want := range map[string]string{"Location": upload, "Link": "<" + upload + `?after=1000>; rel="next"`} {
		if got := resp.MultiValueHeaders[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
