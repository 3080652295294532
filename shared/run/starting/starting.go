// Package starting starts runs: it asks the rules, makes the run's token and the document
// that tells the runner what to do, and creates the run. Its invariants:
//
//   - No run is queued that the rules do not admit. The rules of an apply are asked again
//     at the moment at which no other run of the repository can come between.
//   - The document never changes after the run is queued. So the runner works with the
//     configuration from which the run was decided.
//   - A token is stored only as its digest and sealed.
package starting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
)

// Starter starts runs.
type Starter struct {
	History History
	// Objects and Bucket are where manifests are that are too large for the table.
	Objects *s3.Client
	Bucket  string
	Box     *sealed.Box
	// PublicBaseURL is the address at which runners reach this server. No run can be
	// started without it.
	PublicBaseURL string
	// PlanUploads says that runners upload plans to the bucket of this server.
	PlanUploads bool
}

// Order is a run that is to be started.
type Order struct {
	Spec run.Spec
	// Rules decide whether the run may be made, and which plans it uses.
	Rules command.Rules
	// Config is the configuration of the repository as the runner gets it: a JSON object.
	// Nil is an empty one.
	Config json.RawMessage
	// Dirspaces are those of Spec, in its order, with what the configuration says of each.
	// Nil means that it says nothing.
	Dirspaces []manifest.Dirspace
	// Idempotency makes a repeated order return the first one's run. It may be zero.
	Idempotency runstore.Idempotency
}

// Start creates the run of an order at author.At, and makes it Queued. It returns the
// fault of the rules if they do not admit the run, PLANS_CHANGED if the plans of an apply
// changed meanwhile, and the errors of runstore.Store.Create.
func (s Starter) Start(ctx context.Context, o Order, author change.Author) (runstore.Created, error) {
	uses, err := o.Rules.Admit(ctx, o.Spec, author.At)
	if err != nil {
		return runstore.Created{}, err
	}
	token := runtoken.New(o.Spec.ID)
	closed, err := s.Box.Seal(ctx, runtoken.Place(o.Spec.ID), []byte(token))
	if err != nil {
		return runstore.Created{}, err
	}
	document, err := s.document(o)
	if err != nil {
		return runstore.Created{}, err
	}
	made := runstore.Creation{
		Spec: o.Spec, Token: runstore.Token{Hash: runtoken.Digest(token), Sealed: closed}, Manifest: runstore.Manifest{Body: document}, Idempotency: o.Idempotency,
		Before: func(ctx context.Context) error {
			if err := s.choose(ctx, o.Spec.ID, uses, author.At.Add(s.History.Runs.Limits.Keep)); err != nil {
				return err
			}
			return s.put(ctx, o.Spec.ID, document)
		},
	}
	if o.Spec.Type.IsApply() {
		made.Check = func(ctx context.Context) error { return o.unchanged(ctx, uses, author.At) }
	}
	if len(document) > runstore.MaxManifest {
		made.Manifest = runstore.Manifest{Object: runstore.ManifestObject(o.Spec.ID)}
	}
	return s.History.Runs.Create(ctx, made, author)
}

// unchanged asks the rules again, and refuses an apply whose plans are others by now.
// Without it, two requests at the same time could start two applies of one plan.
func (o Order) unchanged(ctx context.Context, uses []command.Use, now time.Time) error {
	found, err := o.Rules.Admit(ctx, o.Spec, now)
	if err == nil && !slices.Equal(found, uses) {
		err = fault.Busyf("PLANS_CHANGED", "the directories were planned again while the apply was created: try again")
	}
	return err
}

// document returns what the runner is to do.
func (s Starter) document(o Order) ([]byte, error) {
	work := manifest.Work{
		Type: o.Spec.Type, Installation: o.Spec.Repository.Installation, Kind: o.Spec.Kind, BaseBranch: o.Spec.Base.Branch,
		APIBase: s.PublicBaseURL + "/api", PlanUploads: s.PlanUploads, Config: o.Config, Dirspaces: o.Dirspaces,
	}
	if work.Dirspaces == nil {
		work.Dirspaces = make([]manifest.Dirspace, len(o.Spec.Dirspaces))
		for i, d := range o.Spec.Dirspaces {
			work.Dirspaces[i].Dirspace = d
		}
	}
	same := slices.EqualFunc(work.Dirspaces, o.Spec.Dirspaces, func(w manifest.Dirspace, d run.Dirspace) bool { return w.Dirspace == d })
	if !same {
		return nil, fmt.Errorf("start run %s: its manifest has other dirspaces than the run", o.Spec.ID)
	}
	return manifest.Build(work)
}

// choose records the plans that an apply uses.
func (s Starter) choose(ctx context.Context, id run.ID, uses []command.Use, keep time.Time) error {
	list := make([]planstore.Use, len(uses))
	for i, u := range uses {
		list[i] = planstore.Use(u)
	}
	return s.History.PlanStore.Choose(ctx, id, list, keep)
}

// put stores a manifest as an object, if it does not fit into the table.
func (s Starter) put(ctx context.Context, id run.ID, document []byte) error {
	if len(document) <= runstore.MaxManifest {
		return nil
	}
	_, err := s.Objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: aws.String(runstore.ManifestObject(id)), Body: bytes.NewReader(document), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return fmt.Errorf("store manifest: %w", err)
	}
	return nil
}
