package attr_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	at := time.Unix(1_750_000_000, 999).UTC()
	r := attr.Read(attr.Item{
		"string": attr.String("s"), "int": attr.Int(-7), "time": attr.Time(at), "bytes": attr.Bytes([]byte{0, 255}),
		"bool": attr.Bool(true), "strings": attr.Strings([]string{"a", "b"}), "map": attr.Map(attr.Item{"x": attr.Int(1)}),
	})
	if r.String("string") != "s" || r.Int("int") != -7 || !r.Time("time").Equal(at.Truncate(time.Second)) ||
		!bytes.Equal(r.Bytes("bytes"), []byte{0, 255}) || !r.Bool("bool") ||
		!slices.Equal(r.Strings("strings"), []string{"a", "b"}) || attr.Read(r.Map("map")).Int("x") != 1 {
		t.Error("an attribute is read otherwise than it was written")
	}
	if !r.Has("string") || r.Has("absent") {
		t.Error("presence is told wrongly")
	}
	if r.Err() != nil {
		t.Error(r.Err())
	}
}

func TestAbsentReadsAsZero(t *testing.T) {
	r := attr.Read(nil)
	if r.String("x") != "" || r.Int("x") != 0 || !r.Time("x").IsZero() || r.Bytes("x") != nil || r.Bool("x") ||
		r.Strings("x") != nil || r.Map("x") != nil || r.Err() != nil {
		t.Errorf("got something of nothing, %v", r.Err())
	}
}

func TestWrongTypeIsAnError(t *testing.T) {
	item := attr.Item{"s": attr.String("s"), "n": attr.Int(1), "f": &types.AttributeValueMemberN{Value: "1.5"}}
	for name, read := range map[string]func(*attr.Reader){
		"String":            func(r *attr.Reader) { r.String("n") },
		"Int":               func(r *attr.Reader) { r.Int("s") },
		"Int of a fraction": func(r *attr.Reader) { r.Int("f") },
		"Time":              func(r *attr.Reader) { r.Time("s") },
		"Bytes":             func(r *attr.Reader) { r.Bytes("s") },
		"Bool":              func(r *attr.Reader) { r.Bool("s") },
		"Strings":           func(r *attr.Reader) { r.Strings("s") },
		"Map":               func(r *attr.Reader) { r.Map("s") },
	} {
		r := attr.Read(item)
		read(r)
		if r.Err() == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
