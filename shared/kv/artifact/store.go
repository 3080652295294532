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
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps uploads beside the records of a key-value store. It is safe for
// concurrent use, also by other processes.
type Store struct {
	db      *dynamodb.Client
	objects *s3.Client
	signer  *s3.PresignClient
	records *kv.Store
	table   string
	bucket  string
	limits  Limits
}

// NewStore makes a store over the table and bucket of records.
func NewStore(db *dynamodb.Client, objects *s3.Client, records *kv.Store, table, bucket string, limits Limits) *Store {
	return &Store{db, objects, s3.NewPresignClient(objects), records, table, bucket, limits}
}

// tries bounds how often an operation starts again because others came between.
const tries = 10

var errContended = fault.Busyf("CONTENDED", "the installation's artifacts are being written by too many callers at once; try again")

// Create begins an upload and answers what to send first. It refuses what the
// row would refuse now, as kv.Store.Set and CompareAndSet do, what exceeds the
// quota with QUOTA_EXCEEDED, and what exceeds the limits of its principal with
// TOO_MANY_UPLOADS.
func (s *Store) Create(ctx context.Context, by kv.Caller, n New) (Upload, Page, error) {
	if err := n.File.check(); err != nil {
		return Upload{}, Page{}, err
	}
	if err := s.records.Admits(ctx, by, kv.Position{Key: n.Key, Idx: n.Idx}, n.condition()); err != nil {
		return Upload{}, Page{}, err
	}
	if err := s.tooLarge(n.File.Size); err != nil {
		return Upload{}, Page{}, err
	}
	u := newUpload(n, by.Author)
	if u.partSize > 0 {
		out, err := s.objects.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &s.bucket, Key: s.name(by.Installation, u), ContentType: &n.File.ContentType,
		})
		if err != nil {
			return Upload{}, Page{}, fmt.Errorf("begin parts: %w", err)
		}
		u.multipart = aws.ToString(out.UploadId)
	}
	if err := s.reserve(ctx, by, u); err != nil {
		return Upload{}, Page{}, s.withoutParts(ctx, by.Installation, u, err)
	}
	page, err := s.sign(ctx, by.Installation, u, by.Author.At, 0, firstPage, nil)
	return u.show(), page, err
}

// firstPage is how many parts the answer of Create lists.
const firstPage = 100

// withoutParts answers why an upload was not reserved, and lets S3 forget the
// parts that were begun for it. Where it may have been reserved after all, they
// stay: the upload then is one that nobody knows of, and expires.
func (s *Store) withoutParts(ctx context.Context, ns vcs.Installation, u upload, refusal error) error {
	var refused *fault.Error
	if !errors.As(refusal, &refused) || refused == errContended {
		return refusal
	}
	if err := s.discardParts(ctx, ns, u); err != nil {
		return errors.Join(refusal, err)
	}
	return refusal
}

// Show answers how far an upload has come, and up to limit of its parts behind
// number after, with fresh URLs for those that have not arrived. An upload that
// was aborted or has expired is fault.ErrNotFound.
func (s *Store) Show(ctx context.Context, by kv.Caller, id string, after, limit int) (Upload, Page, error) {
	if after < 0 || after > MaxParts || limit < 1 || limit > MaxPage {
		return Upload{}, Page{}, fault.Invalidf("INVALID_LIMIT", "use after from 0 to %d and limit from 1 to %d", MaxParts, MaxPage)
	}
	u, err := s.find(ctx, by.Installation, by.Author.At, id)
	if err != nil || u.state == Done {
		return u.show(), Page{}, err
	}
	page, err := s.page(ctx, by.Installation, &u, by.Author.At, after, limit)
	return u.show(), page, err
}

// find reads an upload that is not over. One that is done may be shown as such.
func (s *Store) find(ctx context.Context, ns vcs.Installation, now time.Time, id string) (upload, error) {
	u, err := s.read(ctx, ns, id)
	if err != nil {
		return upload{}, err
	}
	if u.state != Done && (u.state != Pending || !now.Before(u.expires)) {
		return upload{}, fault.ErrNotFound
	}
	if err := s.settle(ctx, ns, now, u); err != nil {
		return upload{}, err
	}
	return u, nil
}

// settle ends the write of the row that an upload became, if it did. It must come
// before every answer that says so: whoever made the row may have been cut off
// before that, or have failed at it.
func (s *Store) settle(ctx context.Context, ns vcs.Installation, now time.Time, u upload) error {
	if u.state != Done {
		return nil
	}
	writer := kv.Caller{Installation: ns, Author: change.Author{Request: u.request, Source: u.source, At: now}}
	return s.records.SettleFile(ctx, writer, kv.Position{Key: u.new.Key, Idx: u.new.Idx}, u.generation)
}

func (s *Store) read(ctx context.Context, ns vcs.Installation, id string) (upload, error) {
	if !hexDigits(id, 32) {
		return upload{}, fault.ErrNotFound
	}
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: uploadKey(ns, id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return upload{}, fmt.Errorf("get upload: %w", err)
	}
	if out.Item == nil {
		return upload{}, fault.ErrNotFound
	}
	return decodeUpload(out.Item)
}

// Abort ends an upload. What it reserved stays counted: its addresses work for up
// to PutLifetime more, and its bytes may lie in the bucket; the collector removes
// them and then frees it. To abort it again changes nothing; one that is done has
// to be deleted as a record (UPLOAD_DONE).
func (s *Store) Abort(ctx context.Context, by kv.Caller, id string) error {
	u, err := s.read(ctx, by.Installation, id)
	if err != nil {
		return err
	}
	if u.state == Pending {
		ended, err := s.giveUp(ctx, by, u, Aborted)
		if err != nil || ended {
			return err
		}
		// Somebody was quicker, or an earlier try of this call whose answer was lost.
		if u, err = s.read(ctx, by.Installation, id); err != nil {
			return err
		}
	}
	if u.state == Done {
		if err := s.settle(ctx, by.Installation, by.Author.At, u); err != nil {
			return err
		}
		return fault.Invalidf("UPLOAD_DONE", "the upload has become a record; delete the record with DELETE .../kv/%s/key/...", by.Installation.ID)
	}
	return s.discardParts(ctx, by.Installation, u)
}

// giveUp ends an upload in a state, and lets S3 forget its parts. No address is
// signed for an upload that is over, so that the last one ends PutLifetime from
// now, or with the upload's time.
func (s *Store) giveUp(ctx context.Context, by kv.Caller, u upload, state State) (bool, error) {
	closes := by.Author.At.Add(PutLifetime)
	if u.expires.Before(closes) {
		closes = u.expires
	}
	ended, err := s.end(ctx, by, u.id, state, closes)
	if err != nil || !ended {
		return ended, err
	}
	return true, s.discardParts(ctx, by.Installation, u)
}

// Open answers where a file can be downloaded. It fails as kv.Store.GetFile
// does.
func (s *Store) Open(ctx context.Context, by kv.Caller, at kv.Position, drafts bool) (Download, error) {
	rec, stored, err := s.records.GetFile(ctx, by, at, drafts)
	if err != nil {
		return Download{}, err
	}
	file, err := parseFile(rec.Data)
	if err != nil {
		return Download{}, err
	}
	signed, err := s.signer.PresignGetObject(ctx, download(s.bucket, kv.ObjectName(by.Installation, stored.Object), file), s3.WithPresignExpires(DownloadLifetime))
	if err != nil {
		return Download{}, fmt.Errorf("sign download: %w", err)
	}
	return Download{rec, file, stored.ETag, signed.URL, by.Author.At.Add(DownloadLifetime)}, nil
}

func (s *Store) name(ns vcs.Installation, u upload) *string {
	return aws.String(kv.ObjectName(ns, u.id))
}
