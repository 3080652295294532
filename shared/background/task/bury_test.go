package task_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

func TestTaskThatCannotBeReadIsBuriedWithItsReminders(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	kept := create(t, s)
	for _, attribute := range []string{"wake", "vcs", "state", "created_at"} {
		made := create(t, s)
		_, err := env.DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName:        aws.String(env.Table("OperationsTable")),
			Key:              attr.Item{"pk": attr.String("TASK#" + made.ID), "sk": attr.String("TASK")},
			UpdateExpression: aws.String("SET #a = :odd"), ExpressionAttributeNames: map[string]string{"#a": attribute},
			ExpressionAttributeValues: attr.Item{":odd": attr.Bool(true)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Begin(t.Context(), made.ID, born); !errors.Is(err, task.ErrUnreadable) {
			t.Fatalf("%s: begin: %v", attribute, err)
		}
		for range 2 {
			if err := s.Bury(t.Context(), task.Hosts, made.ID, "unreadable", born); err != nil {
				t.Fatalf("%s: %v", attribute, err)
			}
		}
		got, err := s.Get(t.Context(), made.ID, born)
		if err != nil || got.State != task.Failed || got.Problem != "unreadable" || got.Owner != made.Owner || got.Name != made.Name {
			t.Errorf("%s: %+v, %v", attribute, got, err)
		}
		if _, err := s.Begin(t.Context(), made.ID, born); !errors.Is(err, task.ErrNotDue) {
			t.Errorf("%s: begin again: %v", attribute, err)
		}
	}
	if err := s.Bury(t.Context(), task.Hosts, uuid.NewString(), "unknown", born); err != nil {
		t.Errorf("one that is unknown: %v", err)
	}
	if got := due(t, s, time.Hour); len(got) != 1 || got[0] != kept.ID {
		t.Errorf("due %v, want the one that can be read", got)
	}
}
