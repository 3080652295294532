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
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps uploads in addition to the records of a key-value store. It is safe
// for concurrent use, also by several processes.
type Store struct {
	table   table.Table
	objects *s3.Client
	signer  *s3.PresignClient
	records *kv.Store
	bucket  string
	limits  Limits
}

// NewStore returns a store in the table and bucket of records.
func NewStore(db *dynamodb.Client, objects *s3.Client, records *kv.Store, tableName, bucket string, limits Limits) *Store {
	return &Store{table.Table{DB: db, Name: tableName}, objects, s3.NewPresignClient(objects), records, bucket, limits}
}

// tries is how often an operation is tried if other writers come in between.
const tries = 10

var errContended = fault.Busyf("CONTENDED", "the installation's artifacts are being written by too many callers at once; try again")

// Create begins an upload and returns the first page of what to send. It refuses
// what the row would refuse now, as kv.Store.Set and CompareAndSet do. It refuses
// what exceeds the quota with QUOTA_EXCEEDED, and what exceeds the limits of its
// principal with TOO_MANY_UPLOADS.
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

// firstPage is the maximum number of parts that the response of Create lists.
const firstPage = 100

// withoutParts returns the reason why an upload was not reserved, and makes S3
// delete the parts that were begun for it. If the upload may have been reserved
// after all, the parts stay: nobody knows of such an upload, and it expires.
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

// Show returns the state of an upload and up to limit of its parts, beginning after
// the part number after. Parts that have not arrived have new URLs. It fails with
// fault.ErrNotFound for an upload that was aborted or has expired.
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

// find reads an upload that is not over. A done upload that it returns is settled.
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

// settle ends the write of the row that an upload became, if the upload is done. It
// must come before every response that says that the upload is done: the request
// that wrote the row may have been interrupted before it settled the row, or may
// have failed to settle it.
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
	it, err := s.table.Get(ctx, uploadKey(ns, id))
	if err != nil {
		return upload{}, fmt.Errorf("get upload: %w", err)
	}
	if it == nil {
		return upload{}, fault.ErrNotFound
	}
	return decodeUpload(it)
}

// Abort ends an upload. Its size still counts: its URLs work for up to PutLifetime
// more, and its bytes may be in the bucket. The collector removes the bytes and
// then subtracts the upload. Aborting it again changes nothing. A done upload is
// refused with UPLOAD_DONE; it has to be deleted as a record.
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
		// Another request ended it first, or an earlier try of this call did and
		// its response was lost.
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

// giveUp puts an upload into a state in which it is over, and makes S3 delete its
// parts. No URL is signed for an upload that is over. So its last URL expires
// PutLifetime from now, or when the upload expires, whichever is earlier.
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

// Open returns where a file can be downloaded. It fails as kv.Store.GetFile does.
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
