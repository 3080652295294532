package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

func TestRequestsAreFoundInTheFilesOfALocalStack(t *testing.T) {
	t.Parallel()
	logs := fileLogs{filepath.Join(t.TempDir(), "requests.log")}
	since := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	if found, err := logs.Find(t.Context(), "gw-1", since); err != nil || len(found) > 0 {
		t.Errorf("of a stack that was never asked: got %q, %v", found, err)
	}
	const early, former, last = `{"time":"2026-11-29T23:59:59Z","gateway_request_id":"gw-1"}`,
		`{"time":"2026-11-30T00:00:00Z","gateway_request_id":"gw-1"}`, `{"time":"2026-11-30T00:00:09Z","request_id":"gw-1"}`
	for path, text := range map[string]string{logs.path + ".1": early + "\n" + former + "\n", logs.path: "half of a line gw-1\n{}\n" + last + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := logs.Find(t.Context(), "gw-1", since); err != nil || !slices.Equal(found, []string{former, last}) {
		t.Errorf("got %q, %v", found, err)
	}
}

// cloudWatch simulates the log groups of a stack, for which no local server exists.
// There are two groups, and the second returns two pages.
func cloudWatch(t *testing.T, asked *[]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".FilterLogEvents") {
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprint(w, `<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries>
				<member><LogicalResourceId>KvLogGroup</LogicalResourceId><PhysicalResourceId>kv-logs</PhysicalResourceId><ResourceType>AWS::Logs::LogGroup</ResourceType></member>
				<member><LogicalResourceId>AccessLogGroup</LogicalResourceId><PhysicalResourceId>access-logs</PhysicalResourceId><ResourceType>AWS::Logs::LogGroup</ResourceType></member>
				<member><LogicalResourceId>KvTable</LogicalResourceId><PhysicalResourceId>kv</PhysicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType></member>
				<member><LogicalResourceId>AuthorizerLogGroup</LogicalResourceId><PhysicalResourceId>authorizer-logs</PhysicalResourceId><ResourceType>AWS::Logs::LogGroup</ResourceType></member>
				</StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>`)
			return
		}
		var in struct {
			LogGroupName, FilterPattern, NextToken string
			StartTime                              int64
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, fmt.Sprintf("%s %s %d %s", in.LogGroupName, in.FilterPattern, in.StartTime, in.NextToken))
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch {
		case in.LogGroupName == "kv-logs":
			fmt.Fprint(w, `{"events":[{"message":"{\"a\":1}"}]}`)
		case in.NextToken == "":
			fmt.Fprint(w, `{"events":[],"nextToken":"more"}`) // a page may be empty before the end
		default:
			fmt.Fprint(w, `{"events":[{"message":"{\"b\":2}"}]}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestRequestsAreFoundInTheLogGroupsOfAStack(t *testing.T) {
	t.Parallel()
	var asked []string
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(cloudWatch(t, &asked)),
		Credentials: credentials.NewStaticCredentialsProvider("local", "localsecret", ""),
	}
	logs := awsLogs{stack: "production", resources: cloudformation.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg)}
	found, err := logs.Find(t.Context(), "gw-1", time.UnixMilli(1_750_000_000_000))
	if err != nil || !slices.Equal(found, []string{`{"a":1}`, `{"b":2}`}) {
		t.Errorf("got %q, %v", found, err)
	}
	const filter = ` { ($.gateway_request_id = "gw-1") || ($.request_id = "gw-1") } 1750000000000 `
	if want := []string{"kv-logs" + filter, "authorizer-logs" + filter, "authorizer-logs" + filter + "more"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}
