package artifact

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/fault"
	"github.com/opsplane/opsplane/shared/kv"
)

// How the collector ends uploads.
const (
	expired   State = "expired"   // nobody completed it in time
	collected State = "collected" // no row names its file any more
)

// Held is an upload that counts against the quota, as the collector sees it.
type Held struct {
	// Object is the id of its object in the bucket.
	Object string
	// Done reports whether it has become a record. Else it is still under way, and
	// a row may yet name the object.
	Done bool
	// Expires is when an upload under way can no longer be completed.
	Expires time.Time
	// Written is when one that is done became a record.
	Written time.Time

	size      int64
	multipart string
}

// Held answers every upload of a namespace that is under way or has become a
// record, as they stand when it is called or later.
func (s *Store) Held(ctx context.Context, ns kv.Namespace) ([]Held, error) {
	var held []Held
	pages := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("sk, us, fs, ex, mu, da"),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: attr.Item{":pk": uploadKey(ns, "")["pk"]},
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("query uploads: %w", err)
		}
		for _, it := range out.Items {
			r := attr.Read(it)
			state := State(r.String("us"))
			h := Held{string(r.Bytes("sk")), state == Done, r.Time("ex"), time.UnixMilli(r.Int("da")), r.Int("fs"), r.String("mu")}
			if err := r.Err(); err != nil {
				return nil, fmt.Errorf("decode upload: %w", err)
			}
			if state == Pending || h.Done {
				held = append(held, h)
			}
		}
	}
	return held, nil
}

// Release ends an upload that has expired, or whose record no longer names the
// file, and frees its part of the quota; once, however often it is called. It
// reports whether the upload was ended by this call. Parts that arrived go
// first: once the upload is over, nobody would look for them.
func (s *Store) Release(ctx context.Context, ns kv.Namespace, author change.Author, h Held) (bool, error) {
	u := upload{id: h.Object, state: Pending, file: File{Size: h.size}, multipart: h.multipart}
	end := expired
	if h.Done {
		u.state, end = Done, collected
	}
	if err := s.discardParts(ctx, ns, u); err != nil {
		return false, err
	}
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return false, err
		}
		_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: u.release(s.table, ns, author, end)})
		switch {
		case err == nil:
			return true, nil
		case awsclient.ConditionFailed(err, 0):
			return false, nil
		case awsclient.Overtaken(err), awsclient.Ambiguous(err) && ctx.Err() == nil:
		default:
			return false, fmt.Errorf("release upload: %w", err)
		}
	}
	return false, errContended
}

// AbortAll aborts the uploads of a namespace that are under way, and returns how
// many.
func (s *Store) AbortAll(ctx context.Context, ns kv.Namespace, author change.Author) (aborted int, err error) {
	held, err := s.Held(ctx, ns)
	if err != nil {
		return 0, err
	}
	for _, h := range held {
		if h.Done {
			continue
		}
		err := s.Abort(ctx, ns, nil, author, h.Object)
		var refused *fault.Error
		switch {
		case errors.As(err, &refused) && refused.ID == "UPLOAD_DONE", errors.Is(err, fault.ErrNotFound):
			continue // it was completed meanwhile
		case err != nil:
			return aborted, err
		}
		aborted++
	}
	return aborted, nil
}
