package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/trouble"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/garbage"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// rest is longer than any operation of a soak takes, even with late requests and a busy
// machine.
var rest = garbage.Rest{Write: 20 * time.Second, Keep: 20 * time.Second}

// collectEvery is the minimum pause of the collector. If a collection took longer, the pause is
// as long as the collection.
const collectEvery = 2 * time.Second

// collecting is the garbage collection of a soak.
type collecting struct {
	env    *storagetest.Env
	client *client.Direct
}

func (g collecting) collector(by *storagetest.Env, rest garbage.Rest) *garbage.Collector {
	return garbage.New(g.client.Store, g.client.Artifacts, by.S3, g.env.Bucket("KvBucket"), rest)
}

func (g collecting) author(later time.Duration) change.Author {
	return change.Author{Principal: "collector", Request: uuid.NewString(), At: time.Now().Add(later)}
}

// run collects while clients work, until stop is closed. Its network fails like that of the
// clients. A later run repeats what a failed run left.
func (g collecting) run(by *storagetest.Env, counts *trouble.Counts, stop <-chan struct{}) {
	c := g.collector(by, rest)
	pause := collectEvery
	for {
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
		began := time.Now()
		report, err := c.Run(context.Background(), g.author(0))
		if err != nil {
			counts.Add("collection failed")
		}
		counts.Count("collected rows", report.Rows)
		counts.Count("collected objects", report.Removed)
		counts.Count("collected files", report.FilesReleased)
		pause = max(collectEvery, time.Since(began))
	}
}

// finish runs after the clients have ended. It collects until nothing is left to collect, and
// returns an error about what should not be there: objects that no row and no possible upload
// names, rows without a head, and bytes that count against the quota but belong to no file.
func (g collecting) finish() error {
	ctx := context.Background()
	for n := range 2 {
		later := time.Duration(n+1) * 2 * time.Hour // at this time the uploads under way have not expired
		if _, err := g.collector(g.env, garbage.Rest{Write: garbage.WriteRest, Keep: garbage.MinKeep}).Run(ctx, g.author(later)); err != nil {
			return fmt.Errorf("collect at the end: %w", err)
		}
	}
	l, err := g.look(ctx)
	if err != nil {
		return fmt.Errorf("look what is left: %w", err)
	}
	return l.wrong()
}

// leftover is the content of a table and a bucket.
type leftover struct {
	named, pending, objects map[string]struct{}
	generations             map[string]struct{} // partitions of rows that a head names
	rows                    map[string]int      // by partition
	retired                 int
	counted, held           int64 // bytes
	// countedUnderWay and underWay are the bytes of uploads that are not records yet.
	countedUnderWay, underWay int64
}

func (g collecting) look(ctx context.Context) (*leftover, error) {
	l := &leftover{
		named: map[string]struct{}{}, pending: map[string]struct{}{}, objects: map[string]struct{}{},
		generations: map[string]struct{}{}, rows: map[string]int{},
	}
	ns := g.client.Namespace
	items := dynamodb.NewScanPaginator(g.env.DynamoDB, &dynamodb.ScanInput{TableName: aws.String(g.env.Table("KvTable")), ConsistentRead: aws.Bool(true)})
	for items.HasMorePages() {
		page, err := items.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			l.item(attr.Read(it), kv.Stored(ns))
		}
	}
	prefix := ns.String() + "/"
	pages := s3.NewListObjectsV2Paginator(g.env.S3, &s3.ListObjectsV2Input{Bucket: aws.String(g.env.Bucket("KvBucket")), Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			l.objects[strings.TrimPrefix(aws.ToString(o.Key), prefix)] = struct{}{}
		}
	}
	return l, nil
}

func (l *leftover) item(r *attr.Reader, namespace string) {
	pk := r.String("pk")
	if object := r.String("vo"); object != "" {
		l.named[object] = struct{}{}
	}
	switch state := r.String("us"); {
	case pk == "NAMESPACE":
		l.counted += r.Int("by")
	case strings.HasPrefix(pk, "RETIRED:"):
		l.retired++
	case strings.HasPrefix(pk, "UPLOADER:"):
		l.countedUnderWay += r.Int("ub")
	case state == "done" && !r.Has("ttl"):
		l.held += r.Int("fs")
	case state != "" && !r.Has("ttl"): // under way, or ended and not yet discarded
		l.pending[string(r.Bytes("sk"))] = struct{}{}
		l.held += r.Int("fs")
		l.underWay += r.Int("fs")
	case state != "":
	case pk == namespace:
		l.generations[pk+":"+r.String("gn")] = struct{}{}
	default:
		l.rows[pk]++
	}
}

func (l *leftover) wrong() error {
	var all []error
	for object := range l.objects {
		_, named := l.named[object]
		if _, pending := l.pending[object]; !named && !pending {
			all = append(all, fmt.Errorf("object %s is named by no row", object))
		}
	}
	for object := range l.named {
		if _, ok := l.objects[object]; !ok {
			all = append(all, fmt.Errorf("object %s is gone, and a row names it", object))
		}
	}
	for partition, n := range l.rows {
		if _, ok := l.generations[partition]; !ok {
			all = append(all, fmt.Errorf("%d rows of %s belong to no head", n, partition))
		}
	}
	if l.retired > 0 {
		all = append(all, fmt.Errorf("%d deletes were not followed up", l.retired))
	}
	if l.counted != l.held {
		all = append(all, fmt.Errorf("%d bytes count against the quota, uploads hold %d", l.counted, l.held))
	}
	if l.countedUnderWay != l.underWay {
		all = append(all, fmt.Errorf("%d bytes count as under way, uploads under way hold %d", l.countedUnderWay, l.underWay))
	}
	const few = 10
	return errors.Join(all[:min(few, len(all))]...)
}
