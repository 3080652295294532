package artifact

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// upload is the item of an upload. docs/data-model.md lists the attributes.
type upload struct {
	id        string // sk, and the id of the object
	state     State  // us
	new       New
	file      File
	multipart string    // mu: the id that S3 gave the parts
	partSize  int64     // pz
	created   time.Time // ca, Unix milliseconds
	expires   time.Time // ex, Unix seconds
	hash      []byte    // hs: the state of the SHA-256, set when all bytes are there
	offset    int64     // ho: how many bytes hs covers
	version   int       // dv: the version of the row that the upload became
	written   time.Time // da: when that row was written, Unix milliseconds
	by        string    // cb: the principal that announced the upload

	// These describe the row that the upload became, unless the row is idx 0: its
	// generation (gn), and, while the upload is done, the request that wrote the
	// row and the source of that request (ch_req, ch_src).
	generation, request, source string
}

// keep is how long the item of an upload stays after the upload has stopped
// counting.
const keep = 7 * 24 * time.Hour

func newUpload(n New, author change.Author) upload {
	return upload{
		id: kv.NewObjectID(), state: Pending, new: n, file: n.File, partSize: partSize(n.File.Size),
		created: author.At, expires: author.At.Add(UploadLifetime), by: author.Principal,
	}
}

func (n New) condition() kv.Condition { return kv.Condition{Absent: n.Absent, Version: n.Version} }

func uploadKey(ns vcs.Installation, id string) attr.Item {
	return attr.Item{"pk": attr.String(kvitem.UploadPrefix + kv.Stored(ns)), "sk": attr.Bytes([]byte(id))}
}

func (u upload) item(ns vcs.Installation) (attr.Item, error) {
	it := uploadKey(ns, u.id)
	it[kvitem.UploadState], it[kvitem.KeyName], it[kvitem.UploadIdx] = attr.String(string(u.state)), attr.Bytes([]byte(u.new.Key)), attr.Int(int64(u.new.Idx))
	it[kvitem.Committed], it["ab"] = attr.Bool(u.new.Committed), attr.Bool(u.new.Absent)
	it[kvitem.FileSize], it[kvitem.FileHash], it["ft"] = attr.Int(u.file.Size), attr.String(u.file.SHA256), attr.String(u.file.ContentType)
	it["pz"], it["ca"], it["ex"] = attr.Int(u.partSize), attr.Int(u.created.UnixMilli()), attr.Time(u.expires)
	it[kvitem.CreatedBy], it["uw"], it["ux"] = attr.String(u.by), attr.String(kv.Stored(ns)), attr.String(u.place())
	if u.new.Version != nil {
		it["cv"] = attr.Int(int64(*u.new.Version))
	}
	for name, text := range map[string]string{"fn": u.file.Name, "mu": u.multipart} {
		if text != "" {
			it[name] = attr.String(text)
		}
	}
	for name, caps := range map[string]*access.Set{kvitem.ReadCaps: u.new.ReadCaps, kvitem.WriteCaps: u.new.WriteCaps} {
		if caps == nil {
			continue
		}
		text, err := json.Marshal(append(access.Set{}, *caps...))
		if err != nil {
			return nil, fmt.Errorf("encode row capabilities: %w", err)
		}
		it[name] = attr.String(string(text))
	}
	return it, nil
}

func decodeUpload(it attr.Item) (upload, error) {
	r := attr.Read(it)
	u := upload{
		id: string(r.Bytes("sk")), state: State(r.String(kvitem.UploadState)), multipart: r.String("mu"), partSize: r.Int("pz"),
		file:    File{r.Int(kvitem.FileSize), r.String(kvitem.FileHash), r.String("ft"), r.String("fn")},
		created: time.UnixMilli(r.Int("ca")).UTC(), expires: r.Time("ex"),
		hash: r.Bytes("hs"), offset: r.Int("ho"), version: int(r.Int("dv")), written: time.UnixMilli(r.Int("da")).UTC(),
		by: r.String(kvitem.CreatedBy), generation: r.String(kvitem.Generation), request: r.String(change.AttrRequest), source: r.String(change.AttrSource),
	}
	u.new = New{Key: string(r.Bytes(kvitem.KeyName)), Idx: int(r.Int(kvitem.UploadIdx)), Committed: r.Bool(kvitem.Committed), File: u.file, Absent: r.Bool("ab")}
	if r.Has("cv") {
		v := int(r.Int("cv"))
		u.new.Version = &v
	}
	for name, caps := range map[string]**access.Set{kvitem.ReadCaps: &u.new.ReadCaps, kvitem.WriteCaps: &u.new.WriteCaps} {
		if !r.Has(name) {
			continue
		}
		*caps = &access.Set{}
		if err := json.Unmarshal([]byte(r.String(name)), *caps); err != nil {
			// Only the message is kept: a fault among the causes would become the
			// response.
			return upload{}, fmt.Errorf("decode row capabilities: %v", err)
		}
	}
	if err := r.Err(); err != nil {
		return upload{}, fmt.Errorf("decode upload: %w", err)
	}
	return u, nil
}

// show returns the upload as callers see it.
func (u upload) show() Upload {
	if u.id == "" {
		return Upload{}
	}
	shown := Upload{
		ID: u.id, Key: u.new.Key, Idx: u.new.Idx, Committed: u.new.Committed, File: u.file, State: u.state,
		PartSize: u.partSize, PartCount: partCount(u.file.Size, u.partSize), CreatedAt: u.created, ExpiresAt: u.expires,
		CreatedBy: u.by,
	}
	switch {
	case u.state == Done:
		shown.Record = &kv.Record{
			Key: u.new.Key, Idx: u.new.Idx, Version: u.version, Committed: u.new.Committed,
			ReadCaps: u.new.ReadCaps, WriteCaps: u.new.WriteCaps, CreatedAt: u.written,
		}
		if value, err := u.file.describe(); err == nil {
			shown.Record.Size = value.Size
		}
	case u.state == Pending && (u.hash != nil || u.offset > 0): // in the list only the offset is set
		shown.State, shown.Verified = Verifying, u.offset
	}
	return shown
}
