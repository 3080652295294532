package garbage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/kv"
)

const (
	// removeBatch is the maximum number of objects in one DeleteObjects call.
	removeBatch = 1000
	// removers is how many of these calls run at the same time.
	removers = 4
)

// sweep removes the garbage that has rested long enough. For the other garbage it
// remembers since when it is known. It forgets objects that are gone or named: the
// time at which such an object was found unnamed must never count for it later.
func (p *pass) sweep(ctx context.Context, garbage []unnamed) error {
	known, err := p.recall(ctx)
	if err != nil {
		return err
	}
	now := p.clock.now()
	resting := map[id]time.Time{}
	var rested []unnamed
	for _, g := range garbage {
		since, ok := known[g.id]
		switch {
		case !ok:
			resting[g.id] = now
		case now.Sub(since) < p.rest.Keep:
			resting[g.id] = since
		default:
			rested = append(rested, g)
		}
	}
	p.report.Resting = len(resting)
	kept, err := p.remove(ctx, rested)
	for _, x := range kept {
		resting[x] = known[x]
	}
	if maps.EqualFunc(known, resting, time.Time.Equal) {
		return err
	}
	return errors.Join(err, p.remember(ctx, resting))
}

// remove deletes objects. It returns the objects that may still exist. An object
// that was already gone counts as removed.
func (p *pass) remove(ctx context.Context, rested []unnamed) (kept []id, err error) {
	var group errgroup.Group
	group.SetLimit(removers)
	batches := slices.Collect(slices.Chunk(rested, removeBatch))
	refused := make([][]id, len(batches))
	for i, batch := range batches {
		group.Go(func() error {
			var err error
			refused[i], err = p.removeBatch(ctx, batch)
			return err
		})
	}
	err = group.Wait()
	kept = slices.Concat(refused...)
	stays := map[id]struct{}{}
	for _, x := range kept {
		stays[x] = struct{}{}
	}
	for _, g := range rested {
		if _, ok := stays[g.id]; !ok {
			delete(p.stored, g.id)
			p.report.Removed++
			p.report.Bytes += g.size
		}
	}
	return kept, err
}

// removeBatch deletes one batch and returns the objects that were not removed.
func (p *pass) removeBatch(ctx context.Context, batch []unnamed) ([]id, error) {
	names := make([]types.ObjectIdentifier, len(batch))
	for i, g := range batch {
		names[i].Key = aws.String(kv.ObjectName(p.ns, g.String()))
	}
	out, err := p.objects.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &p.bucket, Delete: &types.Delete{Objects: names, Quiet: aws.Bool(true)},
	})
	if err != nil {
		all := make([]id, len(batch))
		for i, g := range batch {
			all[i] = g.id
		}
		return all, fmt.Errorf("remove objects: %w", err)
	}
	var kept []id
	for _, e := range out.Errors {
		if x, ok := parseID(strings.TrimPrefix(aws.ToString(e.Key), kv.ObjectName(p.ns, ""))); ok {
			kept = append(kept, x)
		}
	}
	if len(out.Errors) > 0 {
		first := out.Errors[0]
		return kept, fmt.Errorf("remove objects: %d of %d refused, such as %s: %s", len(out.Errors), len(batch),
			aws.ToString(first.Key), aws.ToString(first.Code))
	}
	return nil, nil
}

// memory returns the name of the object that remembers the garbage of the
// namespace. Functions that serve callers use only object names that begin with a
// VCS, so they never reach it.
func (p *pass) memory() *string {
	return aws.String("collector/" + p.ns.String())
}

// recall reads since when objects are known to be garbage. An object that it
// returns and that is garbage now was garbage the whole time in between: garbage
// never becomes named again. This holds even if other runs came between, because
// each run forgets objects that are not garbage.
func (p *pass) recall(ctx context.Context) (map[id]time.Time, error) {
	out, err := p.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.bucket, Key: p.memory()})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("recall garbage: %w", err)
	}
	defer out.Body.Close()
	known := map[id]time.Time{}
	lines := bufio.NewScanner(out.Body)
	for lines.Scan() {
		name, seconds, _ := strings.Cut(lines.Text(), " ")
		x, ok := parseID(name)
		since, err := strconv.ParseInt(seconds, 10, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("recall garbage: %s has the line %.80q", *p.memory(), lines.Text())
		}
		known[x] = time.Unix(since, 0)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("recall garbage: %w", err)
	}
	return known, nil
}

// remember writes what recall reads. Each object has one line: its id and the Unix
// time in seconds. The time is rounded up, so that no object rests too briefly.
func (p *pass) remember(ctx context.Context, resting map[id]time.Time) error {
	var text bytes.Buffer
	for x, since := range resting {
		fmt.Fprintf(&text, "%s %d\n", x, since.Add(time.Second-1).Unix())
	}
	_, err := p.objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &p.bucket, Key: p.memory(), Body: bytes.NewReader(text.Bytes()), ContentType: aws.String("text/plain"),
	})
	if err != nil {
		return fmt.Errorf("remember garbage: %w", err)
	}
	return nil
}
