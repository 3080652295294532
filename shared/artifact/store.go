package artifact

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/fault"
	"github.com/opsplane/opsplane/shared/kv"
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
	quota   int64
}

// NewStore makes a store over the table and bucket of records. An installation
// may hold quota bytes of artifacts, uploads under way included; 0 is no limit.
func NewStore(db *dynamodb.Client, objects *s3.Client, records *kv.Store, table, bucket string, quota int64) *Store {
	return &Store{db, objects, s3.NewPresignClient(objects), records, table, bucket, quota}
}

// tries bounds how often an operation starts again because others came between.
const tries = 10

var errContended = fault.Busyf("CONTENDED", "the installation's artifacts are being written by too many callers at once; try again")

// Create begins an upload and answers what to send first. It refuses what the
// row would refuse now, as kv.Store.Set and CompareAndSet do, and what exceeds
// the quota with QUOTA_EXCEEDED.
func (s *Store) Create(ctx context.Context, ns kv.Namespace, caps access.Set, author change.Author, n New) (Upload, Page, error) {
	if err := n.File.check(); err != nil {
		return Upload{}, Page{}, err
	}
	if err := s.records.Admits(ctx, ns, caps, n.Key, n.Idx, n.condition()); err != nil {
		return Upload{}, Page{}, err
	}
	if s.quota > 0 && n.File.Size > s.quota {
		return Upload{}, Page{}, s.overQuota(n.File.Size)
	}
	u := newUpload(n, author.At)
	if u.partSize > 0 {
		out, err := s.objects.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &s.bucket, Key: s.name(ns, u), ContentType: &n.File.ContentType,
		})
		if err != nil {
			return Upload{}, Page{}, fmt.Errorf("begin parts: %w", err)
		}
		u.multipart = aws.ToString(out.UploadId)
	}
	if err := s.reserve(ctx, ns, author, u); err != nil {
		return Upload{}, Page{}, err
	}
	page, err := s.sign(ctx, ns, u, author.At, 0, firstPage, nil)
	return u.show(), page, err
}

// firstPage is how many parts the answer of Create lists.
const firstPage = 100

func (s *Store) overQuota(size int64) error {
	return fault.Invalidf("QUOTA_EXCEEDED",
		"an upload of %d bytes would exceed the installation's quota of %d bytes; abort uploads that are not needed, or delete files, whose room the collector frees within hours; or ask the operator for more",
		size, s.quota)
}

// reserve writes the upload's item and counts its size, or neither.
func (s *Store) reserve(ctx context.Context, ns kv.Namespace, author change.Author, u upload) error {
	count := &types.Update{
		TableName: &s.table, Key: kv.NamespaceKey(ns), UpdateExpression: aws.String("ADD #by :size"),
		ExpressionAttributeNames: map[string]string{"#by": "by"}, ExpressionAttributeValues: attr.Item{":size": attr.Int(u.file.Size)},
	}
	if s.quota > 0 {
		count.ConditionExpression = aws.String("attribute_not_exists(#by) OR #by <= :room")
		count.ExpressionAttributeValues[":room"] = attr.Int(s.quota - u.file.Size)
	}
	it, err := u.item(ns)
	if err != nil {
		return err
	}
	author.AddTo(it)
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return err
		}
		_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{TableName: &s.table, Item: it, ConditionExpression: aws.String("attribute_not_exists(pk)")}},
			{Update: count},
		}})
		switch {
		case err == nil:
			return nil
		case awsclient.ConditionFailed(err, 0):
			return nil // an earlier try whose answer was lost: nobody else has this id
		case awsclient.ConditionFailed(err, 1):
			return s.overQuota(u.file.Size)
		case awsclient.Overtaken(err), awsclient.Ambiguous(err) && ctx.Err() == nil:
		default:
			return fmt.Errorf("reserve upload: %w", err)
		}
	}
	return errContended
}

// Show answers how far an upload has come, and up to limit of its parts behind
// number after, with fresh URLs for those that have not arrived. An upload that
// was aborted or has expired is fault.ErrNotFound.
func (s *Store) Show(ctx context.Context, ns kv.Namespace, _ access.Set, now time.Time, id string, after, limit int) (Upload, Page, error) {
	if after < 0 || after > MaxParts || limit < 1 || limit > MaxPage {
		return Upload{}, Page{}, fault.Invalidf("INVALID_LIMIT", "use after from 0 to %d and limit from 1 to %d", MaxParts, MaxPage)
	}
	u, err := s.find(ctx, ns, now, id)
	if err != nil || u.state == Done {
		return u.show(), Page{}, err
	}
	page, err := s.page(ctx, ns, &u, now, after, limit)
	return u.show(), page, err
}

// find reads an upload that is not over.
func (s *Store) find(ctx context.Context, ns kv.Namespace, now time.Time, id string) (upload, error) {
	u, err := s.read(ctx, ns, id)
	if err != nil {
		return upload{}, err
	}
	if u.state != Done && (u.state != Pending || !now.Before(u.expires)) {
		return upload{}, fault.ErrNotFound
	}
	return u, nil
}

func (s *Store) read(ctx context.Context, ns kv.Namespace, id string) (upload, error) {
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

// Abort ends an upload and frees what it reserved. To abort it again changes
// nothing; one that is done has to be deleted as a record (UPLOAD_DONE).
func (s *Store) Abort(ctx context.Context, ns kv.Namespace, _ access.Set, author change.Author, id string) error {
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return err
		}
		u, err := s.read(ctx, ns, id)
		switch {
		case err != nil:
			return err
		case u.state == Done:
			return fault.Invalidf("UPLOAD_DONE", "the upload has become a record; delete that with DELETE .../kv/%s/key/...", ns.Installation)
		case u.state != Pending:
			return nil
		}
		_, err = s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: u.release(s.table, ns, author, "aborted")})
		switch {
		case err == nil:
			return s.discardParts(ctx, ns, u)
		case awsclient.Overtaken(err), awsclient.Ambiguous(err) && ctx.Err() == nil:
		default:
			return fmt.Errorf("abort upload: %w", err)
		}
	}
	return errContended
}

// Open answers where a file can be downloaded. It fails as kv.Store.GetFile
// does.
func (s *Store) Open(ctx context.Context, ns kv.Namespace, caps access.Set, now time.Time, key string, idx int, drafts bool) (Download, error) {
	rec, at, err := s.records.GetFile(ctx, ns, caps, key, idx, drafts)
	if err != nil {
		return Download{}, err
	}
	file, err := parseFile(rec.Data)
	if err != nil {
		return Download{}, err
	}
	signed, err := s.signer.PresignGetObject(ctx, download(s.bucket, kv.ObjectName(ns, at.Object), file), s3.WithPresignExpires(DownloadLifetime))
	if err != nil {
		return Download{}, fmt.Errorf("sign download: %w", err)
	}
	return Download{rec, file, at.ETag, signed.URL, now.Add(DownloadLifetime)}, nil
}

func (s *Store) name(ns kv.Namespace, u upload) *string { return aws.String(kv.ObjectName(ns, u.id)) }
