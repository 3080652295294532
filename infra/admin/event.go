package admin

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/event/parked"
)

func (o *Operator) parkedEvents() parked.Store {
	return parked.Store{DB: o.DB, Table: o.Tables.Operations}
}

// eventParked lists the audit records whose events the bus has not taken.
func (o *Operator) eventParked(ctx context.Context, args []string) error {
	fs := flags("event parked")
	limit := limitFlag(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := checkLimit(*limit); err != nil {
		return err
	}
	list, err := o.parkedEvents().List(ctx, o.Now(), *limit)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		o.note("There are none.")
	}
	if len(list) == *limit {
		o.note("There may be more: --limit N, at most %d", maxListed)
	}
	for _, p := range list {
		next := "stuck"
		if !p.Due.IsZero() {
			next = "next try " + shown(p.Due)
		}
		if err := o.say("%-30s  tries %2d  %s  %s  %s  %s  %d sent  %s",
			next, p.Tries, p.Record.ID, p.Record.Action, p.Record.Scope(), jsonText(p.Record.Subject), p.Next, printable(p.Problem)); err != nil {
			return err
		}
	}
	return nil
}

// eventRetry makes the server send parked events again now.
func (o *Operator) eventRetry(ctx context.Context, args []string) error {
	p, err := o.oneParked(ctx, "event retry", args)
	if err != nil {
		return err
	}
	if err := moved(o.parkedEvents().Retry(ctx, p, o.Now()), p); err != nil {
		return err
	}
	return o.say("the events of %s are sent again within a minute", p.Record.ID)
}

// eventDismiss removes parked events without sending them.
func (o *Operator) eventDismiss(ctx context.Context, args []string) error {
	p, err := o.oneParked(ctx, "event dismiss", args)
	if err != nil {
		return err
	}
	if err := moved(o.parkedEvents().Dismiss(ctx, p), p); err != nil {
		return err
	}
	return o.say("the events of %s are dismissed; the audit trail keeps its record", p.Record.ID)
}

func (o *Operator) oneParked(ctx context.Context, name string, args []string) (parked.Parked, error) {
	rest, err := parse(flags(name), args, "ID")
	if err != nil {
		return parked.Parked{}, err
	}
	p, err := o.parkedEvents().Get(ctx, rest[0])
	if errors.Is(err, fault.ErrNotFound) {
		return p, fault.Invalidf("NO_SUCH_EVENT", "no events of a record %.80q are parked: event parked", rest[0])
	}
	return p, err
}

// moved explains the error of a record that the server has taken meanwhile.
func moved(err error, p parked.Parked) error {
	if errors.Is(err, parked.ErrLost) {
		return fault.Invalidf("EVENT_MOVED", "the server works on the events of %s at this moment: look again with event parked", p.Record.ID)
	}
	return err
}
