package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/background/frame"
)

type archivist struct {
	objects *s3.Client
	bucket  string
	log     *slog.Logger
}

// handle writes a batch as one object: gzip, with one record as JSON on each line.
// The object is named after the first change. So a batch that is delivered again
// replaces its own object. If the batches are then divided differently, a record
// may be there twice, with the same id.
//
// Records are never changed, and are removed only when their time is over. If
// somebody with AWS credentials changes or removes a record, the archive records
// that, and keeps the record as it was.
func (a *archivist) handle(ctx context.Context, event events.DynamoDBEvent) error {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	lines, tampered, name := 0, 0, ""
	for _, change := range event.Records {
		text, ok, err := line(change)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if change.EventName != "INSERT" {
			tampered++
		}
		if lines++; lines == 1 {
			day := change.Change.ApproximateCreationDateTime.UTC().Format("2006/01/02")
			name = fmt.Sprintf("records/%s/%s-%.8x.jsonl.gz", day, change.Change.SequenceNumber, sha256.Sum256(text))
		}
		if _, err := fmt.Fprintf(w, "%s\n", text); err != nil {
			return fmt.Errorf("compress records: %w", err)
		}
	}
	if lines == 0 {
		return nil
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress records: %w", err)
	}
	_, err := a.objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &a.bucket, Key: &name, Body: bytes.NewReader(packed.Bytes()),
		ContentType: aws.String("application/x-ndjson"), ContentEncoding: aws.String("gzip"),
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	var odd error
	if tampered > 0 {
		odd = errTampered
	}
	frame.Line{Message: "archived", Details: []slog.Attr{slog.String("object", name)}, Counts: []frame.Count{
		{Name: "records", Unit: frame.Things, Value: int64(lines)},
		{Name: "tampered", Unit: frame.Things, Value: int64(tampered)},
	}}.Write(ctx, a.log, time.Now(), odd)
	return nil
}

// errTampered is only logged. It is not a failure, because the archive has the
// records.
var errTampered = errors.New("somebody with AWS credentials changed or removed records of the audit trail")

// line returns the archive's line for a change of the trail's table. It returns
// false if the change needs none.
func line(change events.DynamoDBEventRecord) (text []byte, ok bool, err error) {
	record := func(image map[string]events.DynamoDBAttributeValue) map[string]any {
		if v, ok := image["record"]; ok && v.DataType() == events.DataTypeString {
			return map[string]any{"record": v.String()}
		}
		return nil
	}
	is, was := record(change.Change.NewImage), record(change.Change.OldImage)
	switch {
	case audit.Expired(change), is == nil && was == nil:
		return nil, false, nil
	case change.EventName == "INSERT":
		return []byte(is["record"].(string)), true, nil
	}
	sum := sha256.Sum256([]byte(change.Change.SequenceNumber))
	text, err = json.Marshal(audit.Record{
		ID: hex.EncodeToString(sum[:16]), At: change.Change.ApproximateCreationDateTime.UTC(), Action: "record." + strings.ToLower(change.EventName),
		Actor: audit.Actor{ID: audit.Unknown}, Subject: change.Change.Keys["sk"].String(), Before: was, After: is,
	})
	if err != nil {
		return nil, false, fmt.Errorf("encode record: %w", err)
	}
	return text, true, nil
}
