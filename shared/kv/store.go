package kv

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store is the key-value store over one table and one bucket. It is safe for
// concurrent use, also by other processes.
type Store struct {
	db         *dynamodb.Client
	table      string
	bodies     bodies
	registered sync.Map // of vcs.Installation: what register has written
	limits     limits
}

// New makes a store. The table and the bucket are those that template.yaml
// declares as KvTable and KvBucket.
func New(db *dynamodb.Client, objects *s3.Client, table, bucket string) *Store {
	return &Store{db: db, table: table, bodies: bodies{objects, bucket}, limits: standardLimits}
}

// tries bounds how often an operation starts again because another writer came
// between its read and its write.
const tries = 10

// errContended is answered when all tries were lost to other writers.
var errContended = fault.Busyf("CONTENDED", "the row is being written by too many callers at once; try again")

// errUnknown is answered when the server's reply to a write was lost and what
// was read afterwards does not tell whether the write took effect. To write
// again by ourselves could apply it twice.
var errUnknown = fault.Busyf("OUTCOME_UNKNOWN",
	"storage did not answer, and the write may or may not have taken effect; read the row, then decide whether to write again")

// getItem reads one item, strongly consistent; nil if there is none.
func (s *Store) getItem(ctx context.Context, key attr.Item) (attr.Item, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: key, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("get item: %w", err)
	}
	return out.Item, nil
}

// getHead reads the head of a key; ok is false if there is none.
func (s *Store) getHead(ctx context.Context, ns vcs.Installation, key string) (h head, ok bool, err error) {
	it, err := s.getItem(ctx, headKey(ns, key))
	if err != nil || it == nil {
		return head{}, false, err
	}
	h, err = decodeHead(it)
	return h, true, err
}

// getCell reads one cell; one that does not exist if there is no item.
func (s *Store) getCell(ctx context.Context, key attr.Item) (cell, error) {
	it, err := s.getItem(ctx, key)
	if err != nil {
		return cell{}, err
	}
	return decodeCell(it)
}

// outcome is what became of a conditional update.
type outcome struct {
	// item is the item afterwards if done, else as it stands; nil if none.
	item attr.Item
	// done reports whether the update took effect.
	done bool
	// unsure reports that the server failed or its answer was lost: item was
	// read afterwards, and the update may have taken effect before.
	unsure bool
	// late reports that the request may still be on its way: it may take
	// effect after the item was read.
	late bool
}

// update makes one conditional update. It is sent again only when nothing can
// have happened.
func (s *Store) update(ctx context.Context, key attr.Item, e *edit) (outcome, error) {
	in := e.input(s.table, key)
	out, err := s.db.UpdateItem(ctx, in, awsclient.RetryDefinite)
	var failed *types.ConditionalCheckFailedException
	switch {
	case err == nil:
		return outcome{item: out.Attributes, done: true}, nil
	case errors.As(err, &failed):
		return outcome{item: failed.Item}, nil
	case awsclient.Ambiguous(err) && ctx.Err() == nil:
		it, readErr := s.getItem(ctx, key)
		if readErr != nil {
			return outcome{}, errors.Join(errUnknown, err, readErr)
		}
		return outcome{item: it, unsure: true, late: !awsclient.Answered(err)}, nil
	}
	return outcome{}, fmt.Errorf("update item: %w", err)
}
