package planstore

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// contentType is the media type of the objects.
const contentType = "application/octet-stream"

// Put stores the plan of a dirspace of a run. It replaces an earlier plan of it. It
// returns ErrInactive, and stores nothing, if the run is neither queued nor running.
// The caller has checked that the dirspace belongs to the run. It is safe to repeat.
//
// A plan that was stored is there on the next read: the object is written first, and
// one transaction checks the run and writes the item.
func (s Store) Put(ctx context.Context, id run.ID, d run.Dirspace, plan []byte, hasChanges bool, now time.Time) error {
	content := Content{Size: int64(len(plan)), Digest: digestOf(plan)}
	_, err := s.Objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: aws.String(object(id, d, content.Digest)), Body: bytes.NewReader(plan),
		ContentType: aws.String(contentType),
	})
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return s.write(ctx, id, Plan{Dirspace: d, HasChanges: hasChanges, Content: content, StoredAt: now, ExpiresAt: now.Add(s.Keep)})
}

// write makes the object of a plan, which is there, the plan of its dirspace.
func (s Store) write(ctx context.Context, id run.ID, p Plan) error {
	item := key(id, p.Dirspace)
	for name, value := range map[string]string{attrDir: p.Dirspace.Dir, attrWorkspace: p.Dirspace.Workspace, attrDigest: p.Digest} {
		item[name] = attr.String(value)
	}
	item[attrChanges], item[attrSize] = attr.Bool(p.HasChanges), attr.Int(p.Size)
	item[attrStored], item[attrTTL] = attr.Time(p.StoredAt), attr.Time(p.ExpiresAt)
	if p.Uploaded {
		item[attrUploaded] = attr.Bool(true)
	}
	t := s.table()
	err := t.Transact(ctx,
		t.WriteCheck(runstore.Key(id), table.In("state", attr.String(string(run.Queued)), attr.String(string(run.Running)))),
		t.WritePut(item))
	if _, inactive := table.ConditionFailedAt(err, 0); inactive {
		return ErrInactive
	}
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}
