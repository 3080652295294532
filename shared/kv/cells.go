package kv

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/kv/overlay"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// extent says which rows of a key are read, and how.
type extent struct {
	// from is the first idx.
	from int
	// first is the maximum number of rows of the first read; 0 means as many as fit
	// on a page. Every row that is read costs money, also a row after the cell at
	// which the caller stops.
	first int
	// values says that the values in the rows are read too.
	values bool
	// budget is what the reads may use. A nil budget has no limit.
	budget *Budget
}

// withoutValues lists the attributes of a row that a reader needs if it does not
// want the value. DynamoDB reads whole items and charges for them, but it does not
// have to send the attributes that are left out.
const withoutValues = "sk, vr, rv, cm, rc, wc, sz, wt, wa"

// read calls do for the cells of a key in ascending order of idx, until do returns
// false. Some of these cells may not exist. If the budget is spent before the last
// cell, end is the last idx that read has covered.
func (s *Store) read(ctx context.Context, ns vcs.Installation, h head, e extent, do func(idx int, c cell, committed bool) bool) (end *int, err error) {
	headDue := e.from <= 0
	if h.more {
		published, err := overlay.Decode(h.overlay)
		if err != nil {
			return nil, err
		}
		stopped := false
		end, err = s.eachRow(ctx, rowPartition(ns, h.generation), e, func(r row) bool {
			if headDue && r.idx > 0 {
				headDue = false
				stopped = !do(0, h.cell, h.committed)
			}
			if !stopped && r.exists() {
				stopped = !do(r.idx, r.cell, r.committed || published.Has(r.idx, *r.revision))
			}
			return !stopped
		})
		if err != nil || stopped || end != nil {
			return end, err
		}
	}
	if headDue {
		do(0, h.cell, h.committed)
	}
	return nil, nil
}

// eachRow calls do for the rows of a generation's partition in ascending order of
// idx, until do returns false. The reads are strongly consistent. If the budget is
// spent first, end is the last idx that was read.
func (s *Store) eachRow(ctx context.Context, partition string, e extent, do func(row) bool) (end *int, err error) {
	in := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		KeyConditionExpression:    aws.String("pk = :pk AND sk >= :from"),
		ExpressionAttributeValues: attr.Item{":pk": attr.String(partition), ":from": attr.Bytes(rowSort(e.from))},
	}
	if e.first > 0 {
		in.Limit = aws.Int32(int32(e.first))
	}
	if !e.values {
		in.ProjectionExpression = aws.String(withoutValues)
	}
	for {
		out, err := s.db.Query(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("query rows: %w", err)
		}
		e.budget.take(out.ConsumedCapacity, len(out.Items))
		for _, it := range out.Items {
			r, err := decodeRow(it)
			if err != nil || !do(r) {
				return nil, err
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			return nil, nil
		}
		if e.budget.Spent() {
			last, err := decodeRow(out.LastEvaluatedKey)
			return &last.idx, err
		}
		in.ExclusiveStartKey, in.Limit = out.LastEvaluatedKey, nil
	}
}
