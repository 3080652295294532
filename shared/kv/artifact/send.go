package artifact

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/opsplane/opsplane/shared/vcs"
)

// page returns what is still to be sent, beginning after part number after.
func (s *Store) page(ctx context.Context, ns vcs.Installation, u *upload, now time.Time, after, limit int) (Page, error) {
	if u.hash != nil {
		return Page{}, nil
	}
	if u.partSize == 0 {
		return s.sign(ctx, ns, *u, now, after, limit, nil)
	}
	there, err := s.arrived(ctx, ns, *u, after, limit)
	if gone(err) {
		// An earlier call made S3 assemble the parts and was interrupted.
		u.hash = []byte{}
		return Page{}, nil
	}
	if err != nil {
		return Page{}, err
	}
	return s.sign(ctx, ns, *u, now, after, limit, there)
}

// sign returns the page of an upload if the parts in there have arrived. It makes
// no request.
func (s *Store) sign(ctx context.Context, ns vcs.Installation, u upload, now time.Time, after, limit int, there map[int]arrival) (Page, error) {
	life := min(PutLifetime, u.expires.Sub(now))
	if u.partSize == 0 {
		put, err := s.signWhole(ctx, ns, u, now, life)
		return Page{Put: put}, err
	}
	var p Page
	count := partCount(u.file.Size, u.partSize)
	last := min(count, after+limit)
	for n := after + 1; n <= last; n++ {
		part := Part{Number: n, Offset: int64(n-1) * u.partSize, Size: u.partLength(n)}
		part.Arrived = there[n].size == part.Size && there[n].etag != ""
		if !part.Arrived {
			put, err := s.signPart(ctx, ns, u, now, life, part)
			if err != nil {
				return Page{}, err
			}
			part.Put = put
		}
		p.Parts = append(p.Parts, part)
	}
	if last < count {
		p.Next = last
	}
	return p, nil
}

// partLength returns the size of part n, in bytes. The last part may be shorter.
func (u upload) partLength(n int) int64 {
	return min(u.partSize, u.file.Size-int64(n-1)*u.partSize)
}

// arrival describes a part that the bucket has.
type arrival struct {
	size int64
	etag string
}

// arrived returns the parts that the bucket has, of the next limit part numbers
// after after.
func (s *Store) arrived(ctx context.Context, ns vcs.Installation, u upload, after, limit int) (map[int]arrival, error) {
	out, err := s.objects.ListParts(ctx, &s3.ListPartsInput{
		Bucket: &s.bucket, Key: s.name(ns, u), UploadId: &u.multipart,
		PartNumberMarker: aws.String(strconv.Itoa(after)), MaxParts: aws.Int32(int32(min(limit, MaxPage))),
	})
	if err != nil {
		return nil, fmt.Errorf("list parts: %w", err)
	}
	there := map[int]arrival{}
	for _, p := range out.Parts {
		there[int(aws.ToInt32(p.PartNumber))] = arrival{aws.ToInt64(p.Size), aws.ToString(p.ETag)}
	}
	return there, nil
}

// gone reports whether the error says that S3 does not know the parts of an upload
// (any more).
func gone(err error) bool {
	// Most operations have no error type of their own for this.
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "NoSuchUpload"
}

// signWhole signs the length, type and SHA-256 of the body, so that S3 refuses
// every other body.
func (s *Store) signWhole(ctx context.Context, ns vcs.Installation, u upload, now time.Time, life time.Duration) (*Put, error) {
	sum, err := hex.DecodeString(u.file.SHA256)
	if err != nil {
		return nil, fmt.Errorf("read hash: %w", err)
	}
	signed, err := s.signer.PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: s.name(ns, u), ContentLength: &u.file.Size, ContentType: &u.file.ContentType,
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum)),
	}, s3.WithPresignExpires(life))
	if err != nil {
		return nil, fmt.Errorf("sign upload: %w", err)
	}
	return &Put{signed.URL, sent(signed.SignedHeader), now.Add(life)}, nil
}

// signPart signs the length of a part.
func (s *Store) signPart(ctx context.Context, ns vcs.Installation, u upload, now time.Time, life time.Duration, p Part) (*Put, error) {
	signed, err := s.signer.PresignUploadPart(ctx, &s3.UploadPartInput{
		Bucket: &s.bucket, Key: s.name(ns, u), UploadId: &u.multipart,
		PartNumber: aws.Int32(int32(p.Number)), ContentLength: &p.Size,
	}, s3.WithPresignExpires(life))
	if err != nil {
		return nil, fmt.Errorf("sign part: %w", err)
	}
	return &Put{signed.URL, sent(signed.SignedHeader), now.Add(life)}, nil
}

// sent returns the signed headers that a client has to set. It leaves out those
// that every client sends by itself.
func sent(signed http.Header) map[string]string {
	headers := map[string]string{}
	for name := range signed {
		if name != "Host" && name != "Content-Length" {
			headers[name] = signed.Get(name)
		}
	}
	return headers
}
