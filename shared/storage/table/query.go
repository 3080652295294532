package table

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Query selects items of one partition of a table or of an index.
type Query struct {
	// Index is the name of the index. Empty means the table itself.
	Index string
	// Key has the condition Equal for the partition key, and may have one more for
	// the sort key: Equal, Less, AtMost, Greater, AtLeast, Between or BeginsWith.
	Key []Condition
	// Filter leaves out items that were read. They count for Limit, and they cost.
	Filter []Condition
	// Names are the attributes to return. Empty means all. The cost is that of
	// whole items.
	Names []string
	// Backward lists in descending order of the sort key.
	Backward bool
	// Limit is the number of items that one page reads. 0 reads up to 1 MB, which
	// is the most that DynamoDB reads at once.
	Limit int
	// After is the Next of an earlier page of the same query. Nil starts at the
	// beginning.
	After Item
	// Eventual reads at half the cost, and may miss what was written just before. A
	// query of a global index must set it.
	Eventual bool
	// CountOnly returns only numbers, no items. The cost is the same.
	CountOnly bool
	// Measure returns what the page cost.
	Measure bool
}

// Page is one part of what a query finds.
type Page struct {
	// Items are in the order of the sort key.
	Items []Item
	// Next says where the query continues. Use it as After. It is nil if this is
	// the last page. It may be set although no more items follow.
	Next Item
	// Count is the number of items that passed the filter. Read is the number of
	// items that were read.
	Count, Read int
	// Units is the number of read capacity units of the page. It is set only if the
	// query has Measure.
	Units float64
}

// Query reads one page, in one request.
func (t Table) Query(ctx context.Context, q Query) (Page, error) {
	out, err := t.DB.Query(ctx, q.input(t.Name))
	if err != nil {
		return Page{}, err
	}
	page := Page{Items: out.Items, Count: int(out.Count), Read: int(out.ScannedCount)}
	if len(out.LastEvaluatedKey) > 0 {
		page.Next = out.LastEvaluatedKey
	}
	if out.ConsumedCapacity != nil {
		page.Units = aws.ToFloat64(out.ConsumedCapacity.CapacityUnits)
	}
	return page, nil
}

// Pages reads one page after the other, in one request each. It ends after the last
// page, when the caller leaves the loop, or at an error.
func (t Table) Pages(ctx context.Context, q Query) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		for {
			page, err := t.Query(ctx, q)
			if !yield(page, err) || err != nil || page.Next == nil {
				return
			}
			q.After = page.Next
		}
	}
}

// All reads all pages. Use it for partitions that no caller can make grow without
// limit.
func (t Table) All(ctx context.Context, q Query) ([]Item, error) {
	var items []Item
	for page, err := range t.Pages(ctx, q) {
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
	}
	return items, nil
}

func (q Query) input(table string) *dynamodb.QueryInput {
	e := newExpression()
	in := &dynamodb.QueryInput{
		TableName: &table, ConsistentRead: aws.Bool(!q.Eventual), ScanIndexForward: aws.Bool(!q.Backward), ExclusiveStartKey: q.After,
		KeyConditionExpression: e.all(q.Key), FilterExpression: e.all(q.Filter), ProjectionExpression: e.projection(q.Names),
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	if q.Index != "" {
		in.IndexName = &q.Index
	}
	if q.Limit > 0 {
		in.Limit = aws.Int32(int32(q.Limit))
	}
	if q.CountOnly {
		in.Select = types.SelectCount
	}
	if q.Measure {
		in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	}
	return in
}
