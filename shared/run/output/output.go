// Package output stores what the steps of a run printed, and reads it back in pages.
//
// The payloads of all steps are one object in RunsBucket, one after the other.
// RunsTable has an index of the steps beside the run: what each step was, and the
// range of its payload. So a page is one query and usually one ranged read, and a
// list without payloads needs no object.
//
// The invariant: what a run's item names never changes. An object and its part of
// the index are named by the hash of what they hold, so two different results of one
// run never overwrite each other. What no run's item names is never read, and
// expires. The object holds what package result returns, so it has no value of a
// sensitive output.
//
// A role that reads outputs needs s3:ListBucket too: without it, S3 does not say that
// an object is gone, but refuses ("GetObject", AWS documentation).
package output

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Store stores outputs. It is safe for concurrent use.
type Store struct {
	table   table.Table
	objects *s3.Client
	signer  *s3.PresignClient
	bucket  string
}

// New returns a store. tableName and bucket are the names of RunsTable and
// RunsBucket.
func New(db *dynamodb.Client, objects *s3.Client, tableName, bucket string) *Store {
	return &Store{table.Table{DB: db, Name: tableName}, objects, s3.NewPresignClient(objects), bucket}
}

// ErrExpired is returned where a run names outputs that are gone. It happens only
// around the end of the time for which a run is kept.
var ErrExpired = errors.New("the outputs have expired")

// parallel is the largest number of requests that one operation makes at once.
const parallel = 8

// Prefixes of the names of objects. The lifecycle of the bucket knows the second
// one.
const (
	resultsPrefix = "results/"
	textsPrefix   = "texts/"
)

// Remove removes the objects of a run. The index goes with the items of the run. It
// may be called again.
func (s *Store) Remove(ctx context.Context, id run.ID) error {
	for _, prefix := range []string{resultsPrefix, textsPrefix} {
		pages := s3.NewListObjectsV2Paginator(s.objects, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(prefix + string(id) + "/")})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return fmt.Errorf("list outputs: %w", err)
			}
			for _, object := range page.Contents {
				if _, err := s.objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: object.Key}); err != nil {
					return fmt.Errorf("delete %s: %w", aws.ToString(object.Key), err)
				}
			}
		}
	}
	return nil
}

// payloadsName and gatesName return the names of objects. sum is the hash of the
// stored result in hexadecimal.
func payloadsName(id run.ID, sum string) string { return resultsPrefix + string(id) + "/" + sum }
func gatesName(id run.ID, sum string) string    { return payloadsName(id, sum) + "-gates" }

// sumOf returns the hash in the name of a payload object.
func sumOf(payload string) (string, error) {
	sum := path.Base(payload)
	if len(sum) != hex.EncodedLen(sha256.Size) || !strings.HasPrefix(payload, resultsPrefix) {
		return "", fmt.Errorf("%q is not the name of payloads", payload)
	}
	return sum, nil
}

// chunkKey returns the key of the part of the index that begins with a step. The
// items of a run have its partition.
func chunkKey(id run.ID, sum string, first int) table.Item {
	return table.Item{"pk": attr.String("RUN#" + string(id)), "sk": attr.String(chunkSort(sum, first))}
}

// chunkSort returns the sort key. Eight digits are enough for every result that a
// request can carry.
func chunkSort(sum string, first int) string { return fmt.Sprintf("STEPS#%s#%08d", sum, first) }
