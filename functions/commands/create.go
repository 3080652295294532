package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/run/runview"
	"github.com/opsplane/opsplane/shared/vcs"
)

// started is the response with a run that was started.
type started struct{ runview.Run }

// Status implements httpapi.Statuser.
func (started) Status() int { return http.StatusCreated }

// creating is a run that is to be created.
type creating struct {
	command.Start
	// again is the run that it repeats. It is empty for a new one.
	again run.ID
	key   string
}

// limits say how many runs may wait or work at one time. Others of the installation
// have to wait for them.
type limits struct {
	active int // runs of an installation
	own    int // of these, runs that one user has started
}

// usual are the limits of the function.
var usual = limits{active: 1000, own: 500}

// create creates a run. If an earlier request with the same idempotency key has done
// so, it returns that run, whatever has changed since.
func (c *commands) create(ctx context.Context, call httpapi.Call, at site, q creating) (started, error) {
	key := runstore.Idempotency{Principal: call.Caller.User, Key: q.key, Request: q.Digest(at.of, q.again)}
	found, there, err := c.history.runs.Earlier(ctx, key, call.Now)
	if err != nil {
		return started{}, err
	}
	if !there {
		if found, err = c.begin(ctx, call, at, q.Start, key); err != nil {
			return started{}, err
		}
	}
	shown, err := c.shown(ctx, found.Run)
	return started{shown}, err
}

// begin creates a run. If it is refused because of a run that a request with the same
// idempotency key has created meanwhile, it returns that run.
func (c *commands) begin(ctx context.Context, call httpapi.Call, at site, s command.Start, key runstore.Idempotency) (runstore.Created, error) {
	spec, err := c.spec(ctx, call, at, s)
	var made runstore.Created
	if err == nil {
		made, err = c.store(ctx, call, spec, key)
	}
	if err == nil {
		return made, nil
	}
	if found, there, reading := c.history.runs.Earlier(ctx, key, call.Now); reading == nil && there {
		return found, nil
	}
	return runstore.Created{}, err
}

// spec returns the run that a request asks for, at the head of its target. It refuses a
// run that cannot be dispatched, and one more than may wait.
func (c *commands) spec(ctx context.Context, call httpapi.Call, at site, s command.Start) (run.Spec, error) {
	switch {
	case c.publicBaseURL == "":
		return run.Spec{}, fault.Invalidf("RUNS_NOT_CONFIGURED", "this server does not know the address at which runners reach it: its operator must set the parameter PublicBaseUrl")
	case at.Archived:
		return run.Spec{}, fault.Invalidf("REPO_ARCHIVED", "repository %s/%s is archived, so that no CI job can run in it: end that at the host first", at.Owner, at.Name)
	}
	if err := c.room(ctx, call.Installation, at.name); err != nil {
		return run.Spec{}, err
	}
	place, err := at.place(ctx, s.Target)
	if err != nil {
		return run.Spec{}, err
	}
	return run.Spec{
		ID: run.NewID(), Repository: at.of, Owner: at.Owner, Name: at.Name, Type: s.Type, Kind: place.Kind, Base: place.Base, Source: place.Source,
		Environment: s.Environment, RunsOn: s.RunsOn, TagQuery: s.TagQuery, User: at.name, Principal: call.Caller.User,
		Dirspaces: s.Dirspaces, DirspaceCount: len(s.Dirspaces),
	}, nil
}

// room refuses a run if too many wait or work. Requests that are sent at the same time
// may exceed the limits a little.
func (c *commands) room(ctx context.Context, in vcs.Installation, user string) error {
	all, own, err := c.history.index.Active(ctx, in, user, c.limits.active)
	switch {
	case err != nil:
		return err
	case all >= c.limits.active:
		return fault.TooManyf("TOO_MANY_RUNS", "%d runs of the installation are queued or running: wait until some have ended, or abort some", all).After(time.Minute)
	case own >= c.limits.own:
		return fault.TooManyf("TOO_MANY_RUNS", "%d runs that %s has started are queued or running: wait until some have ended, or abort some", own, user).After(time.Minute)
	}
	return nil
}

// store asks the rules, and creates the run.
func (c *commands) store(ctx context.Context, call httpapi.Call, spec run.Spec, key runstore.Idempotency) (runstore.Created, error) {
	uses, err := c.rules.Admit(ctx, spec, call.Now)
	if err != nil {
		return runstore.Created{}, err
	}
	token := runtoken.New(spec.ID)
	closed, err := c.box.Seal(ctx, runtoken.Place(spec.ID), []byte(token))
	if err != nil {
		return runstore.Created{}, err
	}
	document, err := c.document(spec)
	if err != nil {
		return runstore.Created{}, err
	}
	made := runstore.Creation{
		Spec: spec, Token: runstore.Token{Hash: runtoken.Digest(token), Sealed: closed}, Manifest: runstore.Manifest{Body: document}, Idempotency: key,
		Before: func(ctx context.Context) error {
			if err := c.choose(ctx, spec.ID, uses, call.Now.Add(c.history.runs.Limits.Keep)); err != nil {
				return err
			}
			return c.documents.put(ctx, spec.ID, document)
		},
	}
	if spec.Type.IsApply() {
		made.Check = func(ctx context.Context) error { return c.unchanged(ctx, spec, uses, call.Now) }
	}
	if len(document) > runstore.MaxManifest {
		made.Manifest = runstore.Manifest{Object: runstore.ManifestObject(spec.ID)}
	}
	return c.history.runs.Create(ctx, made, call.Author())
}

// unchanged asks the rules again, and refuses an apply whose plans are others by now.
// Without it, two requests at the same time could start two applies of one plan.
func (c *commands) unchanged(ctx context.Context, spec run.Spec, uses []command.Use, now time.Time) error {
	found, err := c.rules.Admit(ctx, spec, now)
	if err == nil && !slices.Equal(found, uses) {
		err = fault.Busyf("PLANS_CHANGED", "the directories were planned again while the apply was created: try again")
	}
	return err
}

// document returns what the runner is to do.
func (c *commands) document(s run.Spec) ([]byte, error) {
	work := manifest.Work{
		Type: s.Type, Installation: s.Repository.Installation, Kind: s.Kind, BaseBranch: s.Base.Branch, APIBase: c.publicBaseURL + "/api", PlanUploads: c.planUploads,
		Dirspaces: make([]manifest.Dirspace, len(s.Dirspaces)),
	}
	for i, d := range s.Dirspaces {
		work.Dirspaces[i].Dirspace = d
	}
	return manifest.Build(work)
}

// choose records the plans that an apply uses.
func (c *commands) choose(ctx context.Context, id run.ID, uses []command.Use, keep time.Time) error {
	list := make([]planstore.Use, len(uses))
	for i, u := range uses {
		list[i] = planstore.Use(u)
	}
	return c.history.plans.Choose(ctx, id, list, keep)
}

// shown returns the form of a run in a response. The run may lack dirspaces that are in
// chunks.
func (c *commands) shown(ctx context.Context, r run.Run) (runview.Run, error) {
	var err error
	if r.Dirspaces, err = c.history.Dirspaces(ctx, r); err != nil {
		return runview.Run{}, err
	}
	row := runindex.Run{Run: r}
	row.Fit()
	return runview.Of(&row), nil
}

// documents are the manifests that are too large for the table.
type documents struct {
	objects *s3.Client
	bucket  string
}

// put stores a manifest, if it does not fit into the table.
func (d documents) put(ctx context.Context, id run.ID, document []byte) error {
	if len(document) <= runstore.MaxManifest {
		return nil
	}
	_, err := d.objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &d.bucket, Key: aws.String(runstore.ManifestObject(id)), Body: bytes.NewReader(document), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return fmt.Errorf("store manifest: %w", err)
	}
	return nil
}
