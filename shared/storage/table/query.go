package table

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Query chooses items of one partition of a table or of an index.
type Query struct {
	// Index is the name of the index; empty is the table itself.
	Index string
	// Key has the condition Equal for the partition key, and may have one more for
	// the sort key: Equal, Less, AtMost, Greater, AtLeast, Between or BeginsWith.
	Key []Condition
	// Filter leaves out items that were read. They count for Limit, and they cost.
	Filter []Condition
	// Names are the attributes to return; empty is all. The cost is that of whole
	// items.
	Names []string
	// Backward lists in falling order of the sort key.
	Backward bool
	// Limit is how many items one page reads; 0 reads up to 1 MB, which is the most
	// that DynamoDB reads at once.
	Limit int
	// After is the Next of an earlier page of the same query; nil begins at the
	// beginning.
	After Item
	// Eventual reads at half the cost, and may miss what was written in the last
	// moments. A query of a global index must set it.
	Eventual bool
	// CountOnly returns numbers and no items. The cost is the same.
	CountOnly bool
	// Measure returns what the page cost.
	Measure bool
}

// Page is one part of what a query finds.
type Page struct {
	// Items are in the order of the sort key.
	Items []Item
	// Next is where the query goes on, for After; nil if this is the last page. It
	// may be set though no more items follow.
	Next Item
	// Count is how many items passed the filter, Read how many were read.
	Count, Read int
	// Units is how many read capacity units the page took, if the query was to
	// Measure.
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

// Pages reads page after page, in one request each, until the last, or until the
// caller leaves the loop. An error ends it.
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

// All reads all pages. It is for partitions that no caller can make grow without a
// bound.
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
