package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/task"
)

func (o *Operator) tasks() task.Store {
	return task.Store{DB: o.DB, Table: o.Tables.Operations}
}

// taskShow shows the progress of a task.
func (o *Operator) taskShow(ctx context.Context, args []string) error {
	ids, err := parse(flags("task show"), args, "ID")
	if err != nil {
		return err
	}
	id, err := task.ParseID(ids[0])
	if err != nil {
		return err
	}
	t, err := o.tasks().Get(ctx, id, o.Now())
	if errors.Is(err, fault.ErrNotFound) {
		return fault.Invalidf("NO_SUCH_TASK", "there is no task %s; tasks are kept for %d days after their end", id, int(task.Keep.Hours()/24))
	}
	if err != nil {
		return err
	}
	if err := o.say("%s  %s  since %s", t.Kind, t.State, shown(t.UpdatedAt)); err != nil {
		return err
	}
	if t.Installation.ID != "" {
		if err := o.say("about    %s installation %s", t.Installation.VCS, t.Installation.ID); err != nil {
			return err
		}
	}
	if t.Subject != "" {
		if err := o.say("about    user %s", t.Subject); err != nil {
			return err
		}
	}
	progress := fmt.Sprint(t.Progress.Done)
	if t.Progress.Total > 0 {
		progress += fmt.Sprintf(" of %d", t.Progress.Total)
	}
	if err := o.say("done     %s", progress); err != nil {
		return err
	}
	if t.Problem != "" {
		return o.say("problem  %s", printable(t.Problem))
	}
	return nil
}
