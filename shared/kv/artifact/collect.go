package artifact

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// collected is the state of an upload that became a record whose file no row
// names any more and whose object is gone.
const collected State = "collected"

// Held is an upload that counts against the quota, as the collector sees it.
type Held struct {
	// Object is the id of its object in the bucket.
	Object string
	// Done reports whether it has become a record. Else a row may yet come to name
	// the object, unless the upload is over.
	Done bool
	// Closes is when the addresses of an upload that is not done have ended, and
	// with them the time to complete it.
	Closes time.Time
	// Written is when one that is done became a record.
	Written time.Time

	upload upload // as far as Held reads it
}

// Held answers every upload of a namespace that counts, as they stand when it is
// called or later.
func (s *Store) Held(ctx context.Context, ns vcs.Installation) ([]Held, error) {
	var held []Held
	pages := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("sk, us, fs, ex, mu, da, cb, #ttl"),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeNames:  map[string]string{"#ttl": "ttl"},
		ExpressionAttributeValues: attr.Item{":pk": uploadKey(ns, "")["pk"]},
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("query uploads: %w", err)
		}
		for _, it := range out.Items {
			r := attr.Read(it)
			u := upload{
				id: string(r.Bytes("sk")), state: State(r.String("us")), file: File{Size: r.Int("fs")},
				multipart: r.String("mu"), by: r.String("cb"),
			}
			h := Held{u.id, u.state == Done, r.Time("ex"), time.UnixMilli(r.Int("da")), u}
			if err := r.Err(); err != nil {
				return nil, fmt.Errorf("decode upload: %w", err)
			}
			if !r.Has("ttl") { // what has a time to live counts no more
				held = append(held, h)
			}
		}
	}
	return held, nil
}

// Discard removes what has arrived of an upload that is not done and whose
// addresses have ended, and then takes it off what counts it; an upload that
// nobody completed in time is ended first. So bytes that are in the bucket, or
// may come, are counted, but for those of a transfer that somebody stretches beyond
// the collector's rest. It reports whether the upload was ended
// and whether it was taken off by this call: neither where it was completed
// meanwhile. A call that was cut off is made good by the next.
func (s *Store) Discard(ctx context.Context, ns vcs.Installation, author change.Author, h Held) (ended, freed bool, err error) {
	u := h.upload
	if u.state == Pending {
		if ended, err = s.end(ctx, ns, author, u.id, Expired, h.Closes); err != nil || !ended {
			return ended, false, err
		}
		u.state = Expired
	}
	if err := s.discardParts(ctx, ns, u); err != nil {
		return ended, false, err
	}
	// To delete an object that is not there is a success.
	if _, err := s.objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.name(ns, u)}); err != nil {
		return ended, false, fmt.Errorf("delete object of an upload: %w", err)
	}
	freed, err = s.free(ctx, ns, author, u, u.state)
	return ended, freed, err
}

// Release takes an upload off the quota that became a record, once no row names
// its file and its object is gone. It reports whether this call did.
func (s *Store) Release(ctx context.Context, ns vcs.Installation, author change.Author, h Held) (bool, error) {
	return s.free(ctx, ns, author, h.upload, collected)
}

func (s *Store) free(ctx context.Context, ns vcs.Installation, author change.Author, u upload, state State) (bool, error) {
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return false, err
		}
		_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: u.free(s.table, ns, author, state)})
		switch {
		case err == nil:
			return true, nil
		case awsclient.ConditionFailed(err, 0):
			return false, nil
		case awsclient.Overtaken(err), awsclient.Ambiguous(err) && ctx.Err() == nil:
		default:
			return false, fmt.Errorf("free upload: %w", err)
		}
	}
	return false, errContended
}

// AbortAll aborts the uploads of a namespace that are under way, and returns how
// many.
func (s *Store) AbortAll(ctx context.Context, ns vcs.Installation, author change.Author) (aborted int, err error) {
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
		if h.upload.state == Pending {
			aborted++
		}
	}
	return aborted, nil
}
