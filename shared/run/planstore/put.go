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

// Put stores the plan of a dirspace of a run. It replaces an earlier plan of it. It
// returns ErrInactive, and stores nothing, if the run is neither queued nor running.
// The caller has checked that the dirspace belongs to the run. It is safe to repeat.
//
// A plan that was stored is there on the next read: the object is written first, and
// one transaction checks the run and writes the item.
func (s Store) Put(ctx context.Context, id run.ID, d run.Dirspace, plan []byte, hasChanges bool, now time.Time) error {
	digest := digestOf(plan)
	_, err := s.Objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: aws.String(object(id, d, digest)), Body: bytes.NewReader(plan),
		ContentType: aws.String("application/octet-stream"),
	})
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	item := key(id, d)
	for name, value := range map[string]string{attrDir: d.Dir, attrWorkspace: d.Workspace, attrDigest: digest} {
		item[name] = attr.String(value)
	}
	item[attrChanges], item[attrSize] = attr.Bool(hasChanges), attr.Int(int64(len(plan)))
	item[attrStored], item[attrTTL] = attr.Time(now), attr.Time(now.Add(s.Keep))
	t := s.table()
	err = t.Transact(ctx,
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
