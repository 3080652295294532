package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// attempts is how often a runner sends a request that fails with 5xx (runner protocol, 3).
const attempts = 5

// persist sends a request as a runner does: again, if it fails with a status of 500 or
// above.
func (j job) persist(t *testing.T, caller *access.Caller, method, rest, body string) functiontest.Response {
	t.Helper()
	var resp functiontest.Response
	for range attempts {
		if resp = j.As(t, caller, method, j.path(rest), body); resp.StatusCode < 500 {
			break
		}
	}
	return resp
}

// scenario is a request and what must hold after it.
type scenario struct {
	method, rest, body string
	prepare            func(*testing.T, *rig) job
	public             bool
	check              func(*testing.T, job, functiontest.Response)
}

// ok checks a response that is always the same.
func ok(body string, more func(*testing.T, job)) func(*testing.T, job, functiontest.Response) {
	return func(t *testing.T, j job, resp functiontest.Response) {
		t.Helper()
		resp.WantBody(t, 200, body)
		if more != nil {
			more(t, j)
		}
	}
}

var scenarios = map[string]scenario{
	"initiate": {
		method: "POST", rest: "/initiate", body: started, public: true,
		prepare: func(t *testing.T, r *rig) job { return r.create(t, vcs.GitHub, run.Plan) },
		check: func(t *testing.T, j job, resp functiontest.Response) {
			t.Helper()
			j.initiate(t).WantBody(t, 200, resp.Body)
			if now := j.now(t); now.State != run.Running || now.CIRun != "777" || !strings.Contains(resp.Body, j.token) {
				t.Errorf("got %s of %q, and %s", now.State, now.CIRun, resp.Body)
			}
		},
	},
	"initiate of another commit": {
		method: "POST", rest: "/initiate", body: `{"run_id":"777","sha":"0000"}`, public: true,
		prepare: func(t *testing.T, r *rig) job { return r.create(t, vcs.GitHub, run.Plan) },
		check: ok(done, func(t *testing.T, j job) {
			if now := j.now(t); now.State != run.Aborted || now.Reason.Code != run.WrongCommit {
				t.Errorf("got %s %+v", now.State, now.Reason)
			}
		}),
	},
	"plan stored": {
		method: "POST", rest: "/plans", body: planBody(net, "new", ""),
		prepare: func(t *testing.T, r *rig) job {
			j := r.start(t, vcs.GitHub, run.Plan)
			j.store(t, net, "old", `,"has_changes":false`).WantBody(t, 200, "")
			return j
		},
		check: ok("", func(t *testing.T, j job) {
			found, err := j.plans.Of(t.Context(), j.id, j.Clock.Now())
			if err != nil || len(found) != 1 || !found[0].HasChanges || found[0].Size != 3 {
				t.Errorf("got %+v, %v", found, err)
			}
		}),
	},
	"plan fetched": {
		method: "GET", rest: "/plans?path=net&workspace=default",
		prepare: func(t *testing.T, r *rig) job {
			j := r.start(t, vcs.GitHub, run.Plan)
			j.store(t, net, "abc", "").WantBody(t, 200, "")
			return r.start(t, vcs.GitHub, run.Apply, j.chosen(t)...)
		},
		check: ok(`{"data":"YWJj"}`, nil),
	},
	"upload announced": {
		method: "POST", rest: "/plans/upload", body: uploadBody(net, "abc"),
		prepare: func(t *testing.T, r *rig) job { return r.start(t, vcs.GitHub, run.Plan) },
		check: func(t *testing.T, j job, resp functiontest.Response) {
			t.Helper()
			resp.Want(t, 200, "")
			j.store(t, net, uploadedPlan, "").Want(t, 400, "PLAN_NOT_UPLOADED")
			j.send(t, net, "abc")
			j.store(t, net, uploadedPlan, "").WantBody(t, 200, "")
		},
	},
	"uploaded plan stored": {
		method: "POST", rest: "/plans", body: planBody(net, uploadedPlan, ""),
		prepare: func(t *testing.T, r *rig) job {
			j := r.start(t, vcs.GitHub, run.Plan)
			j.send(t, net, "abc")
			return j
		},
		check: ok("", func(t *testing.T, j job) {
			found, err := j.plans.Of(t.Context(), j.id, j.Clock.Now())
			if err != nil || len(found) != 1 || !found[0].Uploaded || found[0].Size != 3 {
				t.Errorf("got %+v, %v", found, err)
			}
		}),
	},
	"results": {
		method: "PUT", body: planned,
		prepare: func(t *testing.T, r *rig) job {
			j := r.start(t, vcs.GitHub, run.Plan)
			j.store(t, net, "abc", "").WantBody(t, 200, "")
			return j
		},
		check: ok("", func(t *testing.T, j job) {
			now := j.now(t)
			if now.State != run.Completed || !now.Result.Outcomes[1].Has(run.PlanStored|run.Succeeded) || len(j.steps(t, false)) != 2 {
				t.Errorf("got %s %+v", now.State, now.Result)
			}
			if gates, err := j.outputs.Gates(t.Context(), *now.Result); err != nil || len(gates) != 1 {
				t.Errorf("got the gates %+v, %v", gates, err)
			}
		}),
	},
	"results that cannot be read": {
		method: "PUT", body: `{"steps":7}`,
		prepare: func(t *testing.T, r *rig) job { return r.start(t, vcs.GitHub, run.Apply) },
		check: func(t *testing.T, j job, resp functiontest.Response) {
			t.Helper()
			// A repetition after a lost response finds the run aborted.
			if resp.StatusCode != 400 && resp.StatusCode != 403 {
				t.Errorf("got %d %s", resp.StatusCode, resp.Body)
			}
			if now := j.now(t); now.State != run.Aborted || now.Reason.Code != run.ResultRefused {
				t.Errorf("got %s %+v", now.State, now.Reason)
			}
		},
	},
	"results of an index": {
		method: "PUT", body: `{"paths":{},"symlinks":{},"version":1,"success":true}`,
		prepare: func(t *testing.T, r *rig) job { return r.start(t, vcs.GitHub, run.Index) },
		check: ok("", func(t *testing.T, j job) {
			if now := j.now(t); now.State != run.Completed || !now.Result.Success || len(j.steps(t, false)) != 1 {
				t.Errorf("got %s %+v", now.State, now.Result)
			}
		}),
	},
	"workspaces": {
		method: "GET", rest: "/workspaces",
		prepare: func(t *testing.T, r *rig) job { return r.start(t, vcs.GitHub, run.Plan) },
		check:   ok(`[{"dir":"app","workspace":"prod"},{"dir":"net","workspace":"default"}]`, nil),
	},
}

var kinds = map[string]storagetest.Kind{
	"throttled": storagetest.Throttle, "failed": storagetest.ServerError, "response lost": storagetest.LoseAnswer,
	"request lost": storagetest.LoseRequest, "refused": storagetest.Refuse, "sent twice": storagetest.Duplicate,
}

// TestEachRequestDoesItsWorkWhicheverCallFails makes each call of each request fail in
// each way, one at a time.
func TestEachRequestDoesItsWorkWhicheverCallFails(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for how, kind := range kinds {
				for nth, more := 1, true; more; nth++ {
					t.Run(fmt.Sprintf("call %d %s", nth, how), func(t *testing.T) {
						more = r.fail(t, s, storagetest.Fault{Nth: nth, Kind: kind})
					})
				}
			}
		})
	}
}

// fail makes one call of the request fail. It reports whether the request made so many
// calls.
func (r *rig) fail(t *testing.T, s scenario, f storagetest.Fault) bool {
	t.Helper()
	r.Faults.Clear()
	j := s.prepare(t, r)
	caller := j.caller(t)
	if s.public {
		caller = nil
	}
	r.Faults.Clear() // the preparation made calls
	r.Faults.Add(f)
	resp := j.persist(t, caller, s.method, s.rest, s.body)
	hit := r.Faults.Calls("") >= f.Nth
	r.Faults.Clear()
	s.check(t, j, resp)
	return hit
}

// TestResultMeetsAnAbortBetweenEachTwoCalls lets a person abort the run before each call
// of a report. Either the results or the abort count, never a part of both.
func TestResultMeetsAnAbortBetweenEachTwoCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := scenarios["results"]
	for nth, more := 1, true; more; nth++ {
		j := s.prepare(t, r)
		caller := j.caller(t)
		r.Faults.Clear()
		r.Faults.Add(storagetest.Fault{Nth: nth, Before: func() {
			if _, _, err := r.runs.Abort(t.Context(), j.id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.Author()); err != nil {
				t.Error(err)
			}
		}})
		resp := j.persist(t, caller, s.method, s.rest, s.body)
		more = r.Faults.Calls("") >= nth
		r.Faults.Clear()
		switch now := j.now(t); {
		case more && (resp.StatusCode != 403 || now.State != run.Aborted || now.Result != nil):
			t.Errorf("abort before call %d: got %d, and %s", nth, resp.StatusCode, now.State)
		case !more && (resp.StatusCode != 200 || now.State != run.Completed):
			t.Errorf("no abort: got %d, and %s", resp.StatusCode, now.State)
		}
	}
}
