package task_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestAbortEndsATaskAndStopsItsWorker(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := task.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	start := time.Unix(4_000_000_000, 0).UTC()
	by := func(after time.Duration) change.Author {
		return change.Author{Principal: "ann", Request: uuid.NewString(), At: start.Add(after)}
	}
	for name, begun := range map[string]bool{"pending": false, "running": true} {
		made := task.Task{ID: uuid.NewString(), Kind: task.RefreshRepositories, Owner: "ann", Installation: vcs.Installation{VCS: "github", ID: "42"}}
		if err := s.Create(t.Context(), by(0), made); err != nil {
			t.Fatal(err)
		}
		var run *task.Run
		if begun {
			var err error
			if run, err = s.Begin(t.Context(), made.ID, start); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Abort(t.Context(), by(time.Minute), made.ID)
		if err != nil || got.State != task.Aborted || !got.UpdatedAt.Equal(start.Add(time.Minute)) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if run != nil {
			if err := s.Save(t.Context(), run); !errors.Is(err, task.ErrLost) {
				t.Errorf("%s: its worker could save: %v", name, err)
			}
			if err := s.End(t.Context(), run, task.Completed, "", start); !errors.Is(err, task.ErrLost) {
				t.Errorf("%s: its worker could end it: %v", name, err)
			}
		}
		if _, err := s.Begin(t.Context(), made.ID, start.Add(time.Hour)); !errors.Is(err, task.ErrNotDue) {
			t.Errorf("%s: it was begun after its end: %v", name, err)
		}
		if due, err := s.Due(t.Context(), task.Hosts, start.Add(time.Hour), 10); err != nil || len(due) != 0 {
			t.Errorf("%s: %v is due, %v", name, due, err)
		}
		if again, err := s.Abort(t.Context(), by(time.Hour), made.ID); err != nil || again.State != task.Aborted || !again.UpdatedAt.Equal(got.UpdatedAt) {
			t.Errorf("%s, again: %+v, %v", name, again, err)
		}
	}
	removal := task.Task{ID: uuid.NewString(), Kind: task.RemovePullRequests, Owner: "ann"}
	if err := s.Create(t.Context(), by(0), removal); err != nil {
		t.Fatal(err)
	}
	var f *fault.Error
	if _, err := s.Abort(t.Context(), by(0), removal.ID); !errors.As(err, &f) || f.ID != "TASK_NOT_ABORTABLE" {
		t.Errorf("a removal: %v", err)
	}
	if _, err := s.Abort(t.Context(), by(0), uuid.NewString()); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("an unknown task: %v", err)
	}
}
