package main

import (
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// upload is an upload on the wire. Put says what to send if the file is sent in one
// request. Parts says what to send if it is sent in parts.
type upload struct {
	ID          string         `json:"id"`
	State       artifact.State `json:"state"`
	Key         string         `json:"key"`
	Idx         int            `json:"idx"`
	Committed   bool           `json:"committed"`
	Size        int64          `json:"size"`
	SHA256      string         `json:"sha256"`
	ContentType string         `json:"content_type"`
	FileName    string         `json:"file_name,omitempty"`
	CreatedAt   string         `json:"created_at"`
	CreatedBy   string         `json:"created_by,omitempty"`
	ExpiresAt   string         `json:"expires_at"`
	Verified    *int64         `json:"verified,omitempty"`
	Put         *put           `json:"put,omitempty"`
	PartSize    int64          `json:"part_size,omitempty"`
	PartCount   int            `json:"part_count,omitempty"`
	Parts       []part         `json:"parts,omitempty"`
	Record      *record        `json:"record,omitempty"`

	self, next string // the URL of the upload, and the URL of the next page of parts
}

// SetHeaders implements httpapi.Headerer.
func (u upload) SetHeaders(h http.Header) {
	setNext(h, u.next)
}

var _ httpapi.Headerer = upload{}

// put is one request to storage, with all headers that it must have.
type put struct {
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt string            `json:"expires_at"`
}

// part is one part of the file. Put is set until the part has arrived.
type part struct {
	Number  int   `json:"number"`
	Offset  int64 `json:"offset"`
	Size    int64 `json:"size"`
	Arrived bool  `json:"arrived"`
	Put     *put  `json:"put,omitempty"`
}

func showUpload(u artifact.Upload, page artifact.Page, l links) upload {
	shown := upload{
		ID: u.ID, State: u.State, Key: u.Key, Idx: u.Idx, Committed: u.Committed,
		Size: u.File.Size, SHA256: u.File.SHA256, ContentType: u.File.ContentType, FileName: u.File.Name,
		CreatedAt: timestamp.Format(u.CreatedAt), CreatedBy: u.CreatedBy, ExpiresAt: timestamp.Format(u.ExpiresAt),
		Put: showPut(page.Put), PartSize: u.PartSize, PartCount: u.PartCount, self: l.to(u.ID),
	}
	if u.State == artifact.Verifying {
		shown.Verified = &u.Verified
	}
	for _, p := range page.Parts {
		shown.Parts = append(shown.Parts, part{p.Number, p.Offset, p.Size, p.Arrived, showPut(p.Put)})
	}
	if page.Next > 0 {
		shown.next = shown.self + "?after=" + strconv.Itoa(page.Next) + l.more
	}
	if u.Record != nil {
		rec := show(*u.Record)
		rec.Data = nil // as in the response to any write
		shown.Record = &rec
	}
	return shown
}

func showPut(p *artifact.Put) *put {
	if p == nil {
		return nil
	}
	return &put{http.MethodPut, p.URL, p.Headers, timestamp.Format(p.ExpiresAt)}
}

// setNext sets the header Link to the URL of the next page. An empty URL means that
// there is none.
func setNext(h http.Header, next string) {
	if next != "" {
		h.Set("Link", "<"+next+`>; rel="next"`)
	}
}

// links makes the URLs of uploads for one caller.
type links struct {
	uploads string // the part of the URL before an upload's id
	more    string // parameters to repeat, each with its &
}

// linksOf returns the links of the call's installation. The API has this address.
func linksOf(address string, call httpapi.Call, more string) links {
	of := call.Installation
	return links{address + "/api/v1/" + string(of.VCS) + "/kv/" + string(of.ID) + "/artifact/upload/", more}
}

func (l links) to(id string) string { return l.uploads + id }
