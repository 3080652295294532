package main

import (
	"bufio"
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
)

// rig is the function with a bucket of its own.
type rig struct {
	*functiontest.Rig
	*archivist
	bucket string
}

func newRig(t *testing.T) *rig {
	r := &rig{Rig: functiontest.New(t, "ArchivistFunction")}
	r.bucket = r.Env.Bucket("AuditBucket")
	r.archivist = &archivist{objects: r.Role.S3, bucket: r.bucket, log: r.Logger()}
	return r
}

func added(sequence, record string) events.DynamoDBEventRecord {
	return events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{
		NewImage:       map[string]events.DynamoDBAttributeValue{"record": events.NewStringAttribute(record)},
		SequenceNumber: sequence, ApproximateCreationDateTime: events.SecondsEpochTime{Time: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)},
	}}
}

func TestRecordsAreArchivedOnceHoweverOftenTheyAreTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	expired := added("3", `{"id":"old"}`)
	expired.EventName, expired.Change.OldImage, expired.Change.NewImage = "REMOVE", expired.Change.NewImage, nil
	expired.UserIdentity = &events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	batch := []events.DynamoDBEventRecord{added("1", `{"id":"a"}`), added("2", `{"id":"b"}`), expired, added("4", `{"id":"c"}`)}
	for range 2 {
		functiontest.Stream(t.Context(), t, r.handle, batch...)
	}
	functiontest.Stream(t.Context(), t, r.handle, batch[2])
	list, err := r.Env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &r.bucket})
	if err != nil || len(list.Contents) != 1 || !strings.HasPrefix(*list.Contents[0].Key, "records/2026/11/24/1-") {
		t.Fatalf("objects %+v, %v", list.Contents, err)
	}
	if got := strings.Join(r.archived(t), " "); got != `{"id":"a"} {"id":"b"} {"id":"c"}` {
		t.Errorf("archived %s", got)
	}
}

// archived returns the lines of every object.
func (r *rig) archived(t *testing.T) (lines []string) {
	t.Helper()
	list, err := r.Env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &r.bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range list.Contents {
		out, err := r.Env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &r.bucket, Key: object.Key})
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
	r := newRig(t)
	changed := added("1", `{"id":"a","action":"forged"}`)
	changed.EventName, changed.Change.OldImage = "MODIFY", added("", `{"id":"a","action":"key.write"}`).Change.NewImage
	removed := added("2", `{"id":"b"}`)
	removed.EventName, removed.Change.OldImage, removed.Change.NewImage = "REMOVE", removed.Change.NewImage, nil
	removed.Change.OldImage["ttl"] = events.NewNumberAttribute("4000000000") // its time is not over
	functiontest.Stream(t.Context(), t, r.handle, changed, removed)
	lines := r.archived(t)
	if len(lines) != 2 || !strings.Contains(lines[0], `"action":"record.modify"`) || !strings.Contains(lines[0], `key.write`) ||
		!strings.Contains(lines[0], `forged`) || !strings.Contains(lines[1], `"action":"record.remove"`) {
		t.Errorf("archived %s", lines)
	}
	if !strings.Contains(r.Log.String(), `"tampered":2`) || !strings.Contains(r.Log.String(), "ERROR") {
		t.Errorf("logged %s", r.Log.String())
	}
}

func TestArchiveThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Faults.Add(storagetest.Fault{Operation: "s3:PUT", Kind: storagetest.ServerError})
	if err := r.handle(t.Context(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{added("1", "{}")}}); err == nil {
		t.Error("a failure was taken for success: the stream would go on")
	}
}
