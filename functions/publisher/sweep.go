package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/event/parked"
)

// Limits of one invocation of the schedule.
const (
	// maxTaken is how many parked records are taken at once.
	maxTaken = 25
	// maxRounds is how often they are taken.
	maxRounds = 8
	// maxCounted is how many stuck records are counted. The alarm needs only one.
	maxCounted = 100
)

// sweep sends the events of parked records that are due, and counts those that wait for
// an operator.
func (p *publisher) sweep(ctx, sending context.Context, t *tally) error {
	var problems []error
	for range maxRounds {
		n, err := p.again(ctx, sending, t)
		problems = append(problems, err)
		if n < maxTaken || err != nil || sending.Err() != nil {
			break
		}
	}
	stuck, err := p.parked.Due(ctx, parked.Stuck, p.now(), maxCounted)
	t.stuck = len(stuck)
	return errors.Join(append(problems, err)...)
}

// again takes some records that are due, and sends their events together. It returns how
// many were due.
func (p *publisher) again(ctx, sending context.Context, t *tally) (int, error) {
	due, problem := p.parked.Due(ctx, parked.Waiting, p.now(), maxTaken)
	var held []parked.Parked
	var works []*work
	for _, each := range due {
		if sending.Err() != nil {
			break
		}
		taken, err := p.parked.Take(ctx, each, p.now())
		switch {
		case errors.Is(err, parked.ErrLost):
		case err != nil:
			problem = errors.Join(problem, err)
		default:
			held, works = append(held, taken), append(works, &work{record: taken.Record, next: taken.Next})
		}
	}
	p.send(sending, t, works)
	for i, w := range works {
		problem = errors.Join(problem, p.settle(ctx, t, held[i], w))
	}
	return len(due), problem
}

// settle records what became of a parked record. If another worker has it by now, that
// worker decides.
func (p *publisher) settle(ctx context.Context, t *tally, held parked.Parked, w *work) error {
	var err error
	switch {
	case w.problem == nil:
		err = p.parked.Sent(ctx, held)
	case w.unsent():
		t.parked++
		err = p.parked.Postponed(ctx, held, w.next, p.now())
	default:
		t.parked++
		_, err = p.parked.Failed(ctx, held, w.next, w.problem.Error(), p.now())
	}
	if errors.Is(err, parked.ErrLost) {
		return nil
	}
	return err
}
