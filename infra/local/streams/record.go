package streams

import (
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/opsplane/opsplane/infra/test/template"
)

// event returns the event that Lambda gives a function for a batch of changes.
func event(records []types.Record, streamARN string) ([]byte, error) {
	list := make([]map[string]any, len(records))
	for i, r := range records {
		list[i] = one(r, streamARN)
	}
	return json.Marshal(map[string]any{"Records": list})
}

// one returns a change in the form that a function sees.
func one(r types.Record, streamARN string) map[string]any {
	d := r.Dynamodb
	change := map[string]any{
		"Keys": attributes(d.Keys), "SequenceNumber": aws.ToString(d.SequenceNumber),
		"SizeBytes": aws.ToInt64(d.SizeBytes), "StreamViewType": string(d.StreamViewType),
	}
	if at := d.ApproximateCreationDateTime; at != nil {
		change["ApproximateCreationDateTime"] = at.Unix()
	}
	if d.NewImage != nil {
		change["NewImage"] = attributes(d.NewImage)
	}
	if d.OldImage != nil {
		change["OldImage"] = attributes(d.OldImage)
	}
	record := map[string]any{
		"eventID": aws.ToString(r.EventID), "eventName": string(r.EventName), "eventVersion": "1.1",
		"eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "eventSourceARN": streamARN, "dynamodb": change,
	}
	if who := r.UserIdentity; who != nil {
		record["userIdentity"] = map[string]any{"type": aws.ToString(who.Type), "principalId": aws.ToString(who.PrincipalId)}
	}
	return record
}

// wanted returns the changes that match one of the stream's filters. Lambda drops the others.
// If no change of a batch matches, the function is not invoked.
func (s *Source) wanted(records []types.Record) []types.Record {
	if len(s.Stream.Filters) == 0 {
		return records
	}
	var list []types.Record
	for _, r := range records {
		matches := func(p template.Pattern) bool { return p.Matches(one(r, s.arn)) }
		if slices.ContainsFunc(s.Stream.Filters, matches) {
			list = append(list, r)
		}
	}
	return list
}

func attributes(in map[string]types.AttributeValue) map[string]any {
	out := make(map[string]any, len(in))
	for name, value := range in {
		out[name] = attribute(value)
	}
	return out
}

// attribute writes a value as {"S": "text"}, with binary as base64.
func attribute(value types.AttributeValue) map[string]any {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberNULL:
		return map[string]any{"NULL": v.Value}
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": v.Value}
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": v.Value}
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": v.Value}
	case *types.AttributeValueMemberM:
		return map[string]any{"M": attributes(v.Value)}
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, item := range v.Value {
			list[i] = attribute(item)
		}
		return map[string]any{"L": list}
	}
	return map[string]any{"NULL": true}
}
