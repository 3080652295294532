package main

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestTasksWakeOnlyTheFunctionOfTheirKind checks the filter of the template and
// the lists of due tasks with a task of each kind.
func TestTasksWakeOnlyTheFunctionOfTheirKind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stack, err := template.Load("../../template.yaml", template.Options{Name: func(logicalID string) string { return logicalID }})
	must(t, err)
	stream := stack.Function("JobsFunction").Streams[0]
	for kind, want := range map[task.Kind]task.Queue{
		task.EraseInstallation: task.Erasures, task.EraseUser: task.Erasures,
		task.RefreshRepositories: task.Hosts, task.RemovePullRequests: task.Hosts,
	} {
		id := r.start(t, task.Task{Kind: kind, Installation: vcs.Installation{VCS: "github", ID: "1"}, Owner: "ann"})
		check := func(state string) {
			t.Helper()
			out, err := r.Env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
				TableName: aws.String(r.Env.Table("OperationsTable")), Key: attr.Item{"pk": attr.String("TASK#" + id), "sk": attr.String("TASK")},
			})
			must(t, err)
			if got := stream.Passes(out.Item); got != (want == task.Hosts) {
				t.Errorf("%s that is %s: the stream wakes JobsFunction: %t", kind, state, got)
			}
			for _, queue := range []task.Queue{task.Erasures, task.Hosts} {
				due, err := r.Tasks.Due(t.Context(), queue, r.Clock.Now().Add(time.Hour), 10)
				must(t, err)
				if got := slices.Contains(due, id); got != (queue == want) {
					t.Errorf("%s that is %s: is due in %s: %t", kind, state, queue, got)
				}
			}
		}
		check("new")
		run, err := r.Tasks.Begin(t.Context(), id, r.Clock.Now())
		must(t, err)
		must(t, r.Tasks.Wait(t.Context(), run, r.Clock.Now().Add(time.Minute), "words"))
		check("given back")
	}
	// If a filter passes a task by mistake, the function does not begin it.
	id := r.start(t, task.Task{Kind: task.RefreshRepositories, Installation: vcs.Installation{VCS: "github", ID: "2"}, Owner: "ann"})
	event := `{"Records":[{"dynamodb":{"Keys":{"pk":{"S":"TASK#` + id + `"},"sk":{"S":"TASK"}},"NewImage":{"kind":{"S":"REPO_REFRESH"},"wake":{"N":"1"}},"SequenceNumber":"1"}}]}`
	_, err = r.Handle(t.Context(), []byte(event))
	must(t, err)
	if got := r.task(t, id); got.State != task.Pending {
		t.Errorf("it took up another's task: %+v", got)
	}
}
