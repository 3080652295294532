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

// id is the id of an object, packed: a pass holds one for every object.
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
	// stored are the objects in the bucket of uploads that no row names.
	stored map[id]bool
}

// unnamed is an object that nobody names.
type unnamed struct {
	id
	size int64
}

// run collects. The order matters: an upload that has not become a record when
// the uploads are read has its object protected; one that has, had before the
// rows were read, so that its row shows. (A query may see one item of a
// transaction before it sees another, "read-committed": so the object of an upload
// that became a record just now is protected too.) An upload leaves the quota
// last, when its object is gone.
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

// mark finds what rows name. A name that is none must not pass for one: the
// object that was meant would be taken for garbage.
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

// without answers the uploads whose file no row names: the row that the upload
// became was overwritten or deleted, so none will again.
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

// discard removes what arrived of uploads that can no longer be completed.
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

// release takes those files off the quota whose objects are gone. No address that
// could bring one back works any more: the last ended PutLifetime after the upload
// became a record, and the object was left alone for longer.
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

// by is the caller of a change that is made now.
func (p *pass) by() kv.Caller {
	author := p.author
	author.At = p.clock.now()
	return kv.Caller{Installation: p.ns, Author: author}
}

// list answers the objects that nobody names and that were made before a time,
// counts the others, and notes which of those uploads have theirs.
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
