package load

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// worker is one connection. It works on keys of its own, so that it knows what every response
// must be.
type worker struct {
	client    *client
	rand      *rand.Rand
	prefix    string // of its keys
	artifacts bool   // the stack's API has the routes of artifacts

	small [smallKeys]small
	files int
}

// step is one kind of work of a connection.
type step struct {
	name   string
	weight int
	do     func(*worker, context.Context) error
}

// steps is the mix of work: mostly small reads and writes, such as those of statuses and locks,
// and some uploads in chunks, each of 13 requests.
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

// run works until ctx ends. It finishes the current step.
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
		// A step that has begun is finished, because a request that is cut off proves nothing.
		if err := s.do(w, context.WithoutCancel(ctx)); err != nil {
			w.client.ledger.fail(s.name, err)
			w.small = [smallKeys]small{}
			w.prefix += "+" // the state of the old keys is not known, so they are not used again
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

// text returns n random letters and digits. No other call returns the same text.
func (w *worker) text(n int) string {
	b := make([]byte, n)
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	for i := range b {
		b[i] = digits[w.rand.IntN(len(digits))]
	}
	return string(b)
}

// record is a record of the store in a response.
type record struct {
	Key     string
	Idx     int
	Data    *string
	Version int
}

// holds returns an error unless the record has this version and this value.
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
