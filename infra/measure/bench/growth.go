package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// GrowthGoal is the maximum ratio of an operation's time with many items to its time with few
// items.
const GrowthGoal = 1.2

// Sizes returns the numbers of items, in ascending order. The default is a thousand and ten
// thousand. GROWTH_KEYS names other numbers: a million items take minutes to load.
func Sizes(b *testing.B) []int {
	b.Helper()
	text := os.Getenv("GROWTH_KEYS")
	if text == "" {
		return []int{1000, 10_000}
	}
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 100 {
			b.Fatalf("GROWTH_KEYS=%q is no list of numbers from 100 on", text)
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// Item reads the item of a table at a key. The item must exist.
func Item(b *testing.B, db *dynamodb.Client, table string, key attr.Item) attr.Item {
	b.Helper()
	out, err := db.GetItem(b.Context(), &dynamodb.GetItemInput{TableName: &table, Key: key})
	if err != nil || out.Item == nil {
		b.Fatalf("read an item: %v, %v", out, err)
	}
	return out.Item
}

// Load writes the items that item returns for 0 to n-1, many at once.
func Load(ctx context.Context, db *dynamodb.Client, table string, n int, item func(int) attr.Item) error {
	const batch, writers = 25, 4
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for from := 0; from < n; from += batch {
		group.Go(func() error {
			var puts []types.WriteRequest
			for i := from; i < min(from+batch, n); i++ {
				puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: item(i)}})
			}
			for len(puts) > 0 {
				out, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: puts}})
				if err != nil {
					return fmt.Errorf("load: %w", err)
				}
				puts = out.UnprocessedItems[table]
			}
			return nil
		})
	}
	return group.Wait()
}
