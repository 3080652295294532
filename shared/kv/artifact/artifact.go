// Package artifact stores files of any size in the key-value store. Presigned URLs
// carry a file directly between the client and the bucket. The store keeps an
// ordinary record, and its value describes the file.
//
// The invariants: A record of a file exists only for bytes whose length and SHA-256
// were verified; a client's claim is never enough. An upload becomes a record once,
// however often it is completed. The size of an upload counts against the
// installation's quota: it counts before the first URL exists to which its bytes
// may be sent, and until the last of these URLs has expired for an hour and the
// object is gone. So the counted bytes are never fewer than the stored bytes. There
// is one exception: a transfer that a client stretches beyond that hour, because S3
// does not end a slow transfer.
package artifact

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
)

// Limits of artifacts.
const (
	// MaxSize is the largest file, in bytes. It is S3's limit for an object.
	MaxSize int64 = 5 << 40
	// SinglePutMax is the largest file that is sent in one request, in bytes.
	SinglePutMax int64 = 100 << 20
	// MinPartSize is the size of the parts of larger files, in bytes. The parts are
	// larger if there would be more than MaxParts, which is S3's limit.
	MinPartSize int64 = 64 << 20
	MaxParts          = 10_000
	// MaxPage is the maximum number of parts on one page.
	MaxPage = 1000
	// UploadLifetime is the maximum time from the creation of an upload to its
	// completion.
	UploadLifetime = 24 * time.Hour
	// PutLifetime and DownloadLifetime say how long presigned URLs work. A transfer
	// that has begun may take longer.
	PutLifetime      = time.Hour
	DownloadLifetime = 5 * time.Minute
)

// File describes a file.
type File struct {
	// Size is in bytes, 0 to MaxSize.
	Size int64
	// SHA256 is the hash of the whole file: 64 lower-case hexadecimal digits.
	SHA256 string
	// ContentType is its media type.
	ContentType string
	// Name is the file name under which a download is saved. It may be empty.
	Name string
}

// New says what an upload shall become.
type New struct {
	// Key and Idx name the row.
	Key string
	Idx int
	// Committed is false for a draft.
	Committed bool
	// ReadCaps and WriteCaps replace those of the row. nil removes them.
	ReadCaps, WriteCaps *access.Set
	// File describes the file that will be sent.
	File File
	// Absent and Version are the condition on the row. It is checked when the
	// upload is completed. It is also checked when the upload is created, to refuse
	// one that cannot succeed.
	Absent  bool
	Version *int
}

// State is the state of an upload.
type State string

// The states that callers see.
const (
	// Pending means that bytes or the completion are missing.
	Pending State = kvitem.UploadPending
	// Verifying means that all bytes are there and their SHA-256 is being computed.
	Verifying State = "verifying"
	// Done means that the upload has become a record.
	Done State = kvitem.UploadDone
	// Aborted means that a caller gave the upload up. Refused means that the
	// received bytes were wrong. Expired means that nobody completed the upload in
	// time. An upload in one of these states can no longer be completed. It is
	// listed as long as its size counts.
	Aborted State = kvitem.UploadAborted
	Refused State = kvitem.UploadRefused
	Expired State = kvitem.UploadExpired
)

// Upload is an announced file.
type Upload struct {
	// ID names the upload, and is the id of its object.
	ID string
	// Key and Idx name the row that the upload becomes.
	Key string
	Idx int
	// Committed is false for a draft.
	Committed bool
	// File describes the file that is sent.
	File File
	// State is the present state.
	State State
	// PartSize is the size of every part but the last, in bytes. PartCount is the
	// number of parts. Both are 0 if the file is sent in one request.
	PartSize  int64
	PartCount int
	// Verified is how many bytes have been hashed, in state Verifying.
	Verified int64
	// CreatedBy is the principal that announced the upload. It is empty if an
	// earlier version of this server, which did not store the principal, announced
	// the upload.
	CreatedBy string
	// CreatedAt and ExpiresAt limit the time in which the upload can be completed.
	// If the upload is over, ExpiresAt is the time from which no URL accepts its
	// bytes.
	CreatedAt, ExpiresAt time.Time
	// Record is the record that the upload became, without data; nil before.
	Record *kv.Record
}

// Put is a request with which a client sends bytes: PUT to URL, with exactly these
// headers and Content-Length.
type Put struct {
	URL       string
	Headers   map[string]string
	ExpiresAt time.Time
}

// Part is one part of a file.
type Part struct {
	// Number counts from 1.
	Number int
	// Offset and Size say which bytes of the file it holds.
	Offset, Size int64
	// Arrived reports whether the bucket has the part.
	Arrived bool
	// Put is the request that sends the part; nil if the part has arrived.
	Put *Put
}

// Page says what a client still has to send.
type Page struct {
	// Put sends the file in one request; nil if the file is sent in parts.
	Put *Put
	// Parts are the parts of this page, including those that have arrived.
	Parts []Part
	// Next is the part number after which the next page begins; 0 at the end.
	Next int
}

// Download says where a file can be downloaded.
type Download struct {
	// Record is the artifact's record, with its description as data.
	Record kv.Record
	// File is what the description says.
	File File
	// ETag is the ETag that S3 gave the object, in quotes.
	ETag string
	// URL works until ExpiresAt, for any number of GET requests, also for ranges.
	URL       string
	ExpiresAt time.Time
}

// check refuses a description that no file can have.
func (f File) check() error {
	switch {
	case f.Size < 0 || f.Size > MaxSize:
		return fault.Invalidf("INVALID_SIZE", "size must be from 0 to %d bytes", MaxSize)
	case !hexDigits(f.SHA256, 64):
		return fault.Invalidf("INVALID_SHA256", "sha256 must be 64 lower-case hexadecimal digits")
	}
	return nil
}

// hexDigits reports whether text is n lower-case hexadecimal digits.
func hexDigits(text string, n int) bool {
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(text) == n
}

// description is the value of a file's record.
type description struct {
	ContentType string `json:"content_type"`
	Name        string `json:"file_name,omitempty"`
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
}

func (f File) describe() (canonical.Value, error) {
	text, err := json.Marshal(description{f.ContentType, f.Name, f.SHA256, f.Size})
	if err != nil {
		return canonical.Value{}, fmt.Errorf("describe file: %w", err)
	}
	return canonical.Parse(text)
}

func parseFile(text []byte) (File, error) {
	var d description
	if err := json.Unmarshal(text, &d); err != nil {
		return File{}, fmt.Errorf("read description: %w", err)
	}
	return File{d.Size, d.SHA256, d.ContentType, d.Name}, nil
}

// partSize returns the size of a file's parts, in bytes; 0 if the file is sent in
// one request.
func partSize(size int64) int64 {
	if size <= SinglePutMax {
		return 0
	}
	const step = 1 << 20
	least := (size + MaxParts - 1) / MaxParts
	return max(MinPartSize, (least+step-1)/step*step)
}

// partCount returns the number of parts of a file.
func partCount(size, part int64) int {
	if part == 0 {
		return 0
	}
	return int((size + part - 1) / part)
}
