package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
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
	expired := added("3", `{"id":"old"}`)
	expired.EventName, expired.Change.OldImage, expired.Change.NewImage = "REMOVE", expired.Change.NewImage, nil
	expired.UserIdentity = &events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	batch := []events.DynamoDBEventRecord{added("1", `{"id":"a"}`), added("2", `{"id":"b"}`), expired, added("4", `{"id":"c"}`)}
	for range 2 {
		if err := a.handle(t.Context(), events.DynamoDBEvent{Records: batch}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.handle(t.Context(), events.DynamoDBEvent{Records: batch[2:3]}); err != nil {
		t.Fatal(err)
	}
	list, err := env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil || len(list.Contents) != 1 || !strings.HasPrefix(*list.Contents[0].Key, "records/2026/11/24/1-") {
		t.Fatalf("objects %+v, %v", list.Contents, err)
	}
	if got := strings.Join(archived(t, env), " "); got != `{"id":"a"} {"id":"b"} {"id":"c"}` {
		t.Errorf("archived %s", got)
	}
}

// archived returns the lines of every object.
func archived(t *testing.T, env *storagetest.Env) (lines []string) {
	t.Helper()
	bucket := env.Bucket("AuditBucket")
	list, err := env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range list.Contents {
		out, err := env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: object.Key})
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := gzip.NewReader(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		for scan := bufio.NewScanner(unpacked); scan.Scan(); {
			lines = append(lines, scan.Text())
		}
	}
	return lines
}

func TestRecordsThatSomebodyChangesOrRemovesStayInTheArchive(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	var log bytes.Buffer
	a := &archivist{objects: env.S3, bucket: env.Bucket("AuditBucket"), log: slog.New(slog.NewJSONHandler(&log, nil))}
	changed := added("1", `{"id":"a","action":"forged"}`)
	changed.EventName, changed.Change.OldImage = "MODIFY", added("", `{"id":"a","action":"key.write"}`).Change.NewImage
	removed := added("2", `{"id":"b"}`)
	removed.EventName, removed.Change.OldImage, removed.Change.NewImage = "REMOVE", removed.Change.NewImage, nil
	removed.Change.OldImage["ttl"] = events.NewNumberAttribute("4000000000") // its time is not over
	if err := a.handle(t.Context(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{changed, removed}}); err != nil {
		t.Fatal(err)
	}
	lines := archived(t, env)
	if len(lines) != 2 || !strings.Contains(lines[0], `"action":"record.modify"`) || !strings.Contains(lines[0], `key.write`) ||
		!strings.Contains(lines[0], `forged`) || !strings.Contains(lines[1], `"action":"record.remove"`) {
		t.Errorf("archived %s", lines)
	}
	if !strings.Contains(log.String(), `"tampered":2`) || !strings.Contains(log.String(), "ERROR") {
		t.Errorf("logged %s", log.String())
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
