//go:build unix

package storagetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Changes reports the changes of a table as its stream would. For that it compares the content
// of the table from time to time. If an item changes several times between two calls, Changes
// reports one change.
type Changes struct {
	// Table is the physical name.
	Table string
	// At is the time that is reported as the time of the changes.
	At time.Time

	was  map[string]map[string]events.DynamoDBAttributeValue
	next int // sequence number
}

// Since returns the changes since its last call, ordered by the items' keys.
func (c *Changes) Since(ctx context.Context, db *dynamodb.Client) ([]events.DynamoDBEventRecord, error) {
	now := map[string]map[string]events.DynamoDBAttributeValue{}
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &c.Table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("scan %s: %w", c.Table, err)
		}
		for _, item := range page.Items {
			i, err := Image(item)
			if err != nil {
				return nil, err
			}
			now[i["pk"].String()+"|"+fmt.Sprint(i["sk"])] = i
		}
	}
	all := maps.Clone(now)
	maps.Copy(all, c.was)
	var list []events.DynamoDBEventRecord
	for _, key := range slices.Sorted(maps.Keys(all)) {
		before, after := c.was[key], now[key]
		if reflect.DeepEqual(ordered(before), ordered(after)) {
			continue
		}
		one := after
		if one == nil {
			one = before
		}
		c.next++
		list = append(list, events.DynamoDBEventRecord{
			EventSourceArn: "arn:aws:dynamodb:us-east-1:1:table/" + c.Table + "/stream/x",
			Change: events.DynamoDBStreamRecord{
				Keys:     map[string]events.DynamoDBAttributeValue{"pk": one["pk"], "sk": one["sk"]},
				OldImage: before, NewImage: after, SequenceNumber: strconv.Itoa(c.next),
				ApproximateCreationDateTime: events.SecondsEpochTime{Time: c.At},
			},
		})
	}
	c.was = now
	return list, nil
}

// ordered returns an item with the members of its sets in order, so that items can be compared.
func ordered(item map[string]events.DynamoDBAttributeValue) map[string]events.DynamoDBAttributeValue {
	same := maps.Clone(item)
	for name, value := range same {
		if value.DataType() == events.DataTypeStringSet {
			same[name] = events.NewStringSetAttribute(slices.Sorted(slices.Values(value.StringSet())))
		}
	}
	return same
}

// Image returns an item in the form in which a stream reports it. The members of sets come in
// any order. It fails for types of attributes that no table here uses.
func Image(item map[string]types.AttributeValue) (map[string]events.DynamoDBAttributeValue, error) {
	found := map[string]events.DynamoDBAttributeValue{}
	for name, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			found[name] = events.NewStringAttribute(v.Value)
		case *types.AttributeValueMemberN:
			found[name] = events.NewNumberAttribute(v.Value)
		case *types.AttributeValueMemberB:
			found[name] = events.NewBinaryAttribute(v.Value)
		case *types.AttributeValueMemberBOOL:
			found[name] = events.NewBooleanAttribute(v.Value)
		case *types.AttributeValueMemberSS:
			set := slices.Clone(v.Value)
			rand.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
			found[name] = events.NewStringSetAttribute(set)
		case *types.AttributeValueMemberM:
			inner, err := Image(v.Value)
			if err != nil {
				return nil, err
			}
			found[name] = events.NewMapAttribute(inner)
		default:
			return nil, fmt.Errorf("attribute %s is %T", name, value)
		}
	}
	return found, nil
}
