package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/attr"
)

// Query chooses among records. Scope or Actor is set, not both.
type Query struct {
	// Scope leaves the records of an installation, as Record.Scope has it; Actor
	// those of an actor, wherever they are.
	Scope, Actor string
	// From and To bound the time, From included and To not.
	From, To time.Time
	// After is the cursor of a record: only what comes behind it is listed.
	After string
	// Oldest lists the oldest first, otherwise the newest come first.
	Oldest bool
	// Limit is how many records are wanted.
	Limit int
	// Keep chooses among what was read; nil keeps all.
	Keep func(Record) bool
}

// Bounds of one call: so many days are looked at, and so many records read.
const (
	maxDays = 31
	maxRead = 2000
)

// List answers records by time. More is the cursor to go on behind: it is set
// also where fewer than Limit were found, because a call looks at no more than
// maxDays days and maxRead records; empty where there is no more.
func (s Store) List(ctx context.Context, q Query) (found []Record, more string, err error) {
	day := q.To.Add(-time.Millisecond).UTC().Truncate(24 * time.Hour)
	if q.Oldest {
		day = q.From.UTC().Truncate(24 * time.Hour)
	}
	if q.After != "" {
		at, ok := parseCursor(q.After)
		if !ok {
			return nil, "", fmt.Errorf("%q is no cursor", q.After)
		}
		day = at.Truncate(24 * time.Hour)
	}
	for days, read := 0, 0; q.within(day); days++ {
		if days == maxDays {
			return found, q.before(day), nil
		}
		rows, full, err := s.day(ctx, q, day)
		if err != nil {
			return nil, "", err
		}
		for _, r := range rows {
			if q.Keep == nil || q.Keep(r) {
				found = append(found, r)
			}
			if read++; len(found) == q.Limit || read == maxRead {
				return found, r.Cursor(), nil
			}
		}
		if full { // the day has more than a query answers
			q.After = rows[len(rows)-1].Cursor()
			days--
			continue
		}
		day = q.next(day)
	}
	return found, "", nil
}

// within reports whether a day may have records of the query.
func (q Query) within(day time.Time) bool {
	return day.Before(q.To) && day.Add(24*time.Hour).After(q.From)
}

func (q Query) next(day time.Time) time.Time {
	if q.Oldest {
		return day.Add(24 * time.Hour)
	}
	return day.Add(-24 * time.Hour)
}

// before is a cursor behind which the day is the next to be looked at.
func (q Query) before(day time.Time) string {
	if q.Oldest {
		return place(day) + "#"
	}
	return place(day.Add(24*time.Hour)) + "#"
}

// page is how many records of a partition are read at once.
const page = 250

// day reads records of one day, in the query's order: all, or the first page of
// them, as full says.
func (s Store) day(ctx context.Context, q Query, day time.Time) (rows []Record, full bool, err error) {
	first, last := 0, buckets
	if q.Scope != "" {
		first = bucket(q.Scope)
		last = first + 1
	}
	parts := make([][]Record, last-first)
	cut := make([]bool, len(parts))
	group, ctx := errgroup.WithContext(ctx)
	for i := range parts {
		group.Go(func() (err error) {
			parts[i], cut[i], err = s.part(ctx, q, day, first+i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, false, err
	}
	rows = slices.Concat(parts...)
	slices.SortFunc(rows, q.order)
	// Behind the end of a part that was cut, others may lack what it has.
	for i, part := range parts {
		if cut[i] {
			full = true
			end := part[len(part)-1]
			rows = slices.DeleteFunc(rows, func(r Record) bool { return q.order(r, end) > 0 })
		}
	}
	return rows, full, nil
}

func (q Query) order(a, b Record) int {
	c := cmp.Compare(a.Cursor(), b.Cursor())
	if q.Oldest {
		return c
	}
	return -c
}

// part reads one partition, from behind the query's cursor.
func (s Store) part(ctx context.Context, q Query, day time.Time, bucket int) (rows []Record, cut bool, err error) {
	index, prefix := "by_scope", q.Scope+"#"
	if q.Actor != "" {
		index, prefix = "by_actor", q.Actor+"#"
	}
	// A cursor is shorter than any that has another sign behind it.
	from, to := place(q.From), place(q.To.Add(-time.Millisecond))+"~"
	switch {
	case q.After == "":
	case q.Oldest:
		from = max(from, q.After+" ")
	default:
		to = min(to, prior(q.After))
	}
	if from > to {
		return nil, false, nil
	}
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String(index), Limit: aws.Int32(page), ScanIndexForward: &q.Oldest,
		ConsistentRead:         aws.Bool(true),
		KeyConditionExpression: aws.String("pk = :pk AND " + index + " BETWEEN :from AND :to"),
		ExpressionAttributeValues: attr.Item{
			":pk": attr.String(partition(day, bucket)), ":from": attr.String(prefix + from), ":to": attr.String(prefix + to),
		},
	})
	if err != nil {
		return nil, false, fmt.Errorf("list records: %w", err)
	}
	for _, item := range out.Items {
		r, err := decode(item)
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, r)
	}
	return rows, len(out.LastEvaluatedKey) > 0 && len(rows) > 0, nil
}

// prior is a text behind every cursor that is smaller than this one, and before
// it.
func prior(cursor string) string {
	last := len(cursor) - 1
	return cursor[:last] + string(cursor[last]-1) + "~"
}

// ValidCursor reports whether a text has the form of a cursor.
func ValidCursor(text string) bool {
	_, ok := parseCursor(text)
	return ok
}
