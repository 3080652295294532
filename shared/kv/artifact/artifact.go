// Package artifact carries files of any size through the key-value store. A
// file goes straight from the client to the bucket and back, by presigned URLs;
// what the store keeps is an ordinary record whose value describes the file.
//
// Its invariants: a record of a file stands only for bytes of which length and
// SHA-256 were verified, never for what a client claimed; an upload becomes a
// record once, however often it is completed; and its size counts against the
// installation's quota, from before the first address at which its bytes may be
// sent until the last one has ended for an hour and its object is gone. So what is
// counted is never less than what is stored, but for a transfer that somebody
// stretches beyond that hour: S3 ends none for being slow.
package artifact

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// Limits of artifacts.
const (
	// MaxSize is the largest file, in bytes: S3's limit of an object.
	MaxSize int64 = 5 << 40
	// SinglePutMax is the largest file that is sent in one piece, in bytes.
	SinglePutMax int64 = 100 << 20
	// MinPartSize is the size of the parts of larger files, in bytes, unless
	// they would be more than MaxParts, which is S3's limit.
	MinPartSize int64 = 64 << 20
	MaxParts          = 10_000
	// MaxPage is how many parts one page lists.
	MaxPage = 1000
	// UploadLifetime is how long an upload may take from its creation to its
	// completion.
	UploadLifetime = 24 * time.Hour
	// PutLifetime and DownloadLifetime are how long presigned URLs work. A
	// transfer that has begun may take longer.
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
	// Name is what a download is saved as; may be empty.
	Name string
}

// New is what an upload is to become.
type New struct {
	// Key and Idx name the row.
	Key string
	Idx int
	// Committed is false for a draft.
	Committed bool
	// ReadCaps and WriteCaps replace those of the row; nil clears them.
	ReadCaps, WriteCaps *access.Set
	// File is what will be sent.
	File File
	// Absent and Version are the condition on the row, checked when the upload
	// is completed; and when it is created, to spare a hopeless one.
	Absent  bool
	Version *int
}

// State is how far an upload has come.
type State string

// The states that callers see.
const (
	// Pending waits for bytes, or for its completion.
	Pending State = "pending"
	// Verifying has all its bytes; their SHA-256 is being computed.
	Verifying State = "verifying"
	// Done has become a record.
	Done State = "done"
	// Aborted was given up by a caller, Refused because of what arrived, Expired
	// because nobody completed it in time. Such an upload can no longer be completed.
	// It is listed for as long as its size counts.
	Aborted State = "aborted"
	Refused State = "refused"
	Expired State = "expired"
)

// Upload is a file on its way.
type Upload struct {
	// ID names the upload, and is the id of its object.
	ID string
	// Key and Idx name the row that it becomes.
	Key string
	Idx int
	// Committed is false for a draft.
	Committed bool
	// File is what is sent.
	File File
	// State is how far it has come.
	State State
	// PartSize is the size of every part but the last, in bytes, and PartCount
	// their number; both 0 if the file is sent in one piece.
	PartSize  int64
	PartCount int
	// Verified is how many bytes have been hashed, while Verifying.
	Verified int64
	// CreatedBy is the principal that announced it; empty for one that was
	// announced by a version of this server that did not remember it.
	CreatedBy string
	// CreatedAt and ExpiresAt bound the time in which it can be completed. Of an
	// upload that is over, ExpiresAt is the time from which no address takes its
	// bytes.
	CreatedAt, ExpiresAt time.Time
	// Record is the record that it became, without data; nil before.
	Record *kv.Record
}

// Put is a request by which a client sends bytes: PUT on URL with exactly
// these headers beside Content-Length.
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
	// Arrived reports that the bucket has it.
	Arrived bool
	// Put is how to send it; nil once it has arrived.
	Put *Put
}

// Page is what is left to send.
type Page struct {
	// Put sends the file in one piece; nil for one that is sent in parts.
	Put *Put
	// Parts are the parts of this page, also those that have arrived.
	Parts []Part
	// Next is the part number behind which the next page begins; 0 at the end.
	Next int
}

// Download is where a file can be had.
type Download struct {
	// Record is the artifact's record, with its description as data.
	Record kv.Record
	// File is what its description says.
	File File
	// ETag is S3's, in quotes.
	ETag string
	// URL works until ExpiresAt for any number of requests with GET, also for
	// ranges.
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

// description is a file as the value of its record.
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

// partSize is the size of a file's parts; 0 for a file that is sent whole.
func partSize(size int64) int64 {
	if size <= SinglePutMax {
		return 0
	}
	const step = 1 << 20
	least := (size + MaxParts - 1) / MaxParts
	return max(MinPartSize, (least+step-1)/step*step)
}

// partCount is how many parts of a size make up a file.
func partCount(size, part int64) int {
	if part == 0 {
		return 0
	}
	return int((size + part - 1) / part)
}
