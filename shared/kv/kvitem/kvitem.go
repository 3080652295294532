// Package kvitem has the names of the attributes of the items in KvTable, and says
// what the audit trail shows of them. It links no client, so that the auditor needs
// none for S3. docs/data-model.md describes the items.
package kvitem

import (
	"strings"

	"github.com/opsplane/opsplane/shared/kv/overlay"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Attributes of rows. The names are short, because they add to the cost of every
// write.
const (
	Version    = "vr"
	Revision   = "rv" // never decreases within a generation
	Committed  = "cm"
	ReadCaps   = "rc" // a JSON list; absent: no restriction
	WriteCaps  = "wc" // as ReadCaps
	Size       = "sz"
	Weight     = "wt" // bytes of the value inside a JSON string
	WrittenAt  = "wa" // Unix milliseconds
	Stamp      = "st" // the request of the last write
	Value      = "vd" // the value, if it is small; for an artifact, its description
	Object     = "vo" // the object of a large value, or of a file
	ObjectHash = "vh" // of the object of a large value
	ETag       = "ae" // the ETag that S3 gave a file
	KeyName    = "kn" // the key of a row, or of an upload
	Discarded  = "wk" // of the remains of a row: the request whose write was lost with its key
)

// Attributes of heads, besides those of rows.
const (
	Generation   = "gn"
	Publication  = "pv" // counts commits
	PublishStamp = "ps" // the request of the last commit or delete
	Overlay      = "ov"
	More         = "mr" // whether rows other than idx 0 may exist
	Guarded      = "gd" // whether one of those rows may have write capabilities
)

// Attributes of uploads, besides Committed and KeyName.
const (
	UploadState = "us"
	UploadIdx   = "ix"
	FileSize    = "fs"
	FileHash    = "fh" // SHA-256
	CreatedBy   = "cb"
)

// States of uploads that the audit trail shows. Package artifact explains them.
const (
	UploadPending = "pending"
	UploadDone    = "done"
	UploadAborted = "aborted"
	UploadRefused = "refused"
	UploadExpired = "expired"
)

// UploadPrefix begins the partition key of an upload. The installation follows.
const UploadPrefix = "UPLOAD:"

// headPrefix begins the sort key of a head. The key follows.
const headPrefix = "k"

// installation returns the installation of a partition key, and what follows it:
// nothing in the partition of heads, ":" and a generation in that of rows.
func installation(pk string) (in vcs.Installation, rest string, ok bool) {
	system, rest, ok := strings.Cut(pk, ":")
	id, _, _ := strings.Cut(rest, ":")
	in = vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}
	return in, rest[len(id):], ok && in.VCS.Valid()
}

// idx returns the idx of a row's sort key: two bytes, sorted as idx is.
func idx(sk string) (int, bool) {
	if len(sk) != 2 {
		return 0, false
	}
	return (int(sk[0])<<8 | int(sk[1])) + overlay.MinIdx, true
}
