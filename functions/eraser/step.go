package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// rest is the time between the first pass and the second. After it, no earlier
// request can still write: the address of an upload is valid
// for an hour, a function runs for 25 seconds at most (template.yaml), and AWS
// accepts a signed request for 15 minutes (Signature Version 4).
const rest = artifact.PutLifetime + 30*time.Minute

// stage removes one kind of things. A call removes at most limit of them, after a
// cursor. It returns how many it removed, and the cursor after which to continue.
// It also reports whether there may be more. A call may be repeated.
type stage struct {
	// name is unique among the stages of an erasure. A task's note holds it.
	name string
	// last says that the stage belongs only to the second pass. Until then the
	// command finds the installation or the person by what this stage removes.
	last bool
	do   func(ctx context.Context, run *task.Run, author change.Author, how how) (erased int, next string, more bool, err error)
}

// how holds the arguments of a stage.
type how struct {
	after string
	limit int
	// final says that no request can write any more.
	final bool
}

// place says how far an erasure is.
type place struct {
	// Pass is 1 or 2. The second pass removes what was still written during the
	// first.
	Pass int `json:"pass"`
	// Stage is the name of the current stage. It is empty before the first.
	Stage string `json:"stage,omitempty"`
	// After is the cursor of the stage.
	After string `json:"after,omitempty"`
	// Rests is the time until which the second pass waits.
	Rests time.Time `json:"rests,omitzero"`
}

// erasing works at erasures of one kind.
type erasing struct {
	stages func() []stage
	limit  int
}

// step does a part of the erasure's current stage.
func (e erasing) step(ctx context.Context, run *task.Run, author change.Author) (bool, error) {
	at := place{Pass: 1}
	if run.Note != "" {
		if err := json.Unmarshal([]byte(run.Note), &at); err != nil {
			return false, fmt.Errorf("read note: %w", err)
		}
	}
	if author.At.Before(at.Rests) {
		return false, &work.Later{Until: at.Rests}
	}
	stages := e.of(at.Pass)
	n := slices.IndexFunc(stages, func(s stage) bool { return s.name == at.Stage })
	if n < 0 { // the pass begins, or its stage is one that this version does not have
		n, at.After = 0, ""
	}
	erased, next, more, err := stages[n].do(ctx, run, author, how{at.After, e.limit, at.Pass == 2})
	if err != nil {
		return false, fmt.Errorf("erase %s: %w", stages[n].name, err)
	}
	run.Progress.Done += int64(erased)
	at.Stage, at.After = stages[n].name, next
	done := false
	switch {
	case more:
	case n < len(stages)-1:
		at.Stage, at.After = stages[n+1].name, ""
	case at.Pass == 1:
		at = place{Pass: 2, Rests: author.At.Add(rest).Truncate(time.Second)}
	default:
		done, run.Progress.Total = true, run.Progress.Done
	}
	note, err := json.Marshal(at)
	run.Note = string(note)
	return done, err
}

// of returns the stages of a pass.
func (e erasing) of(pass int) []stage {
	var list []stage
	for _, s := range e.stages() {
		if pass == 2 || !s.last {
			list = append(list, s)
		}
	}
	return list
}
