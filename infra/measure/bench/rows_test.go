package bench_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// manyRows is the number of rows of an upload of about 1.2 GiB in chunks.
const manyRows = 12_000

// upload is a key with draft rows, from idx 1 on, that can be reset to its first state.
type upload struct {
	storage
	key  string
	head attr.Item
}

// newUpload makes an upload. The store writes the first row, a draft of one chunk, and
// newUpload copies that row. Every row names the same object, which nothing here reads.
func newUpload(b *testing.B, s storage, key string, rows int) *upload {
	b.Helper()
	_, text := chunk(b)
	w := kv.Write{Key: key, Idx: 1, Value: value(b, text)}
	if _, err := s.store().Set(b.Context(), kv.Caller{Installation: ns, Author: author()}, w); err != nil {
		b.Fatal(err)
	}
	u := &upload{storage: s, key: key}
	u.head = s.item(b, attr.Item{"pk": attr.String(partition()), "sk": attr.Bytes([]byte("k" + key))})
	rowPartition := attr.String(partition() + ":" + u.head["gn"].(*types.AttributeValueMemberS).Value)
	sort := func(idx int) *types.AttributeValueMemberB {
		return &types.AttributeValueMemberB{Value: binary.BigEndian.AppendUint16(nil, uint16(idx-kv.MinIdx))}
	}
	row := s.item(b, attr.Item{"pk": rowPartition, "sk": sort(1)})
	err := s.load(b.Context(), rows-1, func(n int) attr.Item {
		copied := attr.Item{}
		for name, v := range row {
			copied[name] = v
		}
		copied["sk"] = sort(2 + n)
		return copied
	})
	if err != nil {
		b.Fatal(err)
	}
	if n, last, err := s.store().Count(b.Context(), kv.Caller{Installation: ns}, key, true); err != nil || n != rows || last != rows {
		b.Fatalf("the store counts %d rows up to idx %d, %v; want %d", n, last, err, rows)
	}
	return u
}

func partition() string { return kv.Stored(ns) }

// item returns the table's item at a key.
func (s storage) item(b *testing.B, key attr.Item) attr.Item {
	b.Helper()
	return bench.Item(b, s.db, s.table, key)
}

// load writes the items that item returns for 0 to n-1, many at once.
func (s storage) load(ctx context.Context, n int, item func(int) attr.Item) error {
	return bench.Load(ctx, s.db, s.table, n, item)
}

// restore writes the old head again. With it every row exists again.
func (u *upload) restore() error {
	_, err := u.db.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &u.table, Item: u.head})
	return err
}

// BenchmarkDelete compares the delete of a key with many rows with the delete of a key with few
// rows.
func BenchmarkDelete(b *testing.B) {
	s := newStorage(b)
	store := s.store()
	side := func(name string, rows int) bench.Side {
		u := newUpload(b, s, name, rows)
		return bench.Side{Name: name, Before: u.restore, Do: func() error {
			removed, err := store.Delete(b.Context(), kv.Caller{Installation: ns, Author: author()}, kv.Target{Key: u.key}, nil)
			if err == nil && !removed {
				err = fmt.Errorf("nothing was removed")
			}
			return err
		}}
	}
	bench.Compare(b, bench.Comparison{
		Subject: side("12000-rows", manyRows), Reference: side("10-rows", 10), Goal: 1.1, Samples: 50, Calls: 10,
	})
}

// BenchmarkCommit compares the commit of a key with many rows with a query of the rows and one
// update of the head, both as the commit itself makes them.
func BenchmarkCommit(b *testing.B) {
	s := newStorage(b)
	var inputs bench.Inputs
	store, u := s.store(inputs.Watch), newUpload(b, s, "upload", manyRows)
	commit := func() error {
		rows, err := store.Commit(b.Context(), kv.Caller{Installation: ns, Author: author()}, []kv.Target{{Key: u.key}})
		if err == nil && len(rows) != manyRows {
			err = fmt.Errorf("%d rows were committed", len(rows))
		}
		return err
	}
	if err := commit(); err != nil {
		b.Fatal(err)
	}
	query, err := bench.Last[*dynamodb.QueryInput](&inputs, "Query")
	if err != nil {
		b.Fatal(err)
	}
	update, err := bench.Last[*dynamodb.UpdateItemInput](&inputs, "UpdateItem")
	if err != nil {
		b.Fatal(err)
	}
	first := *query
	first.ExclusiveStartKey = nil
	raw := func() error {
		rows := 0
		for pages := dynamodb.NewQueryPaginator(s.db, &first); pages.HasMorePages(); {
			out, err := pages.NextPage(b.Context())
			if err != nil {
				return err
			}
			rows += len(out.Items)
		}
		if rows != manyRows {
			return fmt.Errorf("the query finds %d rows", rows)
		}
		_, err := s.db.UpdateItem(b.Context(), update)
		return err
	}
	bench.Compare(b, bench.Comparison{
		Subject:   bench.Side{Name: "commit", Before: u.restore, Do: commit},
		Reference: bench.Side{Name: "raw", Before: u.restore, Do: raw},
		Goal:      1.2, Samples: 25,
	})
}
