package artifact

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// verifyFor is how long one call of Complete may wait for S3 to assemble the parts
// and read a file. It is well below the function's timeout in template.yaml.
const verifyFor = 12 * time.Second

// errAssembling says that S3 is still assembling the parts. For a large file this
// takes longer than one call may. S3 goes on after the call has ended.
var errAssembling = errors.New("the parts are being put together")

// Complete makes an upload a record if its bytes have arrived and have the
// announced length and SHA-256. For a file in parts, Complete reads the file to
// compute the hash. If that takes longer than one call may, the state is Verifying
// and the next call goes on. The state is also Verifying while S3 assembles the
// parts. Completing the upload again returns the same result.
//
// Complete fails with INCOMPLETE_UPLOAD, with WRONG_HASH (which ends the upload),
// and as kv.Store.Set and CompareAndSet do.
func (s *Store) Complete(ctx context.Context, by kv.Caller, id string) (Upload, error) {
	u, err := s.find(ctx, by.Installation, by.Author.At, id)
	if err != nil || u.state == Done {
		return u.show(), err
	}
	verifying, stop := context.WithTimeout(ctx, verifyFor)
	defer stop()
	object, err := s.assemble(ctx, verifying, by.Installation, u)
	if errors.Is(err, errAssembling) {
		shown := u.show()
		shown.State = Verifying
		return shown, nil
	}
	if err != nil {
		return Upload{}, err
	}
	right, err := s.verify(ctx, verifying, by.Installation, &u, object)
	if err != nil {
		return Upload{}, err
	}
	if !right {
		if u.offset < u.file.Size {
			return u.show(), nil
		}
		if _, err := s.giveUp(ctx, by, u, Refused); err != nil {
			return Upload{}, err
		}
		return Upload{}, fault.Invalidf("WRONG_HASH", "the received bytes are not the announced file: the length or the SHA-256 differs; create a new upload")
	}
	value, err := u.file.describe()
	if err != nil {
		return Upload{}, err
	}
	w := kv.Write{
		Key: u.new.Key, Idx: u.new.Idx, Value: value, Committed: u.new.Committed,
		ReadCaps: u.new.ReadCaps, WriteCaps: u.new.WriteCaps,
	}
	_, err = s.records.PutFile(ctx, by, w, kv.File{Object: id, ETag: object.etag}, u.new.condition(),
		func(rec kv.Record, generation string) []table.Write { return s.done(by, u, rec, generation) })
	// Another call, or a try of this call whose response was lost, may have written
	// the row meanwhile. A condition that held before fails on that row.
	var refused *fault.Error
	if err != nil && !errors.Is(err, kv.ErrSuperseded) && !errors.As(err, &refused) {
		return Upload{}, err
	}
	wrote := err == nil
	u, readErr := s.read(ctx, by.Installation, id)
	switch {
	case readErr != nil && refused != nil && refused.Kind == fault.Busy: // nothing more can be said than PutFile says
		return Upload{}, errors.Join(err, readErr)
	case readErr != nil:
		return Upload{}, readErr
	case u.state == Done && wrote: // PutFile has settled it
		return u.show(), nil
	case u.state == Done:
		if err := s.settle(ctx, by.Installation, by.Author.At, u); err != nil {
			return Upload{}, err
		}
		return u.show(), nil
	case refused != nil:
		return Upload{}, err
	}
	return Upload{}, fault.ErrNotFound // aborted or expired meanwhile
}

// object describes the object that arrived in the bucket.
type object struct {
	size   int64
	etag   string
	sha256 string // hexadecimal; only for a file that was sent in one request
}

// assemble returns the upload's object. If the file was sent in parts, it makes S3
// assemble them first. It fails with errAssembling if S3 is not ready when verifying
// ends.
func (s *Store) assemble(ctx, verifying context.Context, ns vcs.Installation, u upload) (object, error) {
	o, ok, err := s.head(ctx, ns, u)
	if err != nil || ok {
		return o, err
	}
	if u.partSize == 0 {
		return object{}, fault.Invalidf("INCOMPLETE_UPLOAD", "no bytes have arrived yet; send the file to its URL first")
	}
	var parts []s3types.CompletedPart
	count := partCount(u.file.Size, u.partSize)
	for after := 0; after < count; after += MaxPage {
		there, err := s.arrived(ctx, ns, u, after, MaxPage)
		if gone(err) {
			// S3 keeps the parts of an upload that is not over until they are
			// assembled. So an earlier call has started that.
			return object{}, errAssembling
		}
		if err != nil {
			return object{}, err
		}
		for n := after + 1; n <= min(count, after+MaxPage); n++ {
			if there[n].etag == "" || there[n].size != u.partLength(n) {
				return object{}, fault.Invalidf("INCOMPLETE_UPLOAD",
					"part %d has not arrived, or is not %d bytes long; GET the upload for the URLs of what is missing", n, u.partLength(n))
			}
			parts = append(parts, s3types.CompletedPart{PartNumber: aws.Int32(int32(n)), ETag: aws.String(there[n].etag)})
		}
	}
	_, err = s.objects.CompleteMultipartUpload(verifying, &s3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: s.name(ns, u), UploadId: &u.multipart,
		MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil && !gone(err) && !table.Ambiguous(err) {
		return object{}, fmt.Errorf("put parts together: %w", err)
	}
	// Whatever S3 responded, only the object counts.
	o, ok, err = s.head(ctx, ns, u)
	if err == nil && !ok {
		err = errAssembling
	}
	return o, err
}

func (s *Store) head(ctx context.Context, ns vcs.Installation, u upload) (object, bool, error) {
	out, err := s.objects.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &s.bucket, Key: s.name(ns, u), ChecksumMode: s3types.ChecksumModeEnabled,
	})
	var missing *s3types.NotFound
	if errors.As(err, &missing) {
		return object{}, false, nil
	}
	if err != nil {
		return object{}, false, fmt.Errorf("head object: %w", err)
	}
	o := object{size: aws.ToInt64(out.ContentLength), etag: aws.ToString(out.ETag)}
	if u.partSize == 0 && out.ChecksumSHA256 != nil {
		sum, err := base64.StdEncoding.DecodeString(*out.ChecksumSHA256)
		if err != nil {
			return object{}, false, fmt.Errorf("checksum of object: %w", err)
		}
		o.sha256 = hex.EncodeToString(sum)
	}
	return o, true, nil
}

// verify reports whether the object is the announced file. If S3 states the
// object's SHA-256, verify compares it. Otherwise it reads the file, beginning
// where the last call stopped. It also returns false if it has not read the file to
// its end; then u.offset says how many bytes were read.
func (s *Store) verify(ctx, verifying context.Context, ns vcs.Installation, u *upload, o object) (bool, error) {
	if o.size != u.file.Size || o.sha256 != "" {
		u.offset = u.file.Size
		return o.size == u.file.Size && o.sha256 == u.file.SHA256, nil
	}
	sum := sha256.New()
	if len(u.hash) > 0 {
		if err := sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(u.hash); err != nil {
			return false, fmt.Errorf("restore hash: %w", err)
		}
	}
	if u.offset < u.file.Size {
		if err := s.read256(ctx, verifying, ns, u, o, sum); err != nil {
			return false, err
		}
	}
	if u.offset < u.file.Size {
		return false, s.saveHash(ctx, ns, u, sum)
	}
	return hex.EncodeToString(sum.Sum(nil)) == u.file.SHA256, nil
}

// read256 adds bytes of the object to its hash until verifying ends.
func (s *Store) read256(ctx, verifying context.Context, ns vcs.Installation, u *upload, o object, sum hash.Hash) error {
	out, err := s.objects.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: s.name(ns, *u), IfMatch: &o.etag, Range: aws.String(fmt.Sprintf("bytes=%d-", u.offset)),
	})
	if err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	defer out.Body.Close()
	buffer := make([]byte, 1<<20)
	for u.offset < u.file.Size && verifying.Err() == nil {
		n, err := out.Body.Read(buffer)
		sum.Write(buffer[:n])
		u.offset += int64(n)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read file: %w", err)
		}
		if errors.Is(err, io.EOF) && u.offset < u.file.Size {
			return fmt.Errorf("file ended after %d bytes: %w", u.offset, io.ErrUnexpectedEOF)
		}
	}
	return nil
}

// saveHash stores how far the file was read. Every state that was saved is correct
// for its offset, so calls that run at the same time cannot harm one another.
func (s *Store) saveHash(ctx context.Context, ns vcs.Installation, u *upload, sum hash.Hash) error {
	state, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return fmt.Errorf("save hash: %w", err)
	}
	u.hash = state
	err = s.table.Update(ctx, table.Change(uploadKey(ns, u.id)).
		Set("hs", attr.Bytes(state)).Set("ho", attr.Int(u.offset)).If(pending()))
	if _, over := table.ConditionFailed(err); over {
		return nil // another call completed or aborted it; the next call will see that
	}
	if err != nil {
		return fmt.Errorf("save hash: %w", err)
	}
	return nil
}

// discardParts makes S3 delete the parts of an upload that is over.
func (s *Store) discardParts(ctx context.Context, ns vcs.Installation, u upload) error {
	if u.multipart == "" {
		return nil
	}
	_, err := s.objects.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: s.name(ns, u), UploadId: &u.multipart})
	if err != nil && !gone(err) {
		return fmt.Errorf("discard parts: %w", err)
	}
	return nil
}
