package starting_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// now lies in the future, so that nothing expires.
var now = time.Unix(4_000_000_000, 0).UTC()

func starter(env *storagetest.Env) starting.Starter {
	of := table.Table{DB: env.DynamoDB, Name: env.Table("RunsTable")}
	runs := runstore.Store{DB: of.DB, Table: of.Name, Limits: runstore.Limits{Keep: 400 * 24 * time.Hour, Start: 15 * time.Minute, Report: 24 * time.Hour}}
	bucket := env.Bucket("RunsBucket")
	return starting.Starter{
		History: starting.History{
			Runs: runs, Index: runindex.New(of, runs), PlanStore: planstore.Store{DB: of.DB, Objects: env.S3, Table: of.Name, Bucket: bucket, Keep: 14 * 24 * time.Hour},
			Standing: standing.Store{Table: of},
		},
		Objects: env.S3, Bucket: bucket, Box: sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40))), PublicBaseURL: "https://ops.example.com",
	}
}

// admission are rules that answer with one list of plans after the other. The last one
// stays.
type admission struct {
	uses [][]command.Use
	err  error
}

func (a *admission) Admit(context.Context, run.Spec, time.Time) ([]command.Use, error) {
	if len(a.uses) == 0 {
		return nil, a.err
	}
	uses := a.uses[0]
	if len(a.uses) > 1 {
		a.uses = a.uses[1:]
	}
	return uses, a.err
}

// order is an order of an evaluation for n directories.
func order(of run.Type, n int) starting.Order {
	o := starting.Order{Rules: &admission{}, Config: json.RawMessage(`{"workflows":[{"environment":"prod","plan":[{"type":"init"},{"type":"plan"}]}],"parallel_runs":4}`), Spec: run.Spec{
		ID: run.NewID(), Repository: vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7"), Owner: "acme", Name: "infra", Type: of,
		Kind: run.Kind{Name: run.PullRequest, Number: 17}, Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Principal: "server",
	}}
	for i := range n {
		d := run.Dirspace{Dir: fmt.Sprintf("directory-%05d", i), Workspace: "default"}
		o.Spec.Dirspaces = append(o.Spec.Dirspaces, d)
		o.Dirspaces = append(o.Dirspaces, manifest.Dirspace{Dirspace: d, Stack: "apps", Workflow: new(0), Variables: map[string]string{"REGION": "eu"}})
	}
	o.Spec.DirspaceCount = n
	return o
}

func author() change.Author {
	return change.Author{Principal: "server", Request: string(run.NewID()), At: now}
}

// TestRunnerGetsTheConfigurationOfItsOrder starts small and large runs, and asks for their
// work as a runner does.
func TestRunnerGetsTheConfigurationOfItsOrder(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := starter(env)
	for _, n := range []int{1, 300} {
		o := order(run.Plan, n)
		made, err := s.Start(t.Context(), o, author())
		if err != nil || made.Run.State != run.Queued || made.Run.ID != o.Spec.ID {
			t.Fatalf("%d directories: %+v, %v", n, made.Run.State, err)
		}
		if claimed, ok, err := s.History.Runs.Claim(t.Context(), o.Spec.Repository, 1e9, author()); err != nil || !ok || claimed.ID != o.Spec.ID {
			t.Fatalf("%d directories: claimed %s, %t, %v", n, claimed.ID, ok, err)
		}
		found, err := s.History.Runs.Initiate(t.Context(), o.Spec.ID, runstore.CIJob{Run: "1", Commit: "bb"}, author())
		if err != nil || !found.Work || (found.Manifest.Object != "") != (n > 1) {
			t.Fatalf("%d directories: %t, object %q, %v", n, found.Work, found.Manifest.Object, err)
		}
		text := found.Manifest.Body
		if found.Manifest.Object != "" {
			out, err := env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &s.Bucket, Key: &found.Manifest.Object})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := b.ReadFrom(out.Body); err != nil {
				t.Fatal(err)
			}
			text = b.Bytes()
		}
		want := `"changed_dirspaces":[{"path":"directory-00000","workspace":"default","rank":0,"stack_name":"apps","workflow":0,"variables":{"REGION":"eu"}}`
		config := `"config":{"cost_estimation":{"enabled":false},"parallel_runs":4,"workflows":[{"environment":"prod","plan":[{"type":"init"},{"type":"plan"}]}]}}`
		if !strings.Contains(string(text), want) || !strings.HasSuffix(string(text), config) || strings.Count(string(text), `"path"`) != n {
			t.Errorf("%d directories: got %.600s ... %s", n, text, text[len(text)-200:])
		}
	}
}

func TestOrderThatIsRefusedStartsNothing(t *testing.T) {
	t.Parallel()
	s := starter(storagetest.New(t))
	plan := run.NewID()
	use := func(digest string) []command.Use {
		return []command.Use{{Dirspace: order(run.Apply, 1).Spec.Dirspaces[0], Plan: plan, Digest: digest}}
	}
	for name, c := range map[string]struct {
		of     run.Type
		change func(*starting.Order)
		want   string // a part of the error
		id     string // of a fault
	}{
		"the rules refuse":               {run.Plan, func(o *starting.Order) { o.Rules = &admission{err: fault.Invalidf("NO", "no")} }, "no", "NO"},
		"plans change meanwhile":         {run.Apply, func(o *starting.Order) { o.Rules = &admission{uses: [][]command.Use{use("1"), use("2")}} }, "planned again", "PLANS_CHANGED"},
		"a plan of it changes nothing":   {run.Plan, func(o *starting.Order) { o.Rules = &admission{uses: [][]command.Use{nil, use("2")}} }, "", ""},
		"other dirspaces than the run":   {run.Plan, func(o *starting.Order) { o.Dirspaces[0].Dir = "other" }, "other dirspaces", ""},
		"fewer dirspaces than the run":   {run.Plan, func(o *starting.Order) { o.Dirspaces = o.Dirspaces[:0] }, "other dirspaces", ""},
		"no dirspaces of their own":      {run.Plan, func(o *starting.Order) { o.Dirspaces = nil }, "", ""},
		"a workflow that does not exist": {run.Plan, func(o *starting.Order) { o.Dirspaces[0].Workflow = new(1) }, "the workflow 1", ""},
		"no configuration object":        {run.Plan, func(o *starting.Order) { o.Config = json.RawMessage(`[]`) }, "must be a JSON object", ""},
	} {
		o := order(c.of, 1)
		c.change(&o)
		made, err := s.Start(t.Context(), o, author())
		if c.want == "" {
			if err != nil || made.Run.State != run.Queued {
				t.Errorf("%s: %v, %v", name, made.Run.State, err)
			}
			continue
		}
		var f *fault.Error
		if err == nil || !strings.Contains(err.Error(), c.want) || c.id != "" && (!errors.As(err, &f) || f.ID != c.id) {
			t.Errorf("%s: %v, want %s %s", name, err, c.id, c.want)
		}
		if _, err := s.History.Runs.Get(t.Context(), o.Spec.ID); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: the run is there: %v", name, err)
		}
	}
}

func TestRepeatedOrderReturnsTheFirstRun(t *testing.T) {
	t.Parallel()
	s := starter(storagetest.New(t))
	first, second := order(run.Plan, 1), order(run.Plan, 1)
	first.Idempotency = runstore.Idempotency{Principal: "server", Key: "decision 1, run 1"}
	second.Idempotency = first.Idempotency
	if _, err := s.Start(t.Context(), first, author()); err != nil {
		t.Fatal(err)
	}
	made, err := s.Start(t.Context(), second, author())
	if err != nil || !made.Existing || made.Run.ID != first.Spec.ID {
		t.Errorf("got %s, %t, %v; want %s", made.Run.ID, made.Existing, err, first.Spec.ID)
	}
}
