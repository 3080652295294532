package garbage_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// content returns everything that a reader can see: the value of each row or, for
// an artifact, its file. A row whose object is gone is an error.
func (r *rig) content(t testing.TB) map[string]string {
	t.Helper()
	ctx := context.Background()
	seen := map[string]string{}
	var after *kv.Position
	for {
		page, next, err := r.records.Iterate(ctx, kv.Caller{Installation: r.ns}, kv.Range{Inclusive: true, Prefix: true, Drafts: true, WithData: true, Limit: 1000, After: after})
		if err != nil {
			t.Fatalf("read what is left: %v", err)
		}
		for _, rec := range page {
			value := string(rec.Data)
			if strings.Contains(value, `"sha256"`) {
				value = r.download(t, rec)
			}
			seen[fmt.Sprintf("%s/%d", rec.Key, rec.Idx)] = value
		}
		if after = next; after == nil {
			return seen
		}
	}
}

func (r *rig) download(t testing.TB, rec kv.Record) string {
	t.Helper()
	d, err := r.files.Open(context.Background(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, kv.Position{Key: rec.Key, Idx: rec.Idx}, true)
	if err != nil {
		t.Fatalf("open %s: %v", rec.Key, err)
	}
	response, err := http.Get(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	sum := sha256.New()
	if _, err := fmt.Fprintf(sum, "%s", readAll(t, response)); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("file of %s: %s, %v", rec.Key, response.Status, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != d.File.SHA256 {
		t.Errorf("file of %s has another content", rec.Key)
	}
	return d.File.SHA256
}

func readAll(t testing.TB, response *http.Response) []byte {
	t.Helper()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

// objects returns the ids of the namespace's objects, sorted.
func (r *rig) objects(t testing.TB) []string {
	t.Helper()
	var ids []string
	pages := s3.NewListObjectsV2Paginator(r.env.S3, &s3.ListObjectsV2Input{Bucket: aws.String(r.env.Bucket("KvBucket")), Prefix: aws.String("github/1/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			ids = append(ids, strings.TrimPrefix(*o.Key, "github/1/"))
		}
	}
	slices.Sort(ids)
	return ids
}

// items returns all items of the table.
func (r *rig) items(t testing.TB) []attr.Item {
	t.Helper()
	var items []attr.Item
	pages := dynamodb.NewScanPaginator(r.env.DynamoDB, &dynamodb.ScanInput{TableName: aws.String(r.env.Table("KvTable")), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
	}
	return items
}

// exact requires that only what a record needs is left: every object is named by a
// row, every row belongs to a head, there is no retired generation, and the quota
// counts exactly the files that are records.
func (r *rig) exact(t testing.TB) {
	t.Helper()
	named, generations, rows := map[string]struct{}{}, map[string]struct{}{}, map[string]int{}
	var files, used, underWay, usedUnderWay int64
	for _, it := range r.items(t) {
		read := attr.Read(it)
		pk := read.String("pk")
		if vo := read.String("vo"); vo != "" {
			named[vo] = struct{}{}
		}
		switch {
		case pk == "NAMESPACE":
			used += read.Int("by")
		case strings.HasPrefix(pk, "RETIRED:"):
			t.Errorf("generation %s of %s is still retired", read.Bytes("sk"), read.Bytes("kn"))
		case strings.HasPrefix(pk, "UPLOADER:"):
			usedUnderWay += read.Int("ub")
		case strings.HasPrefix(pk, "UPLOAD:"):
			if !read.Has("ttl") {
				files += read.Int("fs")
				if read.String("us") != "done" {
					underWay += read.Int("fs")
				}
			}
		case pk == kv.Stored(r.ns):
			generations[pk+":"+read.String("gn")] = struct{}{}
		default:
			rows[pk]++
		}
	}
	for partition, count := range rows {
		if _, ok := generations[partition]; !ok {
			t.Errorf("%d rows of %s are left, which no head has", count, partition)
		}
	}
	if left, want := r.objects(t), slices.Sorted(maps.Keys(named)); !slices.Equal(left, want) {
		t.Errorf("%d objects are left, %d are named:\n%v\n%v", len(left), len(want), left, want)
	}
	if used != files {
		t.Errorf("%d bytes count against the quota, uploads hold %d", used, files)
	}
	if usedUnderWay != underWay {
		t.Errorf("%d bytes count as under way, uploads under way hold %d", usedUnderWay, underWay)
	}
}

// damage makes a key's head name an object id that is not valid.
func (r *rig) damage(t testing.TB, key string) {
	t.Helper()
	_, err := r.env.DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(r.env.Table("KvTable")), UpdateExpression: aws.String("SET vo = :x"),
		Key:                       attr.Item{"pk": attr.String(kv.Stored(r.ns)), "sk": attr.Bytes([]byte("k" + key))},
		ExpressionAttributeValues: attr.Item{":x": attr.String("../x")},
	})
	if err != nil {
		t.Fatal(err)
	}
}
