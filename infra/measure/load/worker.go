package load

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// worker is one connection at work on keys of its own, so that it knows what
// every answer must be.
type worker struct {
	client    *client
	rand      *rand.Rand
	prefix    string // of its keys
	artifacts bool   // the stack has their routes

	small [smallKeys]small
	files int
}

// step is something that a connection does.
type step struct {
	name   string
	weight int
	do     func(*worker, context.Context) error
}

// steps are the mix: mostly small reads and writes, as status and locks are,
// some uploads in chunks, which are 13 requests each.
var steps = []step{
	{"refresh", 4, (*worker).refresh},
	{"get", 30, (*worker).get},
	{"set", 20, (*worker).set},
	{"cas", 15, (*worker).cas},
	{"delete", 4, (*worker).remove},
	{"iterate", 4, (*worker).iterate},
	{"chunks", 4, (*worker).upload},
	{"artifact", 2, (*worker).artifact},
}

// run works until ctx ends, and finishes the step it is at.
func (w *worker) run(ctx context.Context) {
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	for ctx.Err() == nil {
		s := w.choose(total)
		if s.name == "artifact" && !w.artifacts {
			continue
		}
		// What has begun is finished: a request that is cut off proves nothing.
		if err := s.do(w, context.WithoutCancel(ctx)); err != nil {
			w.client.ledger.fail(s.name, err)
			w.small = [smallKeys]small{}
			w.prefix += "+" // keys of which nothing is known are left behind
		}
	}
}

func (w *worker) choose(total int) step {
	at := w.rand.IntN(total)
	for _, s := range steps {
		if at -= s.weight; at < 0 {
			return s
		}
	}
	panic("unreachable: the weights add up to the total")
}

func (w *worker) refresh(ctx context.Context) error { return w.client.renew(ctx) }

// text is n letters and digits that no other call answers.
func (w *worker) text(n int) string {
	b := make([]byte, n)
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	for i := range b {
		b[i] = digits[w.rand.IntN(len(digits))]
	}
	return string(b)
}

// record is a record of the store in answers.
type record struct {
	Key     string
	Idx     int
	Data    *string
	Version int
}

// holds is an error unless the record is at the version with this value.
func (r record) holds(version int, value string) error {
	if r.Version != version || r.Data == nil || *r.Data != value {
		return fmt.Errorf("got version %d of %.40s, want version %d of %.40s", r.Version, deref(r.Data), version, value)
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}
