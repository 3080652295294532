package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// fileLogs are the logs of a local stack: the current file, and the file before it.
type fileLogs struct{ path string }

// maxLogLine is the largest length of a line, in bytes.
const maxLogLine = 1 << 20

// Find implements admin.Logs.
func (l fileLogs) Find(_ context.Context, id string, since time.Time) ([]string, error) {
	var found []string
	for _, path := range []string{l.path + ".1", l.path} {
		lines, err := l.search(path, id, since)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, lines...)
	}
	return found, nil
}

func (fileLogs) search(path, id string, since time.Time) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), id) {
			continue
		}
		var at struct{ Time time.Time }
		if json.Unmarshal(lines.Bytes(), &at) == nil && !at.Time.Before(since) {
			found = append(found, lines.Text())
		}
	}
	return found, lines.Err()
}

// awsLogs are the log groups of a deployed stack.
type awsLogs struct {
	stack     string
	resources *cloudformation.Client
	logs      *cloudwatchlogs.Client
}

// Find implements admin.Logs. It searches the log groups of the stack one after the
// other, because CloudWatch allows only few searches in a second.
func (l awsLogs) Find(ctx context.Context, id string, since time.Time) ([]string, error) {
	groups, err := l.groups(ctx)
	if err != nil {
		return nil, err
	}
	filter := fmt.Sprintf(`{ ($.gateway_request_id = "%[1]s") || ($.request_id = "%[1]s") }`, id)
	var found []string
	for _, group := range groups {
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(l.logs, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: &group, FilterPattern: &filter, StartTime: aws.Int64(since.UnixMilli()),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("search log group %s: %w", group, err)
			}
			for _, event := range page.Events {
				found = append(found, aws.ToString(event.Message))
			}
		}
	}
	return found, nil
}

// accessLogs is the log group of the gateway. Its lines do not say why a request
// was refused.
const accessLogs = "AccessLogGroup"

func (l awsLogs) groups(ctx context.Context) ([]string, error) {
	var names []string
	pages := cloudformation.NewListStackResourcesPaginator(l.resources, &cloudformation.ListStackResourcesInput{StackName: &l.stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the log groups of stack %s: %w", l.stack, err)
		}
		for _, r := range page.StackResourceSummaries {
			if aws.ToString(r.ResourceType) == "AWS::Logs::LogGroup" && aws.ToString(r.LogicalResourceId) != accessLogs {
				names = append(names, aws.ToString(r.PhysicalResourceId))
			}
		}
	}
	return names, nil
}
