package vcstest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// CIRun is a CI run at a stand-in: a workflow run of GitHub, or a pipeline of GitLab.
type CIRun struct {
	ID int64
	// Repository is "owner/name".
	Repository string
	Branch     string
	// Commit is that of the branch when the run was started. It is empty if the stand-in does
	// not know it.
	Commit string
	// Inputs are the inputs with which the run was started, as the host decodes them.
	Inputs map[string]any
	// Status and Conclusion are the host's own words. A run begins as "queued" (GitHub) or
	// "created" (GitLab), without a conclusion. GitLab has no conclusion.
	Status, Conclusion string
}

// CI is the CI of a stand-in. It starts no job by itself: OnStart may.
type CI struct {
	// OnStart is called with each run that is started, after the run is kept and before the
	// response. Set it before the first request.
	OnStart func(CIRun)
	// OnCancel is called with each run that is cancelled, before the response. Set it before
	// the first request. Neither function may send a request to the stand-in.
	OnCancel func(CIRun)
	// WithoutDetails makes the stand-in refuse return_run_details, as GitHub Enterprise Server
	// 3.20 does.
	WithoutDetails bool
	// Inputs are the inputs that the workflow declares. Nil stands for all that the product
	// may send.
	Inputs []string
	// First is the id of the first run. Zero stands for 9001. Later ids follow it.
	First int64

	mu   sync.Mutex
	runs []CIRun
}

// Runs returns the runs that were started, the oldest first.
func (c *CI) Runs() []CIRun {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.runs)
}

// of returns the runs of a repository at a commit.
func (c *CI) of(repository, commit string) []CIRun {
	return slices.DeleteFunc(c.Runs(), func(run CIRun) bool { return run.Repository != repository || run.Commit != commit })
}

// Set changes how far a run is.
func (c *CI) Set(id int64, status, conclusion string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.runs {
		if c.runs[i].ID == id {
			c.runs[i].Status, c.runs[i].Conclusion = status, conclusion
		}
	}
}

// start keeps a new run.
func (c *CI) start(run CIRun) CIRun {
	c.mu.Lock()
	run.ID = cmp.Or(c.First, 9001) + int64(len(c.runs))
	c.runs = append(c.runs, run)
	c.mu.Unlock()
	if c.OnStart != nil {
		c.OnStart(run)
	}
	return run
}

// cancel ends a run in the host's words.
func (c *CI) cancel(run CIRun, status, conclusion string) {
	c.Set(run.ID, status, conclusion)
	if c.OnCancel != nil {
		c.OnCancel(run)
	}
}

// find returns the run of a repository that a path names.
func (c *CI) find(repository, id string) (CIRun, bool) {
	for _, run := range c.Runs() {
		if run.Repository == repository && strconv.FormatInt(run.ID, 10) == id {
			return run, true
		}
	}
	return CIRun{}, false
}

// undeclared returns the first input that the workflow does not declare.
func (c *CI) undeclared(inputs map[string]any) (string, bool) {
	for name := range inputs {
		if c.Inputs != nil && !slices.Contains(c.Inputs, name) {
			return name, true
		}
	}
	return "", false
}

// reply is a response with a status of its own and without an entity tag.
type reply struct {
	status int
	body   any // nil: no body
}

func (r reply) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	if r.body != nil {
		_ = json.NewEncoder(w).Encode(r.body)
	}
}
