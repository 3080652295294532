package garbage_test

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// copied is the content of a table and a bucket.
type copied struct {
	items   []attr.Item
	objects []object
}

type object struct {
	name, contentType string
	content           []byte
}

var (
	firstLitter sync.Once
	oneLitter   copied
)

// littered returns a new rig with litter, two rows of it in a deleted key. The
// litter takes a hundred requests. So only the first rig gets it that way, and the
// others get a copy.
func littered(t testing.TB) *rig {
	t.Helper()
	firstLitter.Do(func() {
		r := newRig(t)
		litter(t, r, 2)
		oneLitter = r.copy(t)
	})
	if len(oneLitter.items) == 0 {
		t.Fatal("another test has failed to make the litter")
	}
	r := newRig(t)
	r.paste(t, oneLitter)
	return r
}

func (r *rig) copy(t testing.TB) copied {
	t.Helper()
	c := copied{items: r.items(t)}
	bucket := aws.String(r.env.Bucket("KvBucket"))
	for pages := s3.NewListObjectsV2Paginator(r.env.S3, &s3.ListObjectsV2Input{Bucket: bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, listed := range page.Contents {
			out, err := r.env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: listed.Key})
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = out.Body.Close()
			c.objects = append(c.objects, object{*listed.Key, aws.ToString(out.ContentType), content})
		}
	}
	return c
}

func (r *rig) paste(t testing.TB, c copied) {
	t.Helper()
	table, bucket := r.env.Table("KvTable"), aws.String(r.env.Bucket("KvBucket"))
	for batch := range slices.Chunk(c.items, 25) {
		var puts []types.WriteRequest
		for _, it := range batch {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		}
		out, err := r.env.DynamoDB.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: puts}})
		if err != nil || len(out.UnprocessedItems) > 0 {
			t.Fatalf("paste items: %v, %d items are left", err, len(out.UnprocessedItems))
		}
	}
	for _, o := range c.objects {
		_, err := r.env.S3.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: bucket, Key: &o.name, Body: bytes.NewReader(o.content), ContentType: &o.contentType,
			ChecksumAlgorithm: s3types.ChecksumAlgorithmSha256,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
