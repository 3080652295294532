package workload

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// upload is an artifact on its way.
type upload struct {
	call history.Call // with which it was created
	made history.Upload
}

// uploads are those of all clients of a round: several may complete one.
type uploads struct {
	mu   sync.Mutex
	list []upload
}

func (u *uploads) add(one upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.list = append(u.list, one)
}

// any chooses one of the last few; ok is false where there is none.
func (u *uploads) any(random *rand.Rand) (one upload, ok bool) {
	const few = 2
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.list) == 0 {
		return upload{}, false
	}
	return u.list[len(u.list)-1-random.IntN(min(few, len(u.list)))], true
}

// upload begins an artifact, or makes the next step with one: clients also
// complete before the bytes are there, complete again, and give up.
func (a *actor) upload(ctx context.Context, c client.Client, rec *history.Recorder) {
	u, ok := a.files.any(a.random)
	if !ok || a.one(4) {
		a.begin(ctx, c, rec)
		return
	}
	call := u.call
	call.Upload = u.made
	switch n := a.random.IntN(20); {
	case n < 7:
		call.Action = history.Put
	case n < 14:
		call.Action = history.Complete
	case n < 15:
		call.Action = history.Abort
	default:
		call = history.Call{Action: history.Open, Row: u.call.Row, Drafts: a.one(2)}
	}
	a.do(ctx, c, rec, call)
}

func (a *actor) begin(ctx context.Context, c client.Client, rec *history.Recorder) {
	call := history.Call{Action: history.Create, Row: a.row(), Value: history.FileNumber(a.value()), Committed: a.one(2)}
	switch a.random.IntN(6) {
	case 0:
		call.Version = a.guess(call.Row)
	case 1:
		call.Absent = true
	}
	answer := a.do(ctx, c, rec, call)
	if answer.Outcome == history.Done {
		a.files.add(upload{call, answer.Upload})
	}
}
