package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

type archivist struct {
	objects *s3.Client
	bucket  string
	log     *slog.Logger
}

// handle writes the new records of a batch as one object: gzip, a record as JSON
// on each line. Its name is that of the first change, so that a batch that is
// told again replaces itself; cut otherwise, it leaves a record twice, with the
// same id.
func (a *archivist) handle(ctx context.Context, event events.DynamoDBEvent) error {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	lines, name := 0, ""
	for _, change := range event.Records {
		record, ok := change.Change.NewImage["record"]
		if !ok || record.DataType() != events.DataTypeString || change.EventName != "INSERT" {
			continue // what expires in the table stays in the archive
		}
		if lines++; lines == 1 {
			day := change.Change.ApproximateCreationDateTime.UTC().Format("2006/01/02")
			name = fmt.Sprintf("records/%s/%s.jsonl.gz", day, change.Change.SequenceNumber)
		}
		if _, err := fmt.Fprintln(w, record.String()); err != nil {
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
	a.log.LogAttrs(ctx, slog.LevelInfo, "archived", slog.String("object", name), slog.Int("records", lines))
	return nil
}
