// Package attr reads and writes the attributes of DynamoDB items. Its invariant: an
// attribute of an unexpected type is an error, never a zero value.
package attr

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is an item, or the key of one.
type Item = map[string]types.AttributeValue

// String makes a string attribute.
func String(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// Int makes a number attribute.
func Int(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// Time makes a number attribute of whole Unix seconds.
func Time(t time.Time) types.AttributeValue { return Int(t.Unix()) }

// Bytes makes a binary attribute.
func Bytes(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

// Bool makes a boolean attribute.
func Bool(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

// Strings makes a string set. DynamoDB refuses an empty one.
func Strings(s []string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: s} }

// Map makes a map attribute.
func Map(m Item) types.AttributeValue { return &types.AttributeValueMemberM{Value: m} }

// Reader reads the attributes of one item. An absent attribute reads as the zero
// value. The reader keeps the error of the first attribute of a wrong type, and Err
// returns that error, so that a decoder checks once.
type Reader struct {
	item Item
	err  error
}

// Read returns a reader of item.
func Read(item Item) *Reader { return &Reader{item: item} }

// Err returns the error of the first attribute that had a wrong type.
func (r *Reader) Err() error { return r.err }

// Has reports whether the attribute is present.
func (r *Reader) Has(name string) bool { return r.item[name] != nil }

// String reads a string attribute.
func (r *Reader) String(name string) string {
	v := typed[*types.AttributeValueMemberS](r, name)
	if v == nil {
		return ""
	}
	return v.Value
}

// Int reads a number attribute that holds a whole number.
func (r *Reader) Int(name string) int64 {
	v := typed[*types.AttributeValueMemberN](r, name)
	if v == nil {
		return 0
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		r.fail(name, err)
	}
	return n
}

// Time reads a number attribute of Unix seconds, as UTC. An absent attribute is the
// zero time.
func (r *Reader) Time(name string) time.Time {
	if !r.Has(name) {
		return time.Time{}
	}
	return time.Unix(r.Int(name), 0).UTC()
}

// Bytes reads a binary attribute.
func (r *Reader) Bytes(name string) []byte {
	v := typed[*types.AttributeValueMemberB](r, name)
	if v == nil {
		return nil
	}
	return v.Value
}

// Bool reads a boolean attribute. An absent attribute is false.
func (r *Reader) Bool(name string) bool {
	v := typed[*types.AttributeValueMemberBOOL](r, name)
	return v != nil && v.Value
}

// Strings reads a string set, in no particular order.
func (r *Reader) Strings(name string) []string {
	v := typed[*types.AttributeValueMemberSS](r, name)
	if v == nil {
		return nil
	}
	return v.Value
}

// Map reads a map attribute.
func (r *Reader) Map(name string) Item {
	v := typed[*types.AttributeValueMemberM](r, name)
	if v == nil {
		return nil
	}
	return v.Value
}

// typed returns the attribute as a T, or nil if it is absent or is not a T.
func typed[T types.AttributeValue](r *Reader, name string) T {
	value := r.item[name]
	v, ok := value.(T)
	if value != nil && !ok {
		r.fail(name, fmt.Errorf("unexpected type %T", value))
	}
	return v
}

func (r *Reader) fail(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("attribute %s: %w", name, err)
	}
}
