package kv

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store is the key-value store in one table and one bucket. It is safe for
// concurrent use, also by several processes.
type Store struct {
	table      table.Table
	sentOnce   table.Table // the same table, for writes whose response must not be lost unnoticed
	bodies     bodies
	registered sync.Map // keys are vcs.Installation: the namespaces whose item register has written
	limits     limits
}

// New returns a store. tableName and bucket are the names of KvTable and KvBucket in
// template.yaml.
func New(db *dynamodb.Client, objects *s3.Client, tableName, bucket string) *Store {
	t := table.Table{DB: db, Name: tableName}
	return &Store{table: t, sentOnce: t.SentOnce(), bodies: bodies{objects, bucket}, limits: standardLimits}
}

// tries is how often an operation is tried. It starts again if another writer came
// between its read and its write.
const tries = 10

// errContended is returned if other writers came between in all tries.
var errContended = fault.Busyf("CONTENDED", "the row is being written by too many callers at once; try again")

// errUnknown is returned if the response to a write was lost and a read afterwards
// does not show whether the write took effect. The store does not write again by
// itself, because that could apply the write twice.
var errUnknown = fault.Busyf("OUTCOME_UNKNOWN",
	"storage did not answer, and the write may or may not have taken effect; read the row, then decide whether to write again")

// getItem reads one item, strongly consistent. It returns nil if there is none.
func (s *Store) getItem(ctx context.Context, key attr.Item) (attr.Item, error) {
	it, err := s.table.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("get item: %w", err)
	}
	return it, nil
}

// getHead reads the head of a key. ok is false if there is none.
func (s *Store) getHead(ctx context.Context, ns vcs.Installation, key string) (h head, ok bool, err error) {
	it, err := s.getItem(ctx, headKey(ns, key))
	if err != nil || it == nil {
		return head{}, false, err
	}
	h, err = decodeHead(it)
	return h, true, err
}

// getCell reads one cell. If there is no item, it returns a cell that does not
// exist.
func (s *Store) getCell(ctx context.Context, key attr.Item) (cell, error) {
	it, err := s.getItem(ctx, key)
	if err != nil {
		return cell{}, err
	}
	return decodeCell(it)
}

// outcome is the result of a conditional update.
type outcome struct {
	// item is the new item if done is true, otherwise the present item; nil if
	// there is none.
	item attr.Item
	// done reports whether the update took effect.
	done bool
	// unsure reports that the server failed or that its response was lost. item was
	// read afterwards. The update may have taken effect before that read.
	unsure bool
	// late reports that the request may still be on its way. It may take effect
	// after item was read.
	late bool
}

// update makes one conditional update of the item with a key. It sends the request
// again only if the first one certainly had no effect.
func (s *Store) update(ctx context.Context, key attr.Item, e *table.Edit) (outcome, error) {
	it, err := s.sentOnce.UpdateReturning(ctx, e.KeepOld())
	if err == nil {
		return outcome{item: it, done: true}, nil
	}
	if old, failed := table.ConditionFailed(err); failed {
		return outcome{item: old}, nil
	}
	if !table.Ambiguous(err) || ctx.Err() != nil {
		return outcome{}, fmt.Errorf("update item: %w", err)
	}
	it, readErr := s.getItem(ctx, key)
	if readErr != nil {
		return outcome{}, errors.Join(errUnknown, err, readErr)
	}
	return outcome{item: it, unsure: true, late: !table.Answered(err)}, nil
}
