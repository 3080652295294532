// Package stream reads the events that a DynamoDB stream sends to a function. A
// record holds the old and the new item in the form in which items are read from a
// table. So the package that owns an item decodes both in the same way (package
// attr).
package stream

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Record is one change of an item.
type Record struct {
	// Key is the item's key.
	Key attr.Item
	// Old is the item before the change, nil for a new item. New is the item after
	// the change, nil for an item that was removed. Both hold what the stream is
	// configured to show.
	Old, New attr.Item
	// Sequence is the number of the record in its shard.
	Sequence string
	// At is the time of the change, to the second.
	At time.Time
}

// Records returns the records of a stream's event, in their order. An event of a
// schedule has none.
func Records(event json.RawMessage) ([]Record, error) {
	var told events.DynamoDBEvent
	if err := json.Unmarshal(event, &told); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	list := make([]Record, len(told.Records))
	for i, r := range told.Records {
		list[i] = Of(r)
	}
	return list, nil
}

// Of converts one record.
func Of(r events.DynamoDBEventRecord) Record {
	return Record{
		Key: item(r.Change.Keys), Old: item(r.Change.OldImage), New: item(r.Change.NewImage),
		Sequence: r.Change.SequenceNumber, At: r.Change.ApproximateCreationDateTime.Time,
	}
}

// Failures returns the function's response that names the records to send again.
// Lambda continues from the first of them in the stream, so those after it are sent
// again too ("Configuring partial batch response with DynamoDB", AWS
// documentation). Without records the whole batch is done.
func Failures(records ...Record) events.DynamoDBEventResponse {
	var response events.DynamoDBEventResponse
	for _, r := range records {
		response.BatchItemFailures = append(response.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: r.Sequence})
	}
	return response
}

// item converts an image to the form that the table's client has.
func item(image map[string]events.DynamoDBAttributeValue) attr.Item {
	if image == nil {
		return nil
	}
	converted := make(attr.Item, len(image))
	for name, v := range image {
		converted[name] = value(v)
	}
	return converted
}

func value(v events.DynamoDBAttributeValue) types.AttributeValue {
	switch v.DataType() {
	case events.DataTypeBinary:
		return &types.AttributeValueMemberB{Value: v.Binary()}
	case events.DataTypeBoolean:
		return &types.AttributeValueMemberBOOL{Value: v.Boolean()}
	case events.DataTypeBinarySet:
		return &types.AttributeValueMemberBS{Value: v.BinarySet()}
	case events.DataTypeList:
		list := make([]types.AttributeValue, len(v.List()))
		for i, each := range v.List() {
			list[i] = value(each)
		}
		return &types.AttributeValueMemberL{Value: list}
	case events.DataTypeMap:
		return &types.AttributeValueMemberM{Value: item(v.Map())}
	case events.DataTypeNumber:
		return &types.AttributeValueMemberN{Value: v.Number()}
	case events.DataTypeNumberSet:
		return &types.AttributeValueMemberNS{Value: v.NumberSet()}
	case events.DataTypeString:
		return &types.AttributeValueMemberS{Value: v.String()}
	case events.DataTypeStringSet:
		return &types.AttributeValueMemberSS{Value: v.StringSet()}
	case events.DataTypeNull:
	}
	return &types.AttributeValueMemberNULL{Value: true}
}
