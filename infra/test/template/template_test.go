package template

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func load(t *testing.T, parameters map[string]string) *Template {
	t.Helper()
	got, err := Load(filepath.Join("testdata", "template.yaml"), Options{
		Parameters: parameters,
		Name:       func(id string) string { return "local-" + id },
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFunctionTakesGlobalsAndResolvesItsEnvironment(t *testing.T) {
	f := load(t, nil).Function("KvFunction")
	want := map[string]string{
		"SHARED": "all", "WHO": "kv", "KV_TABLE": "local-KvTable", "JOINED": "a-c-${!kept}",
		"URL":    "https://local-Api.execute-api.us-east-1.amazonaws.com",
		"SUBBED": "1/${kept}/" + attributePrefix + "KvTable.Arn",
	}
	if !reflect.DeepEqual(f.Environment, want) {
		t.Errorf("environment:\n got %v\nwant %v", f.Environment, want)
	}
	if f.Group != "kv" || f.Timeout != 10*time.Second || f.MemoryMB != 256 {
		t.Errorf("group, timeout, memory: got %s %s %d", f.Group, f.Timeout, f.MemoryMB)
	}
}

func TestParametersOverrideDefaults(t *testing.T) {
	tpl := load(t, map[string]string{"PublicBaseUrl": "https://x", "Rate": "7"})
	f := tpl.Function("KvFunction")
	if f.Environment["URL"] != "https://x" || f.Environment["ABSENT"] != "present" {
		t.Errorf("environment: got %v", f.Environment)
	}
	want := []MethodSetting{{Path: "/api/kv", Method: "POST", RateLimit: 7, BurstLimit: 9}}
	if !reflect.DeepEqual(tpl.API.MethodSettings, want) {
		t.Errorf("method settings: got %v, want %v", tpl.API.MethodSettings, want)
	}
	if len(tpl.Buckets) != 2 || tpl.Buckets[0] != (Bucket{"KvBucket", "local-KvBucket"}) {
		t.Errorf("buckets: got %v", tpl.Buckets)
	}
}

func TestEventsBecomeRoutesStreamsAndSchedules(t *testing.T) {
	f := load(t, nil).Function("KvFunction")
	routes := []Route{{"GET", "/api/kv/{key+}", "Token"}, {"GET", "/health", ""}}
	if !reflect.DeepEqual(f.Routes, routes) {
		t.Errorf("routes: got %v, want %v", f.Routes, routes)
	}
	streams := []Stream{{Name: "Changes", Table: "KvTable", BatchSize: 25, StartAtTrimHorizon: true, MaximumRetryAttempts: -1, ParallelizationFactor: 1}}
	if !reflect.DeepEqual(f.Streams, streams) {
		t.Errorf("streams: got %v, want %v", f.Streams, streams)
	}
	schedules := []Schedule{{Name: "Tick", Expression: "rate(1 minute)"}}
	if !reflect.DeepEqual(f.Schedules, schedules) {
		t.Errorf("schedules: got %v, want %v", f.Schedules, schedules)
	}
}

func TestAPI(t *testing.T) {
	api := load(t, nil).API
	if want := (Authorizer{Function: "AuthorizerFunction", IdentityHeaders: []string{"Authorization"}}); !reflect.DeepEqual(api.Authorizers["Token"], want) {
		t.Errorf("authorizer: got %+v, want %+v", api.Authorizers["Token"], want)
	}
	want := GatewayResponse{StatusCode: 403, Templates: map[string]string{"application/json": ""}, Headers: map[string]string{"Cache-Control": "no-store"}}
	if got := api.GatewayResponses["UNAUTHORIZED"]; !reflect.DeepEqual(got, want) {
		t.Errorf("gateway response: got %+v, want %+v", got, want)
	}
	if api.Stage != "live" {
		t.Errorf("stage: got %q", api.Stage)
	}
}

func TestTableBecomesItsCreateRequest(t *testing.T) {
	table := load(t, nil).Table("KvTable")
	in := table.CreateInput()
	if aws.ToString(in.TableName) != "local-KvTable" || len(in.AttributeDefinitions) != 3 || len(in.KeySchema) != 2 {
		t.Errorf("got %+v", in)
	}
	if in.AttributeDefinitions[1].AttributeType != types.ScalarAttributeTypeB {
		t.Errorf("sort key: got %v, want B", in.AttributeDefinitions[1].AttributeType)
	}
	if len(in.LocalSecondaryIndexes) != 1 || in.LocalSecondaryIndexes[0].Projection.ProjectionType != types.ProjectionTypeAll {
		t.Errorf("indexes: got %+v", in.LocalSecondaryIndexes)
	}
	if in.StreamSpecification.StreamViewType != types.StreamViewTypeNewAndOldImages {
		t.Errorf("stream: got %+v", in.StreamSpecification)
	}
	if ttl := table.TTLInput(); aws.ToString(ttl.TimeToLiveSpecification.AttributeName) != "ttl" {
		t.Errorf("ttl: got %+v", ttl)
	}
}

func TestLocalServersKeepNoStreamThatNobodyReads(t *testing.T) {
	tmpl := load(t, nil)
	read := tmpl.Table("KvTable")
	if got, want := tmpl.LocalInput(*read), read.CreateInput(); !reflect.DeepEqual(got, want) {
		t.Errorf("a table whose stream is read: got %+v, want %+v", got, want)
	}
	for i := range tmpl.Functions {
		tmpl.Functions[i].Streams = nil
	}
	if got := tmpl.LocalInput(*read); got.StreamSpecification != nil || len(got.LocalSecondaryIndexes) != 1 {
		t.Errorf("a table whose stream nobody reads: got %+v", got)
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	function := func(properties string) string {
		return "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: " + properties + "}}"
	}
	for name, c := range map[string]struct{ text, want string }{
		"unknown intrinsic":    {function("{Timeout: !Base64 x}"), "Fn::Base64 is not supported"},
		"unknown ref":          {function("{Timeout: !Ref X}"), "no such parameter or resource"},
		"unknown event":        {function("{Events: {E: {Type: Kinesis}}}"), "type Kinesis is not supported"},
		"unknown authorizer":   {function("{Events: {E: {Type: Api, Properties: {Path: /, Method: get, Auth: {Authorizer: A}}}}}"), "no authorizer A"},
		"foreign stream":       {function("{Events: {E: {Type: DynamoDB, Properties: {Stream: 'arn:x'}}}}"), "not the StreamArn"},
		"unknown parameter":    {"Resources: {}", "no parameter P"},
		"empty":                {"", "empty"},
		"GetAtt without a dot": {function("{Timeout: !GetAtt X}"), "names no attribute"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{}
			if name == "unknown parameter" {
				o.Parameters = map[string]string{"P": "1"}
			}
			_, err := Parse([]byte(c.text), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error: got %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestRootIsTheProductsFolder(t *testing.T) {
	root, err := Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(filepath.Join(root, "template.yaml"), Options{}); err != nil {
		t.Errorf("the product's template: %v", err)
	}
}
