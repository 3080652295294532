package workload

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// upload is an artifact that is being uploaded.
type upload struct {
	call history.Call // the call that created it
	made history.Upload
}

// uploads holds the uploads of all clients of a round. Several clients may complete the same
// upload.
type uploads struct {
	mu   sync.Mutex
	list []upload
}

func (u *uploads) add(one upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.list = append(u.list, one)
}

// any returns one of the last few uploads. ok is false if there is none.
func (u *uploads) any(random *rand.Rand) (one upload, ok bool) {
	const few = 2
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.list) == 0 {
		return upload{}, false
	}
	return u.list[len(u.list)-1-random.IntN(min(few, len(u.list)))], true
}

// upload begins an upload, or makes the next step of one. Clients also complete an upload
// before the bytes have arrived, complete it again, and abort it.
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
