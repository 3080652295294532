package garbage

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

// id is the id of an object in 16 bytes. A pass holds one for every object.
type id [16]byte

func parseID(text string) (id, bool) {
	var x id
	if len(text) != hex.EncodedLen(len(x)) || strings.ToLower(text) != text {
		return id{}, false
	}
	_, err := hex.Decode(x[:], []byte(text))
	return x, err == nil
}

func (x id) String() string { return hex.EncodeToString(x[:]) }

// pass is the collection of one namespace.
type pass struct {
	*Collector
	clock  clock
	ns     vcs.Installation
	author change.Author
	report Report

	named map[id]struct{}
	// stored holds the objects of uploads that no row names and that are in the
	// bucket.
	stored map[id]bool
}

// unnamed is an object that no row names.
type unnamed struct {
	id
	size int64
}

// run collects. The order of its steps matters. It reads the uploads first, then
// the rows. If an upload has not become a record when the uploads are read, its
// object is protected. If it has become a record, it did so before the rows were
// read, so its row is found. A query may see one item of a transaction before it
// sees another ("read-committed"). So the object of an upload that became a record
// a short time ago is protected too. An upload is subtracted from the quota last,
// when its object is gone.
func (p *pass) run(ctx context.Context) error {
	start := p.author.At
	if err := p.records.Collecting(ctx, p.ns, start); err != nil {
		return err
	}
	uploads, err := p.artifacts.Held(ctx, p.ns)
	if err != nil {
		return err
	}
	p.named = map[id]struct{}{}
	var closed, done []artifact.Held
	for _, u := range uploads {
		switch {
		case u.Done && u.Written.Add(p.rest.Write).Before(start):
			done = append(done, u)
		case !u.Done && u.Closes.Add(p.rest.Write).Before(start):
			closed = append(closed, u)
		default:
			if err := p.name(u.Object); err != nil {
				return err
			}
		}
	}
	if err := p.discard(ctx, closed); err != nil {
		return err
	}
	if err := p.mark(ctx); err != nil {
		return err
	}
	done = p.without(done)
	garbage, err := p.list(ctx, start.Add(-p.rest.Write), done)
	if err != nil {
		return err
	}
	return errors.Join(p.sweep(ctx, garbage), p.release(ctx, done))
}

func (p *pass) name(object string) error {
	x, ok := parseID(object)
	if !ok {
		return fmt.Errorf("object id %q is none", object)
	}
	p.named[x] = struct{}{}
	return nil
}

// mark finds the objects that rows name. It fails if a name is not an object id.
// Otherwise the object that was meant would be taken for garbage.
func (p *pass) mark(ctx context.Context) error {
	var damaged error
	err := p.records.Objects(ctx, p.ns, func(object string) {
		if err := p.name(object); err != nil {
			damaged = err
		}
	})
	if err != nil {
		return err
	}
	return damaged
}

// without returns the uploads whose file no row names. The row that the upload
// became was overwritten or deleted, so no row will name the file again.
func (p *pass) without(done []artifact.Held) []artifact.Held {
	var gone []artifact.Held
	for _, u := range done {
		if x, ok := parseID(u.Object); ok && !p.has(x) {
			gone = append(gone, u)
		}
	}
	return gone
}

func (p *pass) has(x id) bool {
	_, ok := p.named[x]
	return ok
}

// discard removes the received bytes of uploads that can no longer be completed.
func (p *pass) discard(ctx context.Context, closed []artifact.Held) error {
	for _, u := range closed {
		ended, freed, err := p.artifacts.Discard(ctx, p.by(), u)
		if err != nil {
			return err
		}
		if ended {
			p.report.UploadsExpired++
		}
		if freed {
			p.report.UploadsDiscarded++
		}
	}
	return nil
}

// release subtracts those files from the quota whose objects are gone. No URL that
// could write such an object again works any more: the last URL expired at most
// PutLifetime after the upload became a record, and the object was left alone for
// longer.
func (p *pass) release(ctx context.Context, done []artifact.Held) error {
	for _, u := range done {
		if x, ok := parseID(u.Object); !ok || p.stored[x] {
			continue
		}
		freed, err := p.artifacts.Release(ctx, p.by(), u)
		if err != nil {
			return err
		}
		if freed {
			p.report.FilesReleased++
		}
	}
	return nil
}

// by returns the caller of a change that is made now.
func (p *pass) by() kv.Caller {
	author := p.author
	author.At = p.clock.now()
	return kv.Caller{Installation: p.ns, Author: author}
}

// list returns the objects that nobody names and that were made before the given
// time. It counts the other objects. It also records in p.stored which of the given
// uploads still have their object.
func (p *pass) list(ctx context.Context, before time.Time, uploads []artifact.Held) ([]unnamed, error) {
	candidates := map[id]struct{}{}
	for _, u := range uploads {
		if x, ok := parseID(u.Object); ok {
			candidates[x] = struct{}{}
		}
	}
	p.stored = map[id]bool{}
	prefix := kv.ObjectName(p.ns, "")
	var garbage []unnamed
	pages := s3.NewListObjectsV2Paginator(p.objects, &s3.ListObjectsV2Input{Bucket: &p.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		for _, o := range page.Contents {
			p.report.Objects++
			x, ok := parseID(strings.TrimPrefix(aws.ToString(o.Key), prefix))
			if _, candidate := candidates[x]; ok && candidate {
				p.stored[x] = true
			}
			switch {
			case !ok:
				p.report.Foreign++
			case p.has(x):
				p.report.Named++
			case o.LastModified != nil && o.LastModified.Before(before):
				garbage = append(garbage, unnamed{x, aws.ToInt64(o.Size)})
			}
		}
	}
	return garbage, nil
}
