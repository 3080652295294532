package kv

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/access"
)

// cell is the content of one row. The cell of idx 0 lies in the head, every
// other in an item of its own; the attributes are the same. A cell exists
// while it has a version: removing a row removes all but revision and stamp.
type cell struct {
	Version   *int   `dynamodbav:"vr"`
	Revision  *int   `dynamodbav:"rv"` // never goes back within a generation
	Committed bool   `dynamodbav:"cm"`
	ReadCaps  string `dynamodbav:"rc"` // JSON; empty: unrestricted
	WriteCaps string `dynamodbav:"wc"`
	Size      int    `dynamodbav:"sz"`
	Weight    int    `dynamodbav:"wt"` // bytes inside a JSON string
	Written   int64  `dynamodbav:"wa"` // Unix milliseconds
	Stamp     string `dynamodbav:"st"` // of the last write
	Inline    []byte `dynamodbav:"vd"` // the value, if small
	Hash      string `dynamodbav:"vh"` // of the body in the bucket, if not
	Changed   int64  `dynamodbav:"ch_at"`
}

// head is the item of a key.
type head struct {
	cell
	Sort         []byte `dynamodbav:"sk"`
	Generation   string `dynamodbav:"gn"`
	Publication  int    `dynamodbav:"pv"` // counts commits
	PublishStamp string `dynamodbav:"ps"` // of the last commit or delete
	Overlay      []byte `dynamodbav:"ov"`
	More         bool   `dynamodbav:"mr"` // rows beside idx 0 may exist
	Guarded      bool   `dynamodbav:"gd"` // one of those may have write caps
	Expires      int64  `dynamodbav:"ttl"`
}

// row is the item of an idx other than 0.
type row struct {
	cell
	Sort []byte `dynamodbav:"sk"`
}

type item = map[string]types.AttributeValue

// headKey is the key of a head. The letter before the key keeps the sort key
// from being empty.
func headKey(ns Namespace, key string) item {
	return item{"pk": text(ns.partition()), "sk": bin(headSort(key))}
}

func headSort(key string) []byte { return append([]byte{'k'}, key...) }

func (h head) key() string { return string(h.Sort[1:]) }

// rowPartition holds the rows of one generation of one key. A generation is a
// fresh random id, so it needs no key beside it.
func rowPartition(ns Namespace, generation string) string {
	return ns.partition() + ":" + generation
}

func rowKey(ns Namespace, generation string, idx int) item {
	return item{"pk": text(rowPartition(ns, generation)), "sk": bin(rowSort(idx))}
}

// rowSort orders rows by idx: two bytes, the signed number shifted to begin
// at zero.
func rowSort(idx int) []byte {
	u := uint16(idx - MinIdx)
	return []byte{byte(u >> 8), byte(u)}
}

func (r row) idx() int { return (int(r.Sort[0])<<8 | int(r.Sort[1])) + MinIdx }

// newGeneration makes the id of a generation: 96 random bits.
func newGeneration() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func (c cell) exists() bool { return c.Version != nil }

// seen reports whether a caller with these capabilities sees the cell.
func (c cell) seen(caps access.Set, committed, drafts bool) bool {
	return c.exists() && (committed || drafts) && allowed(c.ReadCaps, caps)
}

// allowed reports whether caps hold all of a row's list. A list that cannot
// be read allows nobody.
func allowed(list string, caps access.Set) bool {
	if list == "" {
		return true
	}
	set, err := decodeCaps(list)
	return err == nil && caps.HasAll(*set)
}

func decodeCaps(list string) (*access.Set, error) {
	if list == "" {
		return nil, nil
	}
	set := access.Set{}
	if err := json.Unmarshal([]byte(list), &set); err != nil {
		return nil, fmt.Errorf("decode row capabilities: %w", err)
	}
	return &set, nil
}

// record is the cell as its reader sees it, without data.
func (c cell) record(key string, idx int, committed bool) (Record, error) {
	read, err := decodeCaps(c.ReadCaps)
	if err != nil {
		return Record{}, err
	}
	write, err := decodeCaps(c.WriteCaps)
	if err != nil {
		return Record{}, err
	}
	return Record{
		Key: key, Idx: idx, Size: c.Size, Version: *c.Version, Committed: committed,
		ReadCaps: read, WriteCaps: write, CreatedAt: time.UnixMilli(c.Written).UTC(),
	}, nil
}

func decode[T any](it item) (T, error) {
	var v T
	if err := attributevalue.UnmarshalMap(it, &v); err != nil {
		return v, fmt.Errorf("decode item: %w", err)
	}
	return v, nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func bin(b []byte) types.AttributeValue  { return &types.AttributeValueMemberB{Value: b} }
func number[I int | int64](n I) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}
func truth(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }
