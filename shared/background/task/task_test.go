package task_test

import (
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestTaskIsVisibleToItsOwnerWithinTheRestriction(t *testing.T) {
	t.Parallel()
	about := task.Task{Owner: "ann", Installation: vcs.Installation{VCS: "github", ID: "42"}}
	general := task.Task{Owner: "ann"}
	for _, c := range []struct {
		name string
		task task.Task
		user string
		caps access.Set
		want bool
	}{
		{"owner", about, "ann", nil, true},
		{"someone else", about, "bob", nil, false},
		{"restricted to its installation", about, "ann", access.Set{access.VCS("github"), access.Installation("42")}, true},
		{"restricted to another installation", about, "ann", access.Set{access.Installation("43")}, false},
		{"restricted to another VCS", about, "ann", access.Set{access.VCS("gitlab")}, false},
		{"about no installation", general, "ann", nil, true},
		{"about no installation, restricted caller", general, "ann", access.Set{access.VCS("github")}, false},
	} {
		if got := c.task.VisibleTo(access.Caller{User: c.user, Capabilities: c.caps}); got != c.want {
			t.Errorf("%s: visible %t, want %t", c.name, got, c.want)
		}
	}
	if (task.Task{}).VisibleTo(access.Caller{}) {
		t.Error("a task without an owner is visible to nobody")
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	const id = "0b6e1f9e-6f0c-4c49-9a9d-5d8f6a3f7b11"
	if got, err := task.ParseID("0B6E1F9E-6F0C-4C49-9A9D-5D8F6A3F7B11"); err != nil || got != id {
		t.Errorf("got %q, %v; want %q", got, err, id)
	}
	for _, text := range []string{"", "1", "{" + id + "}", "urn:uuid:" + id, id[:35], id + "0", "0b6e1f9e6f0c4c499a9d5d8f6a3f7b11"} {
		if got, err := task.ParseID(text); err == nil {
			t.Errorf("%q is accepted as %q", text, got)
		}
	}
}
