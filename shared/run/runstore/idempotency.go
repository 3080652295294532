package runstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// keepKeys is how long an idempotency key is remembered.
const keepKeys = 24 * time.Hour

// Idempotency makes a request safe to repeat: a second request with the same key
// within 24 hours gets the run of the first one.
type Idempotency struct {
	// Principal is who sends the request. The keys of two principals never meet.
	Principal string
	// Key is what the client chose. It may be of any length.
	Key string
	// Request is the SHA-256 of what the request asks for.
	Request [sha256.Size]byte
}

func (i Idempotency) given() bool { return i.Key != "" }

func (i Idempotency) key() attr.Item {
	hash := sha256.Sum256([]byte(i.Key))
	return in(attr.Item{"pk": attr.String("IDEM#" + i.Principal)}, hex.EncodeToString(hash[:]))
}

// remember returns the write that stores a key, if no live one is stored, or only one of
// the run removed. removed may be empty.
func (s Store) remember(i Idempotency, id, removed run.ID, now time.Time) table.Write {
	item := i.key()
	item[attrID], item["request"], item[attrTTL] = attr.String(string(id)), attr.Bytes(i.Request[:]), attr.Time(now.Add(keepKeys))
	return s.table().WritePut(item, table.Any(
		table.Absent("pk"), table.AtMost(attrTTL, attr.Time(now)), table.Equal(attrID, attr.String(string(removed))),
	))
}

// Earlier returns the run of an earlier request with the same key, and reports
// whether there is one. It returns an Unprocessable fault if that request
// asked for something else. Create does the same: call Earlier first if something is
// checked that may have changed since the first request. A key whose run was removed
// counts as new.
func (s Store) Earlier(ctx context.Context, i Idempotency, now time.Time) (Created, bool, error) {
	found, there, _, err := s.earlier(ctx, i, now)
	return found, there, err
}

// earlier does what Earlier says. It also returns the run of the key if that was removed.
func (s Store) earlier(ctx context.Context, i Idempotency, now time.Time) (found Created, there bool, removed run.ID, err error) {
	if !i.given() {
		return Created{}, false, "", nil
	}
	item, err := s.table().Get(ctx, i.key())
	if err != nil {
		return Created{}, false, "", fmt.Errorf("read idempotency key: %w", err)
	}
	r := attr.Read(item)
	id, request, ends := run.ID(r.String(attrID)), r.Bytes("request"), r.Time(attrTTL)
	if err := r.Err(); err != nil {
		return Created{}, false, "", fmt.Errorf("decode idempotency key: %w", err)
	}
	if item == nil || !ends.After(now) {
		return Created{}, false, "", nil
	}
	if !bytes.Equal(request, i.Request[:]) {
		return Created{}, false, "", fault.Unprocessablef("IDEMPOTENCY_KEY_REUSED",
			"another request of the last 24 hours had this idempotency key and asked for something else: send a new key with each new request")
	}
	of, err := s.Get(ctx, id)
	if gone(err) {
		return Created{}, false, id, nil
	}
	return Created{Run: of, Existing: true}, err == nil, "", err
}
