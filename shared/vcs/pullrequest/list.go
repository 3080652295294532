package pullrequest

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Query selects pull requests of an installation. The list begins with the largest
// numbers. So what comes later in the list has a smaller cursor.
type Query struct {
	// Number, if not 0, selects the pull requests with that number: one for each
	// repository that has it.
	Number int64
	// After and Before are cursors. Only pull requests that come later than After,
	// or earlier than Before, in the list are returned; the one at the cursor is
	// not. At most one of the two is set.
	After, Before string
	// AfterNumber and BeforeNumber do the same with a number in place of a cursor;
	// 0 if not set.
	AfterNumber, BeforeNumber int64
	// Limit is the maximum number of pull requests.
	Limit int
}

// List returns pull requests. The largest number comes first, and within a number
// the largest repository id. With Before or BeforeNumber the order is reversed.
func (s Store) List(ctx context.Context, in vcs.Installation, q Query) ([]PullRequest, error) {
	from, to := q.interval()
	if from > to {
		return nil, nil
	}
	page, err := s.table().Query(ctx, table.Query{
		Key:      []table.Condition{of(in), table.Between("sk", attr.String(from), attr.String(to))},
		Backward: q.Before == "" && q.BeforeNumber == 0, Limit: q.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list pull requests: %w", err)
	}
	list := make([]PullRequest, len(page.Items))
	for i, item := range page.Items {
		if list[i], err = decode(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// All places of a number lie between "<number>#" and "<number>$", because $ follows
// # in ASCII. Cursors have a fixed length. So the text that follows a place
// directly is the place with one more character. And a place without its last
// character sorts before all places that begin with it.
const (
	firstPlace = "0"
	lastPlace  = ":" // sorts after every digit
)

// interval returns the range of places that the query's limits leave, both ends
// included.
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

// before returns a text that sorts after every place smaller than a cursor, and
// before the cursor itself.
func before(cursor string) string {
	last := len(cursor) - 1
	return cursor[:last] + string(cursor[last]-1) + "~"
}
