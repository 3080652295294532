package runstore

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// NextLook is the time between two looks at the CI job of a running run. A host
// reports the end of a job by itself. The looks find those whose report was lost.
const NextLook = 10 * time.Minute

// CIJob is what a runner says of itself when it asks for its work.
type CIJob struct {
	// Run is the id of the CI run. It is needed. GitHub: the workflow run. GitLab: the
	// job.
	Run string
	// Commit is the commit that the CI job has checked out.
	Commit string
	// URL leads to the CI run, if the caller can tell. It may be empty.
	URL string
}

// Initiation is the response to a runner that asks for its work.
type Initiation struct {
	// Run is the run as it is now, without dirspaces that are in chunks.
	Run run.Run
	// Work says that the runner is to do the run. Otherwise there is nothing to do
	// for it.
	Work bool
	// Aborted says that this call aborted the run, because it was made for another
	// commit or because of an unlock. The caller may want to make another run.
	Aborted bool
	// Manifest and Sealed, the sealed token, are set if there is work.
	Manifest Manifest
	Sealed   []byte
}

// Initiate decides what a runner gets that asks for its work, and records it (runner
// protocol, 13.3). The first CI run that asks makes the run Running, and keeps it:
//
//   - The same CI run gets the same response until the run has ended.
//   - Another CI run gets nothing to do, and changes nothing.
//   - If the CI job has another commit, the run is aborted. This is not decided for a
//     run that is Running: nobody can end the work of another CI run by knowing the
//     work token.
//   - A run that nobody has claimed gives no work: somebody started its CI job by
//     hand, before its turn.
//   - A run that an unlock has ended is aborted.
//
// It returns fault.ErrNotFound for a run that is unknown or not visible yet.
func (s Store) Initiate(ctx context.Context, id run.ID, job CIJob, author change.Author) (Initiation, error) {
	if job.Run == "" || len(job.Run) > run.MaxText || len(job.URL) > run.MaxText {
		return Initiation{}, fmt.Errorf("a CI run has an id of %d bytes and an address of %d bytes; 1 to %d are possible", len(job.Run), len(job.URL), run.MaxText)
	}
	rec, changed, err := s.transition(ctx, id, author, func(r *record) ([]table.Write, error) {
		if r.State != run.Queued || !r.Dispatch.Claimed() {
			return nil, errStop
		}
		if u, void, err := s.void(ctx, r.Run); err != nil || void {
			r.Reason = u.reason()
			r.end(run.Aborted, author.At)
			return nil, err
		}
		r.CIRun = job.Run
		if job.URL != "" {
			r.URL = job.URL
		}
		if !r.AcceptsCommit(job.Commit) {
			r.Reason = run.ReasonWrongCommit(r.Source.Commit, job.Commit)
			r.end(run.Aborted, author.At)
			return []table.Write{s.link(r, job.Run)}, nil
		}
		r.State, r.StartedAt = run.Running, time.UnixMilli(author.At.UnixMilli()).UTC()
		r.dueAt(ReportList, author.At.Add(min(s.Limits.Report, NextLook)))
		return []table.Write{s.link(r, job.Run)}, nil
	})
	if err != nil {
		return Initiation{}, err
	}
	i := Initiation{Run: rec.Run, Work: rec.State == run.Running && rec.CIRun == job.Run && rec.AcceptsCommit(job.Commit), Aborted: changed && rec.State == run.Aborted}
	if i.Work {
		i.Sealed = rec.token.Sealed
		i.Manifest, err = s.readManifest(ctx, &rec)
	}
	return i, err
}
