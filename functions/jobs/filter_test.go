package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// TestStreamSendsTasksThatNoWorkerHas checks the filter of the template with a
// task's item in each state of its life.
func TestStreamSendsTasksThatNoWorkerHas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stack, err := template.Load("../../template.yaml", template.Options{Name: func(logicalID string) string { return logicalID }})
	if err != nil {
		t.Fatal(err)
	}
	stream := stack.Function("JobsFunction").Streams[0]
	id := r.start(t, "github", "42")
	check := func(what string, want bool) {
		t.Helper()
		out, err := r.Env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String(r.Env.Table("OperationsTable")), Key: attr.Item{"pk": attr.String("TASK#" + id), "sk": attr.String("TASK")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.Passes(out.Item); got != want {
			t.Errorf("%s: wakes a worker: %t", what, got)
		}
	}
	check("new", true)
	run, err := r.Tasks.Begin(t.Context(), id, r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	check("taken up", false)
	note, err := json.Marshal(place{Page: 2})
	if err != nil {
		t.Fatal(err)
	}
	run.Note = string(note)
	if err := r.Tasks.Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	check("in progress", false)
	if err := r.Tasks.Wait(t.Context(), run, r.Clock.Now(), "words"); err != nil {
		t.Fatal(err)
	}
	check("given back", true)
	if run, err = r.Tasks.Begin(t.Context(), id, r.Clock.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := r.Tasks.End(t.Context(), run, task.Completed, "", r.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	check("ended", false)
	if stream.Passes(attr.Item{"pk": attr.String("USER#1"), "sk": attr.String("USER"), "idle": attr.String("yes")}) {
		t.Error("a user wakes a worker")
	}
}
