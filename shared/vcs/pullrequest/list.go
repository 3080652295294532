package pullrequest

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Query chooses among an installation's pull requests. The newest numbers come
// first, so that what is after a place has smaller cursors.
type Query struct {
	// Number, if not 0, leaves only pull requests of that number: one for each
	// repository that has it.
	Number int64
	// After and Before are cursors: only pull requests strictly behind or
	// before them are listed. At most one is set.
	After, Before string
	// AfterNumber and BeforeNumber are the same by number alone; 0 if not set.
	AfterNumber, BeforeNumber int64
	// Limit is how many pull requests are wanted.
	Limit int
}

// List returns pull requests, the largest number first and within a number the
// largest repository id; the other way round from Before or BeforeNumber.
func (s Store) List(ctx context.Context, in vcs.Installation, q Query) ([]PullRequest, error) {
	from, to := q.interval()
	if from > to {
		return nil, nil
	}
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(q.Limit)),
		KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :from AND :to"),
		ExpressionAttributeValues: attr.Item{
			":pk": partition(in)["pk"], ":from": attr.String(from), ":to": attr.String(to),
		},
		ScanIndexForward: aws.Bool(q.Before != "" || q.BeforeNumber != 0),
	})
	if err != nil {
		return nil, fmt.Errorf("list pull requests: %w", err)
	}
	list := make([]PullRequest, len(out.Items))
	for i, item := range out.Items {
		if list[i], err = decode(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Places of a number lie between "<number>#" and "<number>$": the sign that
// follows # in ASCII. Cursors have a fixed length, so that a place with a sign
// behind it is the next one, and one without its last sign lies before all that
// begin with it.
const (
	firstPlace = "0"
	lastPlace  = ":" // behind every digit
)

// interval is what the query's bounds leave of the places, both ends included.
func (q Query) interval() (from, to string) {
	from, to = firstPlace, lastPlace
	number := func(n int64, end string) string { return fmt.Sprintf("%0*d", numberDigits, n) + end }
	if q.Number != 0 {
		from, to = number(q.Number, "#"), number(q.Number, "$")
	}
	switch {
	case q.After != "":
		to = min(to, before(q.After))
	case q.Before != "":
		from = max(from, q.Before+" ")
	case q.AfterNumber != 0:
		to = min(to, number(q.AfterNumber, ""))
	case q.BeforeNumber != 0:
		from = max(from, number(q.BeforeNumber, "$"))
	}
	return from, to
}

// before is a text behind every place that is smaller than a cursor, and before
// the cursor itself.
func before(cursor string) string {
	last := len(cursor) - 1
	return cursor[:last] + string(cursor[last]-1) + "~"
}
