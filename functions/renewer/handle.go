package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
)

// renewer does the renewals that are due.
type renewer struct {
	people     membership.Memberships
	loginHosts map[vcs.VCS]loginhost.Host // by VCS; only those that are configured
	grants     *grant.Store
	keys       *apikey.Store
	log        *slog.Logger
	now        func() time.Time
}

const (
	// reserve is the time that an invocation keeps back, so that it can write the
	// outcome of the last renewals, and its log line.
	reserve = 10 * time.Second
	// batch is how many renewals are read at a time.
	batch = 100
	// maxConcurrent is how many people one host is asked about at the same time.
	maxConcurrent = 10
	// maxFailures is how many failures of a host in a row end the work on this host
	// in a run.
	maxFailures = 5
)

// tally counts what one run has done.
type tally struct {
	// Renewed counts people about whom the host made a new statement, or a recent
	// one was known. Ended counts people whose renewals ended. Failed counts people
	// about whom the host or the storage gave no usable response.
	Renewed int64 `json:"renewed"`
	Ended   int64 `json:"ended"`
	Failed  int64 `json:"failed"`
}

// errFailed is all that the invoker sees. The log has the details.
var errFailed = errors.New("not all renewals that are due could be done; the function's log says why")

// handle does the renewals that are due, of all hosts at the same time. The next
// run, a minute later, does those that are left.
func (r *renewer) handle(ctx context.Context, _ json.RawMessage) (tally, error) {
	ctx, cancel := frame.KeepBack(ctx, reserve)
	defer cancel()
	run := &run{renewer: r, request: cmp.Or(telemetry.Invocation(ctx), uuid.NewString())}
	failures := make([]error, 0, len(r.loginHosts))
	var mu sync.Mutex
	var hosts sync.WaitGroup
	for system, host := range r.loginHosts {
		hosts.Go(func() {
			err := run.all(ctx, system, host)
			mu.Lock()
			defer mu.Unlock()
			failures = append(failures, err)
		})
	}
	hosts.Wait()
	done := tally{Renewed: run.renewed.Load(), Ended: run.ended.Load(), Failed: run.failed.Load()}
	err := errors.Join(failures...)
	r.report(ctx, run.request, done, err)
	if err != nil {
		err = errFailed
	}
	return done, err
}

// run is one run of the function.
type run struct {
	*renewer
	request                string
	renewed, ended, failed atomic.Int64
}

// all does the renewals of one host, until none is due, the time is over, or the
// host has failed too often. Its error comes from the storage. A reminder that cannot
// be decoded does not stop the others.
func (r *run) all(ctx context.Context, system vcs.VCS, host loginhost.Host) error {
	var inARow atomic.Int64
	var listed error // that of the last list
	for ctx.Err() == nil {
		var due []membership.Reminder
		due, listed = r.people.Renewals.Due(ctx, system, r.now(), batch)
		if len(due) == 0 {
			return listed
		}
		failures := make([]error, len(due))
		var group errgroup.Group // without a context: a renewal that fails must not stop the others
		group.SetLimit(maxConcurrent)
		for i, of := range due {
			group.Go(func() error {
				if ctx.Err() != nil || inARow.Load() >= maxFailures {
					return nil
				}
				var failed bool
				if failed, failures[i] = r.keep(ctx, system, host, of); failed {
					inARow.Add(1)
				} else {
					inARow.Store(0)
				}
				return nil
			})
		}
		_ = group.Wait() // failures holds the errors
		if err := errors.Join(failures...); err != nil || inARow.Load() >= maxFailures {
			return errors.Join(err, listed)
		}
	}
	return listed
}

// report writes the log line of a run that did something.
func (r *renewer) report(ctx context.Context, request string, done tally, err error) {
	frame.Line{Message: "renewals", Request: request, Quiet: true, Counts: []frame.Count{
		{Name: "renewed", Unit: frame.Things, Value: done.Renewed},
		{Name: "ended", Unit: frame.Things, Value: done.Ended},
		{Name: "failed", Unit: frame.Things, Value: done.Failed},
	}}.Write(ctx, r.log, r.now(), err)
}
