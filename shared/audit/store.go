package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Store keeps records in AuditTable. The pk is the record's scope, the sk its
// cursor. The index by_actor has the actor in place of the scope, and the index
// by_topic has the topic. The store only adds records.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of AuditTable.
	Table string
	// Keep is how long the table keeps a record. 0 means for ever.
	Keep time.Duration
}

// Attributes of items. The indexes are named after them.
const (
	byActor = "actor"
	byTopic = "topic"
)

// Put adds a record, and reports whether it is new. A change that the stream
// delivered before has its record already. ErrRefused says that the table will
// never accept the record.
func (s Store) Put(ctx context.Context, r Record) (bool, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return false, fmt.Errorf("%w: encode: %w", ErrRefused, err)
	}
	item := attr.Item{
		"pk": attr.String(r.Scope()), "sk": attr.String(r.Cursor()), "record": attr.String(string(text)),
		byActor: attr.String(r.Actor.ID), byTopic: attr.String(r.Topic()),
	}
	if s.Keep > 0 {
		item["ttl"] = attr.Time(r.At.Add(s.Keep))
	}
	err = s.table().Put(ctx, item, table.Absent("pk"))
	if _, there := table.ConditionFailed(err); there {
		return false, nil
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationException" {
		return false, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err != nil {
		return false, fmt.Errorf("write record: %w", err)
	}
	return true, nil
}

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// ErrRefused is the error of a record that the table can never hold. A new try does
// not help.
var ErrRefused = errors.New("the table refuses the record")

func decode(item attr.Item) (Record, error) {
	r := attr.Read(item)
	text, cursor := r.String("record"), r.String("sk")
	if err := r.Err(); err != nil {
		return Record{}, fmt.Errorf("decode record: %w", err)
	}
	var found Record
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return Record{}, fmt.Errorf("decode record: %w", err)
	}
	_, rest, _ := strings.Cut(cursor, "#")
	found.sequence, _, _ = strings.Cut(rest, "#")
	return found, nil
}
