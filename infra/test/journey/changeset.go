//go:build unix

package journey

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// ChangeSet stores what an evaluation of a pull request stores: one stack, with the directory
// net, which the pull request changes.
func (s *Stack) ChangeSet(t testing.TB, in Installation, repository vcs.ID, number int64) {
	t.Helper()
	runs := s.runs(t)
	of := vcs.Installation{VCS: vcs.VCS(in.VCS), ID: vcs.ID(in.ID)}.Repository(repository)
	write, err := changeset.Store{DB: runs.DB, Table: runs.Table, Keep: runs.Limits.Keep}.Write(t.Context(), changeset.Set{
		Repository: of, Number: number, Base: Commit, Head: Commit, At: time.Now(),
		Stacks: []changeset.Stack{{Name: "net", Paths: [][]string{{"net"}}, Members: []changeset.Member{
			{Dirspace: run.Dirspace{Dir: "net", Workspace: "default"}, Layer: 1},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := (table.Table{DB: runs.DB, Name: runs.Table}).Transact(t.Context(), write); err != nil {
		t.Fatal(err)
	}
}
