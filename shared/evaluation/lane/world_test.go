package lane_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
)

// world draws what several workers do with one lane. Before each request of a worker,
// others may act, and the request may fail. All that is drawn depends on the seed.
type world struct {
	t    *testing.T
	env  *storagetest.Env
	safe lane.Store // without faults
	draw *rand.Rand

	now   time.Duration // since born
	tick  int           // raised by each thing that happens
	depth int           // of things within things
	calm  bool          // nothing fails, and nothing comes in between

	holders []*holder
	asked   map[string]int            // of each name: when the last call was begun that reported the request stored
	ended   map[int]int               // when a call ended, by when it was begun
	decided map[string][]int          // of each name: when the calls were begun that a decision is about
	once    map[string]map[string]int // of what is decided once: the decisions
	made    map[string]int            // how often each effect was made
}

// holder is a worker that has, or had, the lane.
type holder struct {
	*lane.Held
	busy bool
}

// facts is what the effects of the world's decisions hold.
type facts struct {
	Name  string `json:"name"`
	Begun string `json:"begun"`
	Once  bool   `json:"once"`
}

func newWorld(t *testing.T, seed uint64) *world {
	env, s := open(t)
	return &world{
		t: t, env: env, safe: s, draw: rand.New(rand.NewPCG(seed, 0)), asked: map[string]int{}, ended: map[int]int{}, decided: map[string][]int{},
		once: map[string]map[string]int{}, made: map[string]int{},
	}
}

// store returns the store as one worker has it.
func (w *world) store() lane.Store {
	if w.calm {
		return w.safe
	}
	return over(w.env.WithFaults(&storagetest.Faults{Choose: w.trouble}))
}

// trouble draws what happens before a request, and how it fails.
func (w *world) trouble(operation string) storagetest.Fault {
	var f storagetest.Fault
	if w.calm {
		return f
	}
	if w.depth < 3 && w.draw.IntN(4) == 0 {
		f.Before = w.step
	}
	if w.draw.IntN(10) > 0 {
		return f
	}
	kinds := []storagetest.Kind{storagetest.Throttle, storagetest.ServerError, storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Duplicate, storagetest.Refuse}
	if operation == "TransactWriteItems" {
		kinds = append(kinds, storagetest.Conflict)
	}
	f.Kind = kinds[w.draw.IntN(len(kinds))]
	return f
}

// step lets something happen. It may fail: what counts is what is stored afterwards.
func (w *world) step() {
	w.depth++
	w.tick++
	defer func() { w.depth-- }()
	switch n := w.draw.IntN(20); {
	case n < 7:
		w.ask()
	case n < 10:
		w.enter()
	case n < 15:
		w.work()
	case n < 17:
		w.leave()
	case n < 18:
		w.sweep()
	default:
		w.now += time.Duration(w.draw.IntN(60)) * time.Second
	}
}

func (w *world) ask() {
	r := []lane.Request{pull(1), pull(2), command("1"), command("2"), {Kind: lane.Ended, Repository: repository, Run: "r", At: born}}[w.draw.IntN(5)]
	begun := w.tick
	r.Sender = strconv.Itoa(begun)
	err := w.store().Ask(w.t.Context(), r, born.Add(w.now))
	w.ended[begun] = w.tick
	if err == nil {
		w.asked[r.Name()] = max(w.asked[r.Name()], begun)
	}
}

func (w *world) enter() *holder {
	h, ok, err := w.store().Enter(w.t.Context(), repository, born.Add(w.now))
	if err != nil || !ok {
		return nil
	}
	w.holders = append(w.holders, &holder{Held: h})
	return w.holders[len(w.holders)-1]
}

// idle returns a holder, or one whose lease is over, that does nothing now.
func (w *world) idle() *holder {
	if len(w.holders) == 0 {
		return nil
	}
	h := w.holders[max(len(w.holders)-1-w.draw.IntN(3), 0)]
	if h.busy {
		return nil
	}
	return h
}

func (w *world) work() {
	if h := w.idle(); h != nil {
		_ = w.evaluate(h)
	}
}

func (w *world) leave() {
	if h := w.idle(); h != nil {
		h.busy = true
		_, _ = h.Leave(w.t.Context())
		h.busy = false
	}
}

// evaluate does the work of a lane once.
func (w *world) evaluate(h *holder) error {
	h.busy = true
	defer func() { h.busy = false }()
	list, err := h.Requests(w.t.Context())
	if err != nil {
		return err
	}
	for _, p := range list {
		body, err := json.Marshal(facts{p.Name(), p.Sender, p.Once()})
		must(w.t, err)
		d := lane.Decision{At: born.Add(w.now), Effects: []lane.Effect{{Kind: "first", Body: body}, {Kind: "second", Body: body}}}
		if _, err := h.Decide(w.t.Context(), p, d); err != nil {
			return err
		}
	}
	decisions, err := h.Decisions(w.t.Context())
	if err != nil {
		return err
	}
	for _, d := range decisions {
		w.record(d)
	}
	for _, d := range decisions {
		if err := effects(w.t, h.Held, d, w.make); err != nil {
			return err
		}
	}
	return nil
}

// record notes a decision that is stored.
func (w *world) record(d lane.Decision) {
	var f facts
	must(w.t, json.Unmarshal(d.Effects[0].Body, &f))
	begun, err := strconv.Atoi(f.Begun)
	must(w.t, err)
	w.decided[f.Name] = append(w.decided[f.Name], begun)
	if f.Once {
		if w.once[f.Name] == nil {
			w.once[f.Name] = map[string]int{}
		}
		w.once[f.Name][d.ID]++
	}
}

func (w *world) make(d lane.Decision) { w.made[fmt.Sprint(d.ID, " ", d.Next)]++ }

// sweep does what the schedule does.
func (w *world) sweep() {
	s := w.store()
	list, err := s.Due(w.t.Context(), born.Add(w.now), 10)
	if err != nil {
		return
	}
	for _, d := range list {
		failed := false
		if h := w.enter(); h != nil {
			failed = w.evaluate(h) != nil
			h.busy = true
			_, _ = h.Leave(w.t.Context())
			h.busy = false
		}
		_ = s.Settle(w.t.Context(), d, failed, born.Add(w.now))
	}
}

// finish lets everybody come to an end, without faults, by what is due alone.
func (w *world) finish() {
	w.calm = true
	for range 40 {
		w.now += time.Minute
		w.tick++
		w.sweep()
	}
}

// check checks what the package promises.
func (w *world) check() {
	w.t.Helper()
	for name, begun := range w.asked {
		// A call that lasted longer may have been stored later.
		late := slices.ContainsFunc(w.decided[name], func(other int) bool { return w.ended[other] >= begun })
		if !late && len(w.once[name]) == 0 {
			w.t.Errorf("nobody has decided about %s since it was asked for at %d; decisions are about %v", name, begun, w.decided[name])
		}
	}
	for name, decisions := range w.once {
		if len(decisions) > 1 {
			w.t.Errorf("%s was decided about %d times", name, len(decisions))
		}
	}
	for effect, n := range w.made {
		if n > 1 {
			w.t.Errorf("the effect %s was made %d times", effect, n)
		}
	}
}

func TestLaneStaysRightUnderInterleavings(t *testing.T) {
	t.Parallel()
	for range storagetest.Sample(8, 2) {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for range 80 {
				w.step()
			}
			w.finish()
			w.check()
			h := enter(t, w.safe, w.now+time.Hour)
			if left := append(names(t, h), unfinished(t, h)...); len(left) > 0 {
				t.Errorf("left are %v", left)
			}
			if got := due(t, w.safe, w.now+time.Hour); len(got) != 0 {
				t.Errorf("due are %v", got)
			}
			if len(w.made) < 4 {
				t.Errorf("too little happened: %d effects", len(w.made))
			}
		})
	}
}
