// Package ratelimit limits how often something may be done in a span of time. Its
// invariant: of calls that are made at the same time, in any instances, no more are
// admitted than the limit allows. Each call is counted by one conditional write
// before it is admitted. GiveBack makes room again.
package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Limit says how often something may be done. Time is divided into fixed windows.
// So a span as long as one window may contain up to twice Max.
type Limit struct {
	// Name says what is counted. It is part of the counter's key.
	Name string
	// Max is how often it may be done in one window.
	Max int
	// Window is the length of a window, in whole seconds.
	Window time.Duration
}

// Store keeps counters in a table beside other items. The pk is that of the counted
// party. The sk is RATE#<name>#<end of the window, Unix seconds>. A counter is one
// item, and it expires with its window.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the table's physical name. The table has the string keys pk and sk,
	// and items expire by the attribute ttl.
	Table string
}

// Take counts one call at author.At. It returns zero if the call is admitted.
// Otherwise it returns how long it is until the next window. If the response of the
// write is lost and the client sends the write again, the call may count twice. The
// limit is then reached too early, never too late.
func (s *Store) Take(ctx context.Context, pk string, l Limit, author change.Author) (time.Duration, error) {
	err := s.add(ctx, pk, l, 1, table.AbsentOr(attrCount, table.Less(attrCount, attr.Int(int64(l.Max)))), author)
	if _, full := table.ConditionFailed(err); full {
		return l.end(author.At).Sub(author.At), nil
	}
	return 0, err
}

// GiveBack takes back one call that Take counted in the same window. It does
// nothing in a later window. If the response of the write is lost and the client
// sends the write again, it may take back two calls. Where that matters, Max must
// leave room for it.
func (s *Store) GiveBack(ctx context.Context, pk string, l Limit, author change.Author) error {
	err := s.add(ctx, pk, l, -1, table.Greater(attrCount, attr.Int(0)), author)
	if _, none := table.ConditionFailed(err); none {
		return nil
	}
	return err
}

// attrCount is the attribute that counts.
const attrCount = "n"

func (s *Store) add(ctx context.Context, pk string, l Limit, n int64, only table.Condition, author change.Author) error {
	end := l.end(author.At)
	key := table.Item{"pk": attr.String(pk), "sk": attr.String(fmt.Sprintf("RATE#%s#%d", l.Name, end.Unix()))}
	err := table.Table{DB: s.DB, Name: s.Table}.Update(ctx,
		table.Change(key).Add(attrCount, attr.Int(n)).Set("ttl", attr.Time(end)).SetAll(author.All()).If(only))
	if err != nil {
		return fmt.Errorf("count %s: %w", l.Name, err)
	}
	return nil
}

// end returns when the window that contains a time ends.
func (l Limit) end(at time.Time) time.Time { return at.Truncate(l.Window).Add(l.Window) }
