package lane_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// born is the time of the tests. It lies in the future, so that nothing expires.
var born = time.Unix(4_000_000_000, 0).UTC()

var (
	acme       = vcs.Installation{VCS: vcs.GitHub, ID: "42"}
	repository = acme.Repository("7")
)

func over(env *storagetest.Env) lane.Store {
	return lane.Store{DB: env.DynamoDB, Table: env.Table("EvaluationTable"), Objects: object.Bucket{Client: env.S3, Name: env.Bucket("RunsBucket")}}
}

func open(t *testing.T) (*storagetest.Env, lane.Store) {
	env := storagetest.New(t)
	return env, over(env)
}

func pull(number int64) lane.Request {
	return lane.Request{Kind: lane.Pull, Repository: repository, Number: number, At: born}
}

func command(comment string) lane.Request {
	return lane.Request{Kind: lane.Command, Repository: repository, Number: 17, Comment: comment, Text: "terrateam plan", At: born}
}

func ask(t *testing.T, s lane.Store, list ...lane.Request) {
	t.Helper()
	for _, r := range list {
		if err := s.Ask(t.Context(), r, born); err != nil {
			t.Fatal(err)
		}
	}
}

// enter enters the lane and fails the test if it is taken.
func enter(t *testing.T, s lane.Store, after time.Duration) *lane.Held {
	t.Helper()
	h, ok, err := s.Enter(t.Context(), repository, born.Add(after))
	if err != nil || !ok {
		t.Fatalf("enter: %t, %v", ok, err)
	}
	return h
}

// leave leaves the lane and fails the test if that is not as wanted.
func leave(t *testing.T, h *lane.Held, want bool) {
	t.Helper()
	if again, err := h.Leave(t.Context()); err != nil || again != want {
		t.Errorf("left: again %t, %v; want %t", again, err, want)
	}
}

// only returns the one request of a lane.
func only(t *testing.T, h *lane.Held) lane.Pending {
	t.Helper()
	list, err := h.Requests(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("the lane has the requests %+v, %v; want one", list, err)
	}
	return list[0]
}

// names returns the names of the requests of a lane, in their order.
func names(t *testing.T, h *lane.Held) []string {
	t.Helper()
	list, err := h.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, p := range list {
		found = append(found, p.Name())
	}
	return found
}

// decision returns a decision with some effects.
func decision(effects ...string) lane.Decision {
	d := lane.Decision{At: born}
	for _, kind := range effects {
		d.Effects = append(d.Effects, lane.Effect{Kind: kind, Content: true, Body: json.RawMessage(`{"text":"` + kind + `"}`)})
	}
	return d
}

func decide(t *testing.T, h *lane.Held, p lane.Pending, d lane.Decision, more ...table.Write) lane.Decision {
	t.Helper()
	stored, err := h.Decide(t.Context(), p, d, more...)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// unfinished returns the kinds of the effects that are left, in the order of the
// decisions.
func unfinished(t *testing.T, h *lane.Held) []string {
	t.Helper()
	list, err := h.Decisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, d := range list {
		for _, e := range d.Effects[d.Next:] {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// due returns the repositories of the lanes that are due at a time.
func due(t *testing.T, s lane.Store, after time.Duration) []lane.Due {
	t.Helper()
	list, err := s.Due(t.Context(), born.Add(after), 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// refused fails the test if an error is not the wanted one.
func refused(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}
