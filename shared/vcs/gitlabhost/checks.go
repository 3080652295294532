package gitlabhost

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxStatuses is the maximum number of statuses of a commit, and of jobs of a pipeline,
// that are read.
const maxStatuses = 10_000

// Checks returns the external statuses of a commit and the jobs of its pipelines, the
// newest of each name, in the order of their names. If a status and a job have the same
// name, both are returned.
func (i *Installation) Checks(ctx context.Context, r vcs.Description, commit string) ([]vcshost.Check, error) {
	statuses, err := i.statuses(ctx, r, commit, "")
	if err != nil {
		return nil, err
	}
	jobs, err := i.jobs(ctx, r, statuses)
	if err != nil {
		return nil, err
	}
	type key struct {
		name string
		job  bool
	}
	newest := map[key]status{}
	for _, s := range statuses {
		k := key{s.Name, jobs[s.ID]}
		if s.ID > newest[k].ID {
			newest[k] = s
		}
	}
	checks := make([]vcshost.Check, 0, len(newest))
	for k, s := range newest {
		checks = append(checks, vcshost.Check{Name: k.name, State: s.state(), HostCI: k.job})
	}
	slices.SortFunc(checks, func(a, b vcshost.Check) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.State, b.State))
	})
	return checks, nil
}

// statuses returns the newest statuses of a commit in each of its pipelines. If name is not
// empty, it returns only those with the name.
func (i *Installation) statuses(ctx context.Context, r vcs.Description, commit, name string) ([]status, error) {
	return listed(ctx, i.Client, "read statuses", projectPath(r, "repository", "commits", commit, "statuses"), pageOptions{Name: name}, maxStatuses, status.complete)
}

// jobs returns the ids of the statuses that are jobs of pipelines. GitLab lists jobs and
// external statuses together, with ids of one sequence, and does not state which is which.
// So the jobs of each pipeline are listed. A status that is in no such list is external: a
// requirement then counts it, which can only delay an apply.
func (i *Installation) jobs(ctx context.Context, r vcs.Description, statuses []status) (map[int64]bool, error) {
	found := map[int64]bool{}
	read := func(pipeline int64, list string) error {
		jobs, err := listed(ctx, i.Client, "read "+list+" of pipeline", projectPath(r, "pipelines", strconv.FormatInt(pipeline, 10), list), pageOptions{}, maxStatuses, job.complete)
		for _, j := range jobs {
			found[j.ID] = true
		}
		if errors.Is(err, vcshost.ErrGone) {
			return nil // the pipeline was deleted in the meantime
		}
		return err
	}
	pipelines := map[int64][]status{}
	for _, s := range statuses {
		if s.Pipeline > 0 {
			pipelines[s.Pipeline] = append(pipelines[s.Pipeline], s)
		}
	}
	for pipeline, own := range pipelines {
		if err := read(pipeline, "jobs"); err != nil {
			return nil, err
		}
		// Jobs that start another pipeline have a list of their own. Like all jobs, and
		// unlike most external statuses, they have no address.
		if slices.ContainsFunc(own, func(s status) bool { return !found[s.ID] && s.TargetURL == "" }) {
			if err := read(pipeline, "bridges"); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// job is a job of a pipeline.
type job struct {
	ID int64 `json:"id"`
}

func (j job) complete() error {
	if j.ID <= 0 {
		return errors.New("it has no id")
	}
	return nil
}

// status is what GitLab states about an external status, or about a job of a pipeline.
type status struct {
	ID           int64  `json:"id"`
	Name         string `json:"name"`
	Status       string `json:"status"`
	TargetURL    string `json:"target_url"`
	AllowFailure bool   `json:"allow_failure"`
	Pipeline     int64  `json:"pipeline_id"`
}

func (s status) complete() error {
	if s.ID <= 0 || s.Name == "" || s.Status == "" {
		return errors.New("it does not have its id, name and status")
	}
	return nil
}

// state returns the state of a check. A job that may fail, and one that waits for a person
// and may be left out, succeed, as they do in their pipeline. A status that is not known is
// pending, so that no requirement takes it for a success.
func (s status) state() vcshost.CheckState {
	switch s.Status {
	case "success", "skipped":
		return vcshost.CheckSuccess
	case "manual":
		if s.AllowFailure {
			return vcshost.CheckSuccess
		}
	case "failed", "canceled":
		if s.AllowFailure {
			return vcshost.CheckSuccess
		}
		return vcshost.CheckFailure
	}
	return vcshost.CheckPending
}
