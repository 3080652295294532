package template

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPatternMatchesRecordsWithAllItsMembers(t *testing.T) {
	p, err := ParsePattern(`{"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"state":{"S":["received"]},"tries":{"N":["0"]}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"state":{"S":"received"},"tries":{"N":"0"},"id":{"S":"a"}}}}`: true,
		`{"eventName":"MODIFY","dynamodb":{"NewImage":{"state":{"S":"received"},"tries":{"N":"0"}}}}`:                true,
		`{"eventName":"REMOVE","dynamodb":{"NewImage":{"state":{"S":"received"},"tries":{"N":"0"}}}}`:                false,
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"state":{"S":"received"}}}}`:                                  false,
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"state":{"S":"received"},"tries":{"N":"1"}}}}`:                false,
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"state":{"N":"received"},"tries":{"N":"0"}}}}`:                false,
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"state":"received","tries":{"N":"0"}}}}`:                      false,
		`{"eventName":["INSERT"],"dynamodb":{"NewImage":{"state":{"S":"received"},"tries":{"N":"0"}}}}`:              false,
		`{"eventName":"INSERT","dynamodb":{}}`:                                                                       false,
	} {
		var record any
		if err := json.Unmarshal([]byte(text), &record); err != nil {
			t.Fatal(err)
		}
		if got := p.Matches(record); got != want {
			t.Errorf("%s: matches %t", text, got)
		}
	}
}

func TestPatternMatchesTextsThatBeginWithAPrefix(t *testing.T) {
	p, err := ParsePattern(`{"sk":{"S":["RUN",{"prefix":"UNLOCK#"}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"RUN": true, "UNLOCK#": true, "UNLOCK#17": true, "RUNS": false, "UNLOCK": false, "": false} {
		if got := p.Matches(map[string]any{"sk": map[string]any{"S": text}}); got != want {
			t.Errorf("%q: matches %t", text, got)
		}
	}
}

func TestPatternThatIsNotUnderstoodIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		``:                             "no JSON",
		`{"a":["b"]} {}`:               "something follows",
		`["a"]`:                        "no object",
		`{}`:                           "without members",
		`{"a":{}}`:                     "without members",
		`{"a":[]}`:                     "empty list",
		`{"a":"b"}`:                    "only objects, and lists of texts",
		`{"a":[1]}`:                    "only texts",
		`{"a":[null]}`:                 "only texts",
		`{"a":{"b":[{"suffix":"x"}]}}`: "b: map[suffix:x]: only texts",
		`{"a":[{"prefix":1}]}`:         "only texts",
		`{"$or":[{"a":["b"]}]}`:        "only texts",
	} {
		if _, err := ParsePattern(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", text, err, want)
		}
	}
	function := "Resources: {T: {Type: 'AWS::DynamoDB::Table', Properties: {BillingMode: PAY_PER_REQUEST, KeySchema: [{AttributeName: pk, KeyType: HASH}]}}, " +
		"F: {Type: 'AWS::Serverless::Function', Properties: {Events: {E: {Type: DynamoDB, Properties: {Stream: !GetAtt T.StreamArn, FilterCriteria: {Filters: [{Pattern: '{\"a\":[{\"exists\":true}]}'}]}}}}}}}"
	if _, err := Parse([]byte(function), Options{}); err == nil || !strings.Contains(err.Error(), "only texts") {
		t.Errorf("in a template: %v", err)
	}
}
