package planstore

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

const (
	// MaxUpload is the largest plan that a runner can upload, in bytes: the most that
	// S3 takes in one request ("Uploading objects", Amazon S3 User Guide).
	MaxUpload int64 = 5 << 30
	// URLLifetime is how long a presigned URL works. A transfer that has begun may
	// take longer.
	URLLifetime = 5 * time.Minute
)

// ErrNotUploaded refuses to make an upload the plan of a dirspace: none was announced,
// or its bytes are not there.
var ErrNotUploaded = errors.New("the plan was not uploaded")

// Transfer is a request with which a client sends or reads a plan.
type Transfer struct {
	URL string
	// Headers must be sent as they are, besides the length of the body.
	Headers map[string]string
}

// uploadKey returns the key of the item that says which upload was announced last for
// a dirspace.
func uploadKey(id run.ID, d run.Dirspace) attr.Item {
	k := runstore.Key(id)
	k["sk"] = attr.String("UPLOAD#" + dirspaceDigest(d))
	return k
}

// CheckUpload returns a fault if no plan with such a content can be uploaded.
func CheckUpload(c Content) error {
	sum, err := hex.DecodeString(c.Digest)
	switch {
	case err != nil || len(sum) != 32 || hex.EncodeToString(sum) != c.Digest:
		return fault.Invalidf("INVALID_SHA256", "sha256 must be 64 lower-case hexadecimal digits")
	case c.Size < 0:
		return fault.Invalidf("INVALID_SIZE", "size must be the number of bytes of the plan")
	case c.Size > MaxUpload:
		return fault.TooLargef("PLAN_TOO_LARGE", "the plan has %d bytes; this server takes at most %d", c.Size, MaxUpload)
	}
	return nil
}

// Announce returns the request with which a runner uploads the plan of a dirspace. It
// replaces an earlier announcement for the dirspace. The plan does not count before
// PutUploaded. The caller has checked the content (CheckUpload), that the run makes
// plans and is active, and that the dirspace belongs to it. It is safe to repeat.
//
// The URL has the length and the SHA-256 in its signature, and the name of the object
// has the SHA-256. So S3 refuses all other bytes, and whoever has the URL cannot change
// a plan.
func (s Store) Announce(ctx context.Context, id run.ID, d run.Dirspace, c Content, now time.Time) (Transfer, error) {
	sum, err := hex.DecodeString(c.Digest)
	if err != nil {
		return Transfer{}, fmt.Errorf("read digest: %w", err)
	}
	item := uploadKey(id, d)
	item[attrDigest], item[attrSize], item[attrTTL] = attr.String(c.Digest), attr.Int(c.Size), attr.Time(now.Add(s.Keep))
	if err := s.table().Put(ctx, item); err != nil {
		return Transfer{}, fmt.Errorf("write announcement: %w", err)
	}
	signed, err := s3.NewPresignClient(s.Objects).PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: aws.String(object(id, d, c.Digest)), ContentLength: &c.Size,
		ContentType: aws.String(contentType), ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum)),
	}, s3.WithPresignExpires(URLLifetime))
	if err != nil {
		return Transfer{}, fmt.Errorf("sign upload: %w", err)
	}
	headers := map[string]string{}
	for name := range signed.SignedHeader {
		if name != "Host" && name != "Content-Length" { // every client sends these
			headers[http.CanonicalHeaderKey(name)] = signed.SignedHeader.Get(name)
		}
	}
	return Transfer{signed.URL, headers}, nil
}

// PutUploaded makes the upload that was announced last for a dirspace the plan of the
// dirspace, as Put does. It returns ErrNotUploaded if its bytes are not there, and
// ErrInactive if the run is neither queued nor running. It is safe to repeat.
func (s Store) PutUploaded(ctx context.Context, id run.ID, d run.Dirspace, hasChanges bool, now time.Time) error {
	item, err := s.table().Get(ctx, uploadKey(id, d))
	if err != nil {
		return fmt.Errorf("read announcement: %w", err)
	}
	if item == nil {
		return ErrNotUploaded
	}
	r := attr.Read(item)
	c := Content{Size: r.Int(attrSize), Digest: r.String(attrDigest)}
	if err := r.Err(); err != nil {
		return fmt.Errorf("decode announcement: %w", err)
	}
	if err := s.arrived(ctx, object(id, d, c.Digest), c); err != nil {
		return err
	}
	return s.write(ctx, id, Plan{Dirspace: d, HasChanges: hasChanges, Content: c, Uploaded: true, StoredAt: now, ExpiresAt: now.Add(s.Keep)})
}

// arrived returns ErrNotUploaded unless S3 has the object with a content.
func (s Store) arrived(ctx context.Context, name string, c Content) error {
	out, err := s.Objects.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &name, ChecksumMode: types.ChecksumModeEnabled})
	var missing *types.NotFound
	if errors.As(err, &missing) {
		return ErrNotUploaded
	}
	if err != nil {
		return fmt.Errorf("find plan: %w", err)
	}
	sum, err := base64.StdEncoding.DecodeString(aws.ToString(out.ChecksumSHA256))
	if err != nil || hex.EncodeToString(sum) != c.Digest || aws.ToInt64(out.ContentLength) != c.Size {
		return ErrNotUploaded
	}
	return nil
}
