// Package planstore keeps the plans that runs make, from plan to apply. A plan can
// hold secrets. So its bytes are in an object that only the function of runners may
// read, and the only read is for a running apply, of the plans that were chosen when
// the apply was created. Its invariants:
//
//   - The plan's item decides: it names the object. An object that no item names
//     counts for nothing, and expires.
//   - The name of an object has the SHA-256 of its bytes. So no object changes, also
//     not one that a runner uploads itself, with a presigned URL.
//   - A plan changes only while its run is queued or running.
//   - An apply reads the plans that it was created with, and no others. It may read
//     them again, because a response can be lost.
package planstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Store keeps plans in RunsTable and RunsBucket.
type Store struct {
	DB      *dynamodb.Client
	Objects *s3.Client
	// Table and Bucket are the physical names.
	Table, Bucket string
	// Keep is how long a plan is kept after it was stored, in whole seconds.
	Keep time.Duration
}

// Plan is what is known about a stored plan. It holds no part of the plan.
type Plan struct {
	Dirspace run.Dirspace
	// HasChanges says that applying the plan changes something.
	HasChanges bool
	Content
	// Uploaded says that the runner has sent the bytes to the bucket itself. They may
	// be too many for a response.
	Uploaded bool
	// StoredAt is when the plan was stored. ExpiresAt is when it is removed.
	StoredAt, ExpiresAt time.Time
}

// Content describes the bytes of a plan.
type Content struct {
	// Size is the number of bytes.
	Size int64
	// Digest is the SHA-256 of the bytes, in lower-case hexadecimal digits.
	Digest string
}

// ErrInactive refuses a plan of a run that is neither queued nor running.
var ErrInactive = errors.New("the run is neither queued nor running")

// Prefix is the beginning of the names of all objects of plans.
const Prefix = "plans/"

// The attributes of a plan's item.
const (
	attrDir       = "dir"
	attrWorkspace = "workspace"
	attrChanges   = "has_changes"
	attrSize      = "size"
	attrDigest    = "digest"
	attrStored    = "stored_at"
	attrUploaded  = "uploaded"
	attrTTL       = "ttl"
)

// sortPrefix is the beginning of the sort keys of plans in their run's partition.
const sortPrefix = "PLAN#"

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// key returns the key of a plan. A directory and a workspace may be longer than a
// sort key, so it holds their digest.
func key(id run.ID, d run.Dirspace) attr.Item {
	k := runstore.Key(id)
	k["sk"] = attr.String(sortPrefix + dirspaceDigest(d))
	return k
}

func dirspaceDigest(d run.Dirspace) string { return digestOf([]byte(d.Dir + "\x00" + d.Workspace)) }

// object returns the name of the object with some bytes. Each content has a name of
// its own: a repeated upload writes the same object, and a plan that replaces
// another does not change bytes that somebody is reading.
func object(id run.ID, d run.Dirspace, digest string) string {
	return fmt.Sprintf("%s%s/%s/%s", Prefix, id, dirspaceDigest(d)[:32], digest)
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// decode reads a plan's item.
func decode(item attr.Item) (Plan, error) {
	r := attr.Read(item)
	p := Plan{
		Dirspace:   run.Dirspace{Dir: r.String(attrDir), Workspace: r.String(attrWorkspace)},
		HasChanges: r.Bool(attrChanges), Content: Content{Size: r.Int(attrSize), Digest: r.String(attrDigest)}, Uploaded: r.Bool(attrUploaded),
		StoredAt: r.Time(attrStored), ExpiresAt: r.Time(attrTTL),
	}
	if err := r.Err(); err != nil {
		return Plan{}, fmt.Errorf("decode plan: %w", err)
	}
	return p, nil
}

// Of returns the plans that a run has stored and that have not expired at a time, in
// no particular order.
func (s Store) Of(ctx context.Context, id run.ID, now time.Time) ([]Plan, error) {
	items, err := s.items(ctx, id)
	if err != nil {
		return nil, err
	}
	var plans []Plan
	for _, item := range items {
		p, err := decode(item)
		if err != nil {
			return nil, err
		}
		if now.Before(p.ExpiresAt) { // the table removes expired items days later
			plans = append(plans, p)
		}
	}
	return plans, nil
}

// items returns the items of a run's plans, with the named attributes or with all.
func (s Store) items(ctx context.Context, id run.ID, names ...string) ([]attr.Item, error) {
	items, err := s.table().All(ctx, table.Query{Names: names, Key: []table.Condition{
		table.Equal("pk", runstore.Key(id)["pk"]), table.BeginsWith("sk", attr.String(sortPrefix)),
	}})
	if err != nil {
		return nil, fmt.Errorf("list plans: %w", err)
	}
	return items, nil
}

// get reads a plan's item. It returns fault.ErrNotFound if there is no plan, or if
// it has expired.
func (s Store) get(ctx context.Context, id run.ID, d run.Dirspace, now time.Time) (Plan, error) {
	item, err := s.table().Get(ctx, key(id, d))
	if err != nil {
		return Plan{}, fmt.Errorf("read plan: %w", err)
	}
	if item == nil {
		return Plan{}, fault.ErrNotFound
	}
	p, err := decode(item)
	if err != nil {
		return Plan{}, err
	}
	if !now.Before(p.ExpiresAt) {
		return Plan{}, fault.ErrNotFound
	}
	return p, nil
}
