package stream_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

func TestImagesHaveTheFormOfItems(t *testing.T) {
	list, err := stream.Records([]byte(`{"Records":[{"dynamodb":{
		"ApproximateCreationDateTime":1750000000,"SequenceNumber":"11","Keys":{"pk":{"S":"p"}},
		"NewImage":{"s":{"S":"text"},"n":{"N":"7"},"b":{"B":"AP8="},"t":{"BOOL":true},"none":{"NULL":true},
			"ss":{"SS":["a","b"]},"ns":{"NS":["1"]},"bs":{"BS":["AP8="]},"l":{"L":[{"S":"x"},{"N":"1"}]},"m":{"M":{"k":{"S":"v"}}}}}}]}`))
	if err != nil || len(list) != 1 {
		t.Fatalf("got %d records, %v", len(list), err)
	}
	r := list[0]
	want := attr.Item{
		"s": attr.String("text"), "n": attr.Int(7), "b": attr.Bytes([]byte{0, 255}), "t": attr.Bool(true),
		"none": &types.AttributeValueMemberNULL{Value: true}, "ss": attr.Strings([]string{"a", "b"}),
		"ns": &types.AttributeValueMemberNS{Value: []string{"1"}}, "bs": &types.AttributeValueMemberBS{Value: [][]byte{{0, 255}}},
		"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{attr.String("x"), attr.Int(1)}},
		"m": attr.Map(attr.Item{"k": attr.String("v")}),
	}
	if !reflect.DeepEqual(r.New, want) {
		t.Errorf("got %v, want %v", r.New, want)
	}
	if r.Old != nil || attr.Read(r.Key).String("pk") != "p" || r.Sequence != "11" || !r.At.Equal(time.Unix(1_750_000_000, 0)) {
		t.Errorf("got %+v", r)
	}
}

func TestScheduleHasNoRecords(t *testing.T) {
	for _, event := range []string{`{}`, `{"source":"aws.scheduler"}`} {
		if list, err := stream.Records([]byte(event)); err != nil || len(list) > 0 {
			t.Errorf("%s: got %d records, %v", event, len(list), err)
		}
	}
	if _, err := stream.Records([]byte(`{"Records":[{"dynamodb":{"Keys":{"pk":{"?":1}}}}]}`)); err == nil {
		t.Error("got records of an event that cannot be read")
	}
}

func TestFailuresNameTheRecordsToBeToldAgain(t *testing.T) {
	if got := stream.Failures(); len(got.BatchItemFailures) > 0 {
		t.Errorf("got %v where all is done", got)
	}
	got := stream.Failures(stream.Record{Sequence: "5"}, stream.Record{Sequence: "9"}).BatchItemFailures
	if len(got) != 2 || got[0].ItemIdentifier != "5" || got[1].ItemIdentifier != "9" {
		t.Errorf("got %v", got)
	}
}
