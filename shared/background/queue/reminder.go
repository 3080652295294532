package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Reminders are the lists of what is due, in a table with the keys pk and sk. A
// reminder is an item of its own: pk is its list, sk is <when, Unix milliseconds,
// 13 digits>#<id>. So one strongly consistent query of the list's first keys finds
// what is due. A scan is never needed.
type Reminders struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of the table.
	Table string
	// ID is the name of the attribute that also holds the id.
	ID string
	// Keep is how long a reminder stays after its time if nobody drops it.
	Keep time.Duration
}

// Reminder says that something is due.
type Reminder struct {
	// List is the partition. It holds the work of one kind of worker.
	List string
	// ID names the work that is due. It is unique in the list.
	ID string
	// At is the time at which the work is due. Fractions of a millisecond are cut
	// off.
	At time.Time
}

// key returns the key of a reminder. 13 digits sort as times do until the year
// 2286.
func (r Reminder) key() attr.Item {
	return attr.Item{"pk": attr.String(r.List), "sk": attr.String(millis(r.At) + "#" + r.ID)}
}

func millis(at time.Time) string { return fmt.Sprintf("%013d", at.UnixMilli()) }

// Put returns the write that adds a reminder. It belongs in the transaction that
// makes the owner's item due.
func (s Reminders) Put(r Reminder) types.TransactWriteItem {
	item := r.key()
	item[s.ID], item["ttl"] = attr.String(r.ID), attr.Time(r.At.Add(s.Keep))
	return types.TransactWriteItem{Put: &types.Put{TableName: &s.Table, Item: item}}
}

// Delete returns the write that removes a reminder. It belongs in the transaction
// that ends the owner's item.
func (s Reminders) Delete(r Reminder) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{TableName: &s.Table, Key: r.key()}}
}

// Move returns the writes that replace one reminder by another. DynamoDB refuses
// two writes of one item in a transaction. So if both reminders have the same time,
// there is only one write.
func (s Reminders) Move(from, to Reminder) []types.TransactWriteItem {
	if from.List == to.List && from.ID == to.ID && from.At.UnixMilli() == to.At.UnixMilli() {
		return []types.TransactWriteItem{s.Put(to)}
	}
	return []types.TransactWriteItem{s.Delete(from), s.Put(to)}
}

// Drop removes a reminder if its item is no longer due, or no longer exists. Such a
// reminder can stay because the table may expire the item before its reminder.
func (s Reminders) Drop(ctx context.Context, r Reminder) error {
	return s.drop(ctx, r.key())
}

func (s Reminders) drop(ctx context.Context, key attr.Item) error {
	if _, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.Table, Key: key}); err != nil {
		return fmt.Errorf("drop reminder: %w", err)
	}
	return nil
}

// DropAll removes all reminders of an id that are due by now. It is for an item
// that cannot be read, because such an item cannot say when it is due. It reads the
// whole list of what is due.
func (s Reminders) DropAll(ctx context.Context, list, id string, now time.Time) error {
	for pages := dynamodb.NewQueryPaginator(s.DB, s.query(list, now)); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list reminders: %w", err)
		}
		for _, item := range page.Items {
			if attr.Read(item).String(s.ID) != id {
				continue
			}
			if err := s.drop(ctx, attr.Item{"pk": item["pk"], "sk": item["sk"]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Due returns the reminders of a list that are due by now, at most limit of them.
// Those that have waited longest come first.
func (s Reminders) Due(ctx context.Context, list string, now time.Time, limit int) ([]Reminder, error) {
	in := s.query(list, now)
	in.Limit = aws.Int32(int32(limit))
	out, err := s.DB.Query(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("list reminders: %w", err)
	}
	due := make([]Reminder, len(out.Items))
	for i, item := range out.Items {
		if due[i], err = s.decode(list, item); err != nil {
			return nil, err
		}
	}
	return due, nil
}

func (s Reminders) query(list string, now time.Time) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("pk = :pk AND sk < :end"),
		ExpressionAttributeValues: attr.Item{":pk": attr.String(list), ":end": attr.String(millis(now.Add(time.Millisecond)))},
	}
}

func (s Reminders) decode(list string, item attr.Item) (Reminder, error) {
	r := attr.Read(item)
	at, _, _ := strings.Cut(r.String("sk"), "#")
	ms, err := strconv.ParseInt(at, 10, 64)
	found := Reminder{List: list, ID: r.String(s.ID), At: time.UnixMilli(ms).UTC()}
	if err := errors.Join(err, r.Err()); err != nil {
		return Reminder{}, fmt.Errorf("decode reminder: %w", err)
	}
	return found, nil
}
