package artifact

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// collected is the state of an upload that became a record, after no row names its
// file any more and its object is gone.
const collected State = "collected"

// Held is an upload that counts against the quota, as the collector sees it.
type Held struct {
	// Object is the id of its object in the bucket.
	Object string
	// Done reports whether the upload has become a record. If it has not, a row may
	// still come to name the object, unless the upload is over.
	Done bool
	// Closes is set if the upload is not done. It is the time at which its URLs
	// have expired and it can no longer be completed.
	Closes time.Time
	// Written is the time at which a done upload became a record.
	Written time.Time

	upload upload // only the attributes that Held reads
}

// Held returns every upload of a namespace that counts against the quota. Each is
// as it stands at the time of the call or later.
func (s *Store) Held(ctx context.Context, ns vcs.Installation) ([]Held, error) {
	var held []Held
	for page, err := range s.table.Pages(ctx, uploads(ns)) {
		if err != nil {
			return nil, fmt.Errorf("query uploads: %w", err)
		}
		some, err := counted(page.Items)
		if err != nil {
			return nil, err
		}
		held = append(held, some...)
	}
	return held, nil
}

// uploads returns the query of all uploads of a namespace, with the attributes that
// Held reads.
func uploads(ns vcs.Installation) table.Query {
	return table.Query{
		Key:   []table.Condition{table.Equal("pk", uploadKey(ns, "")["pk"])},
		Names: []string{"sk", kvitem.UploadState, kvitem.FileSize, "ex", "mu", "da", kvitem.CreatedBy, "ttl"},
	}
}

// counted decodes the uploads that count against the quota. An upload with a time
// to live does not count any more.
func counted(items []attr.Item) ([]Held, error) {
	var held []Held
	for _, it := range items {
		r := attr.Read(it)
		u := upload{
			id: string(r.Bytes("sk")), state: State(r.String(kvitem.UploadState)), file: File{Size: r.Int(kvitem.FileSize)},
			multipart: r.String("mu"), by: r.String(kvitem.CreatedBy),
		}
		h := Held{u.id, u.state == Done, r.Time("ex"), time.UnixMilli(r.Int("da")), u}
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("decode upload: %w", err)
		}
		if !r.Has("ttl") {
			held = append(held, h)
		}
	}
	return held, nil
}

// Discard removes the received bytes of an upload that is not done and whose URLs
// have expired. Then it removes the upload from the counters. If the upload is
// still pending, because nobody completed it in time, Discard ends it first. So
// bytes that are in the bucket or may still arrive are counted. The exception is a
// transfer that a client stretches beyond the collector's Rest.Write.
//
// Discard reports whether this call ended the upload, and whether this call removed
// it from the counters. Both are false if the upload was completed meanwhile. If a
// call is interrupted, the next call does the rest.
func (s *Store) Discard(ctx context.Context, by kv.Caller, h Held) (ended, freed bool, err error) {
	u := h.upload
	if u.state == Pending {
		if ended, err = s.end(ctx, by, u.id, Expired, h.Closes); err != nil || !ended {
			return ended, false, err
		}
		u.state = Expired
	}
	if err := s.discardParts(ctx, by.Installation, u); err != nil {
		return ended, false, err
	}
	// DeleteObject succeeds also if the object does not exist.
	if _, err := s.objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.name(by.Installation, u)}); err != nil {
		return ended, false, fmt.Errorf("delete object of an upload: %w", err)
	}
	freed, err = s.free(ctx, by, u, u.state)
	return ended, freed, err
}

// Release removes an upload that became a record from the quota. The caller must
// know that no row names its file and that its object is gone. Release reports
// whether this call removed it.
func (s *Store) Release(ctx context.Context, by kv.Caller, h Held) (bool, error) {
	return s.free(ctx, by, h.upload, collected)
}

// aborters is how many uploads AbortAll aborts at the same time.
const aborters = 8

// AbortAll aborts the pending uploads of a namespace. It looks at most at limit
// uploads, in the order of their ids, beginning after the id after; an empty after
// means the first. It returns how many uploads it aborted, and the id for the next
// call. next is empty if there are no more uploads. A call may be repeated.
func (s *Store) AbortAll(ctx context.Context, ns vcs.Installation, author change.Author, after string, limit int) (aborted int, next string, err error) {
	q := uploads(ns)
	q.Limit = limit
	if after != "" {
		q.Key = append(q.Key, table.Greater("sk", attr.Bytes([]byte(after))))
	}
	page, err := s.table.Query(ctx, q)
	if err != nil {
		return 0, "", fmt.Errorf("query uploads: %w", err)
	}
	held, err := counted(page.Items)
	if err != nil {
		return 0, "", err
	}
	var done atomic.Int64
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(aborters)
	for _, h := range held {
		if h.Done {
			continue
		}
		group.Go(func() error {
			ended, err := s.abortHeld(gctx, ns, author, h)
			if ended {
				done.Add(1)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return int(done.Load()), "", err
	}
	if page.Next != nil {
		r := attr.Read(page.Next)
		if next = string(r.Bytes("sk")); r.Err() != nil {
			return 0, "", fmt.Errorf("decode upload: %w", r.Err())
		}
	}
	return int(done.Load()), next, nil
}

// abortHeld aborts one upload that is not done, and reports whether it was pending.
func (s *Store) abortHeld(ctx context.Context, ns vcs.Installation, author change.Author, h Held) (ended bool, err error) {
	err = s.Abort(ctx, kv.Caller{Installation: ns, Author: author}, h.Object)
	var refused *fault.Error
	switch {
	case errors.As(err, &refused) && refused.ID == "UPLOAD_DONE", errors.Is(err, fault.ErrNotFound):
		return false, nil // it was completed meanwhile
	case err != nil:
		return false, err
	}
	return h.upload.state == Pending, nil
}
