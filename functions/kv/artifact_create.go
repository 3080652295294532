package main

import (
	"context"
	"encoding/hex"
	"mime"
	"net/http"
	"strings"
	"unicode"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// creating announces a file and names the row that it shall become.
type creating struct {
	upload  artifact.New
	address string // of the API
}

func decodeCreate(r *http.Request) (creating, error) {
	key, err := decodeKey(r)
	if err != nil {
		return creating{}, err
	}
	return readCreating(key, httpapi.NewBody(r), httpapi.Address(asSent(r)))
}

func readCreating(key string, b *httpapi.Body, address string) (creating, error) {
	n := artifact.New{
		Key: key, Idx: orZero(b.OptionalInt("idx", kv.MinIdx, kv.MaxIdx)), Committed: b.Bool("committed", true),
		ReadCaps: b.CapabilitySet("read_caps"), WriteCaps: b.CapabilitySet("write_caps"), File: readFile(b),
		Absent: b.Bool("if_absent", false), Version: b.OptionalInt("version", 0, kv.MaxVersion),
	}
	if n.Absent && n.Version != nil {
		b.Fail("if_absent", `and "version" exclude each other; send one of them`)
	}
	return creating{n, address}, b.Err()
}

// Limits of a file's description, in bytes.
const (
	maxContentType = 255
	maxFileName    = 255
)

// anyContent is the content type of a file if the request does not state one.
const anyContent = "application/octet-stream"

// readFile reads the members that describe a file.
func readFile(b *httpapi.Body) artifact.File {
	b.Require("size", httpapi.MustBeInt(0, int(artifact.MaxSize)))
	b.Require("sha256", mustBeSHA256)
	f := artifact.File{
		SHA256: strings.ToLower(b.ValidString("sha256", "", isSHA256, mustBeSHA256)),
		ContentType: b.ValidString("content_type", anyContent, isContentType,
			"must be a media type, such as application/zip, of at most 255 printable ASCII characters"),
		Name: b.ValidString("file_name", "", isFileName,
			"must be the plain name of a file: 1 to 255 bytes, without slashes and characters that cannot be printed"),
	}
	if size := b.OptionalInt("size", 0, int(artifact.MaxSize)); size != nil {
		f.Size = int64(*size)
	}
	return f
}

const mustBeSHA256 = "must be the file's SHA-256: 64 hexadecimal digits"

func isSHA256(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == 32
}

func isContentType(text string) bool {
	media, _, err := mime.ParseMediaType(text)
	unprintable := func(c rune) bool { return c < ' ' || c > '~' }
	return err == nil && strings.Contains(media, "/") && len(text) <= maxContentType &&
		strings.TrimSpace(text) == text && !strings.ContainsFunc(text, unprintable)
}

func isFileName(text string) bool {
	odd := func(c rune) bool { return c == '/' || c == '\\' || !unicode.IsPrint(c) }
	return text != "" && text != "." && text != ".." && len(text) <= maxFileName && !strings.ContainsFunc(text, odd)
}

// create returns the new upload with the first requests to send. The result of a
// condition shows what the row holds. So a condition also needs the right to read.
func (a artifacts) create(ctx context.Context, call httpapi.Call, c creating) (created, error) {
	caps := call.Caller.Capabilities
	if (c.upload.Absent || c.upload.Version != nil) && !caps.Has(access.KVStoreRead) {
		return created{}, access.Refuse(access.StepCapability, "the credential lacks %s, which a condition needs", access.KVStoreRead.Name)
	}
	u, page, err := a.store.Create(ctx, caller(call), c.upload)
	return created{showUpload(u, page, linksOf(c.address, call, ""))}, err
}

// created is the response with a new upload.
type created struct{ upload }

// Status implements httpapi.Statuser.
func (created) Status() int { return http.StatusCreated }

// SetHeaders implements httpapi.Headerer.
func (c created) SetHeaders(h http.Header) {
	h.Set("Location", c.self)
	c.upload.SetHeaders(h)
}

var (
	_ httpapi.Statuser = created{}
	_ httpapi.Headerer = created{}
)
