package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/kv/garbage"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestRunsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, function, map[string]costs.Scenario{
		"a run, nothing stored": collecting(func(*testing.T, stored) {}),
		"a run, 1 installation": collecting(func(t *testing.T, s stored) { s.value(t, "1") }),
		"a run, 2 installations": collecting(func(t *testing.T, s stored) {
			s.value(t, "1")
			s.value(t, "2")
		}),
		"a run, 1 installation, 1,000 values in the bucket": collecting(func(t *testing.T, s stored) { s.many(t, 1000) }),
		"a run that removes 1,000 rows of a deleted key": collecting(func(t *testing.T, s stored) {
			s.many(t, 1000)
			s.deleteOld(t)
		}),
		"a run that finds 1,000 objects which nobody names": collecting(func(t *testing.T, s stored) { s.orphans(t, 1000) }),
		"a run that removes these objects": collecting(func(t *testing.T, s stored) {
			s.orphans(t, 1000)
			s.collect(t, 2*time.Hour)
		}),
		"a run that discards 10 uploads which nobody completed": collecting(func(t *testing.T, s stored) { s.announced(t, 10) }),
		"a run that removes 10 files whose records are deleted": collecting(func(t *testing.T, s stored) {
			s.deletedFiles(t, 10)
			s.collect(t, 2*time.Hour)
		}),
	}, "Garbage")
}

// stored is the data that the collector processes.
type stored struct {
	*functiontest.Rig
	records *kv.Store       // of the test, which also writes
	files   *artifact.Store // of the test
	handler collector
}

const function = "CollectorFunction"

// stores returns the stores with the clients of an env.
func stores(env *storagetest.Env) (*kv.Store, *artifact.Store) {
	table, bucket := env.Table("KvTable"), env.Bucket("KvBucket")
	records := kv.New(env.DynamoDB, env.S3, table, bucket)
	return records, artifact.NewStore(env.DynamoDB, env.S3, records, table, bucket, artifact.Limits{})
}

// collecting returns a scenario of one run, three hours and a day after the data
// was prepared.
func collecting(prepare func(*testing.T, stored)) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		of := functiontest.On(env, function)
		s := stored{Rig: of}
		s.records, s.files = stores(env)
		role := m.Role(function)
		records, files := stores(role)
		s.handler = collector{
			run: garbage.New(records, files, role.S3, role.Bucket("KvBucket"), garbage.Rest{Write: garbage.WriteRest, Keep: 24 * time.Hour}).Run,
			log: of.Logger(), now: of.Clock.Now,
		}
		prepare(t, s)
		m.Start()
		m.Invoke("collector")
		s.collect(t, 27*time.Hour)
		return m
	}
}

// collect runs the collector at a time that is later than now.
func (s stored) collect(t *testing.T, later time.Duration) {
	t.Helper()
	s.Clock.Set(time.Now().Add(later))
	if _, err := s.handler.handle(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// author returns an author at about this time. The milliseconds do not end in
// zeros: such zeros take no bytes of a DynamoDB number, and a thousand rows would
// show the difference.
func author() change.Author {
	return change.Author{
		Principal: uuid.NewString(), Credential: uuid.NewString(), Request: uuid.NewString(), Source: "203.0.113.250",
		At: time.Now().Truncate(time.Second).Add(123 * time.Millisecond),
	}
}

func (s stored) set(t *testing.T, installation, key string, idx, size int) {
	t.Helper()
	v, err := canonical.Parse([]byte(`"` + strings.Repeat("x", size-2) + `"`))
	if err != nil {
		t.Fatal(err)
	}
	ns := vcs.Installation{VCS: "github", ID: vcs.ID(installation)}
	if _, err := s.records.Set(t.Context(), kv.Caller{Installation: ns, Author: author()}, kv.Write{Key: key, Idx: idx, Value: v, Committed: true}); err != nil {
		t.Fatal(err)
	}
}

func (s stored) value(t *testing.T, installation string) {
	t.Helper()
	s.set(t, installation, strings.Repeat("k", 40), 0, kv.InlineMax+1)
}

// many makes one key with n chunks. It writes one chunk and copies its row and
// object for the others, because writing takes long.
func (s stored) many(t *testing.T, n int) {
	t.Helper()
	s.set(t, "1", strings.Repeat("k", 40), 1, kv.InlineMax+1)
	var row attr.Item
	for _, it := range s.items(t) {
		if strings.Count(attr.Read(it).String("pk"), ":") == 2 {
			row = it
		}
	}
	s.each(t, n-1, func(ctx context.Context, i int) error {
		id := kv.NewObjectID()
		if err := s.put(ctx, id); err != nil {
			return err
		}
		another := maps.Clone(row)
		another["vo"], another["sk"] = attr.String(id), attr.Bytes([]byte{0x80 + byte((i+2)>>8), byte(i + 2)})
		_, err := s.Env.DynamoDB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(s.Env.Table("KvTable")), Item: another})
		return err
	})
}

// deleteOld deletes the key that many made, and forgets its objects.
func (s stored) deleteOld(t *testing.T) {
	t.Helper()
	ns := vcs.Installation{VCS: "github", ID: "1"}
	if _, err := s.records.Delete(t.Context(), kv.Caller{Installation: ns, Author: author()}, kv.Target{Key: strings.Repeat("k", 40)}, nil); err != nil {
		t.Fatal(err)
	}
	pages := s3.NewListObjectsV2Paginator(s.Env.S3, &s3.ListObjectsV2Input{Bucket: aws.String(s.Env.Bucket("KvBucket"))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			if _, err := s.Env.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(s.Env.Bucket("KvBucket")), Key: o.Key}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// orphans makes n objects that no row names, in a registered installation.
func (s stored) orphans(t *testing.T, n int) {
	t.Helper()
	s.set(t, "1", strings.Repeat("k", 40), 1, 10)
	s.each(t, n, func(ctx context.Context, _ int) error { return s.put(ctx, kv.NewObjectID()) })
}

// announced announces n files and sends none.
func (s stored) announced(t *testing.T, n int) {
	t.Helper()
	s.each(t, n, func(ctx context.Context, i int) error {
		_, _, err := s.announce(ctx, i)
		return err
	})
}

var body = []byte(strings.Repeat("x", 1000))

func (s stored) announce(ctx context.Context, i int) (artifact.Upload, artifact.Page, error) {
	sum := sha256.Sum256(body)
	return s.files.Create(ctx, kv.Caller{Installation: vcs.Installation{VCS: "github", ID: "1"}, Author: author()}, artifact.New{
		Key: fmt.Sprintf("%040d", i), Committed: true,
		File: artifact.File{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), ContentType: "application/zip"},
	})
}

// deletedFiles makes n files and deletes their records.
func (s stored) deletedFiles(t *testing.T, n int) {
	t.Helper()
	s.each(t, n, func(ctx context.Context, i int) error {
		u, page, err := s.announce(ctx, i)
		if err != nil {
			return err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, page.Put.URL, bytes.NewReader(body))
		if err != nil {
			return err
		}
		for name, value := range page.Put.Headers {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil {
			return err
		}
		ns := vcs.Installation{VCS: "github", ID: "1"}
		if _, err := s.files.Complete(ctx, kv.Caller{Installation: ns, Author: author()}, u.ID); err != nil {
			return err
		}
		_, err = s.records.Delete(ctx, kv.Caller{Installation: ns, Author: author()}, kv.Target{Key: u.Key}, nil)
		return err
	})
}

func (s stored) put(ctx context.Context, id string) error {
	name := kv.ObjectName(vcs.Installation{VCS: "github", ID: "1"}, id)
	_, err := s.Env.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(s.Env.Bucket("KvBucket")), Key: &name})
	return err
}

func (s stored) each(t *testing.T, n int, do func(context.Context, int) error) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (s stored) items(t *testing.T) []map[string]types.AttributeValue {
	t.Helper()
	out, err := s.Env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(s.Env.Table("KvTable"))})
	if err != nil {
		t.Fatal(err)
	}
	return out.Items
}
