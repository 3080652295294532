package main

import (
	"bufio"
	"compress/gzip"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/storagetest"
)

func added(sequence, record string) events.DynamoDBEventRecord {
	return events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{
		NewImage:       map[string]events.DynamoDBAttributeValue{"record": events.NewStringAttribute(record)},
		SequenceNumber: sequence, ApproximateCreationDateTime: events.SecondsEpochTime{Time: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)},
	}}
}

func TestRecordsAreArchivedOnceHoweverOftenTheyAreTold(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	bucket := env.Bucket("AuditBucket")
	a := &archivist{objects: env.S3, bucket: bucket, log: slog.New(slog.NewJSONHandler(io.Discard, nil))}
	batch := []events.DynamoDBEventRecord{added("1", `{"id":"a"}`), added("2", `{"id":"b"}`), {EventName: "REMOVE"}, added("4", `{"id":"c"}`)}
	for range 2 {
		if err := a.handle(t.Context(), events.DynamoDBEvent{Records: batch}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.handle(t.Context(), events.DynamoDBEvent{Records: batch[2:3]}); err != nil {
		t.Fatal(err)
	}
	list, err := env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil || len(list.Contents) != 1 || *list.Contents[0].Key != "records/2026/11/24/1.jsonl.gz" {
		t.Fatalf("objects %+v, %v", list.Contents, err)
	}
	out, err := env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: list.Contents[0].Key})
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for scan := bufio.NewScanner(unpacked); scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	if got := strings.Join(lines, " "); got != `{"id":"a"} {"id":"b"} {"id":"c"}` {
		t.Errorf("archived %s", got)
	}
}

func TestArchiveThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "s3:PUT", Kind: storagetest.ServerError})
	a := &archivist{objects: env.WithFaults(&f).S3, bucket: env.Bucket("AuditBucket"), log: slog.New(slog.NewJSONHandler(io.Discard, nil))}
	if err := a.handle(t.Context(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{added("1", "{}")}}); err == nil {
		t.Error("a failure was taken for success: the stream would go on")
	}
}
