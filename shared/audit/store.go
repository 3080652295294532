package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
)

// Store keeps records in AuditTable: pk <day>#<bucket of the scope>, sk the
// record's cursor; the local indexes by_scope and by_actor have scope or actor
// before the cursor. It only ever adds.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of AuditTable.
	Table string
	// Keep is how long the table keeps a record; 0 is for ever.
	Keep time.Duration
}

// Put adds a record, and reports whether it is new: the record of a change that
// was told before is there already.
func (s Store) Put(ctx context.Context, r Record) (bool, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return false, fmt.Errorf("encode record: %w", err)
	}
	item := attr.Item{
		"pk": attr.String(partition(r.At, bucket(r.Scope()))), "sk": attr.String(r.Cursor()), "record": attr.String(string(text)),
		"by_scope": attr.String(r.Scope() + "#" + r.Cursor()), "by_actor": attr.String(r.Actor.ID + "#" + r.Cursor()),
	}
	if s.Keep > 0 {
		item["ttl"] = attr.Time(r.At.Add(s.Keep))
	}
	_, err = s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)"),
	})
	var there *types.ConditionalCheckFailedException
	if errors.As(err, &there) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write record: %w", err)
	}
	return true, nil
}

func decode(item attr.Item) (Record, error) {
	r := attr.Read(item)
	text := r.String("record")
	if err := r.Err(); err != nil {
		return Record{}, fmt.Errorf("decode record: %w", err)
	}
	var found Record
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return Record{}, fmt.Errorf("decode record: %w", err)
	}
	return found, nil
}
