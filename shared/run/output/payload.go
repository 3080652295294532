package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// maxGap is the largest number of bytes that are read in vain so that two payloads
// need one request. It takes about as long to read as a further request.
const maxGap = 1 << 20

// span is a part of an object that is read in one request. It holds the payloads of
// some steps of a page.
type span struct {
	from, to int   // bytes; to is not included
	steps    []int // positions in the page
}

// addPayloads reads the payloads of a page.
func (s *Store) addPayloads(ctx context.Context, object string, entries []found, steps []Step) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, part := range spans(entries, steps) {
		group.Go(func() error {
			content, err := s.getObject(gctx, object, fmt.Sprintf("bytes=%d-%d", part.from, part.to-1))
			switch {
			case errors.Is(err, ErrExpired):
				for _, n := range part.steps {
					steps[n].Withheld = Expired
				}
				return nil
			case err != nil:
				return err
			case len(content) != part.to-part.from:
				return fmt.Errorf("read %s: got %d bytes, want %d", object, len(content), part.to-part.from)
			}
			for _, n := range part.steps {
				at := entries[n].offset - part.from
				end := at + entries[n].Length
				steps[n].Payload = content[at:end:end]
			}
			return nil
		})
	}
	return group.Wait()
}

// spans joins the payloads that lie near each other. It marks those that are
// withheld.
func spans(entries []found, steps []Step) []span {
	order := make([]int, 0, len(entries))
	for n, e := range entries {
		if e.Wire > MaxPage {
			steps[n].Withheld = TooLarge
			continue
		}
		order = append(order, n)
	}
	slices.SortFunc(order, func(a, b int) int { return entries[a].offset - entries[b].offset })
	var list []span
	for _, n := range order {
		from, to := entries[n].offset, entries[n].offset+entries[n].Length
		if last := len(list) - 1; last >= 0 && from-list[last].to <= maxGap {
			list[last].to = to
			list[last].steps = append(list[last].steps, n)
			continue
		}
		list = append(list, span{from, to, []int{n}})
	}
	return list
}

// getObject reads an object, or the bytes of it that a Range header names. It
// returns ErrExpired if there is no such object.
func (s *Store) getObject(ctx context.Context, name, bytes string) ([]byte, error) {
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: &name}
	if bytes != "" {
		in.Range = &bytes
	}
	out, err := s.objects.GetObject(ctx, in)
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, ErrExpired
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	defer out.Body.Close()
	content := make([]byte, aws.ToInt64(out.ContentLength))
	if _, err := io.ReadFull(out.Body, content); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return content, nil
}
