package admin

import (
	"context"
	"errors"
	"flag"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

func (o *Operator) deliveries() delivery.Store {
	return delivery.Store{DB: o.DB, Table: o.Tables.Deliveries}
}

// deliveryList lists an installation's newest deliveries.
func (o *Operator) deliveryList(ctx context.Context, args []string) error {
	fs := flags("delivery list")
	vcs, installation := vcsFlag(fs), fs.String("installation", "", "")
	state, before, limit := fs.String("state", "", ""), fs.String("before", "", ""), limitFlag(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	q := delivery.Query{State: delivery.State(*state), Before: o.Now().Add(time.Minute), Limit: *limit}
	if err := errors.Join(vcs.check(), checkLimit(*limit)); err != nil {
		return err
	}
	if q.State != "" && !slices.Contains(delivery.States, q.State) {
		return usagef("--state must be one of %v", delivery.States)
	}
	if *before != "" {
		at, err := time.Parse(time.RFC3339, *before)
		if err != nil {
			return usagef("--before must be a time such as 2026-11-24T18:00:00Z, as the last line of a list writes it")
		}
		q.Before = at
	}
	list, err := o.deliveries().List(ctx, installationOf(vcs.text, *installation), q)
	if err != nil {
		return err
	}
	switch {
	case len(list) == 0 && *installation == "":
		o.note("There are no deliveries. Without --installation, the list has only deliveries that name no installation.")
	case len(list) == 0:
		o.note("There are no deliveries. Deliveries that could not be read name no installation: use delivery parked, or omit --installation.")
	case len(list) == *limit:
		o.note("There may be more: --before %s", list[len(list)-1].ReceivedAt.UTC().Format(exactly))
	}
	for _, d := range list {
		if err := o.sayDelivery(d); err != nil {
			return err
		}
	}
	return nil
}

// deliveryParked lists the parked deliveries, the installations in turns.
// Deliveries that are not tried again come first.
func (o *Operator) deliveryParked(ctx context.Context, args []string) error {
	fs := flags("delivery parked")
	limit := limitFlag(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := checkLimit(*limit); err != nil {
		return err
	}
	list, err := o.deliveries().Parked(ctx, *limit)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		o.note("There are none.")
	}
	if len(list) == *limit {
		o.note("There may be more: --limit N, at most %d", maxListed)
	}
	for _, d := range list {
		next := "stuck"
		if !d.NextTry.IsZero() {
			next = "next try " + shown(d.NextTry)
		}
		if err := o.say("%-30s  tries %2d  --vcs %s %s  installation %s  %s  %s",
			next, d.Tries, d.Installation.VCS, printable(d.ID), printable(string(d.Installation.ID)), event(d), printable(d.Problem)); err != nil {
			return err
		}
	}
	return nil
}

// event returns the name of a delivery's event, with its action if it has one.
func event(d delivery.Delivery) string {
	if d.Action == "" {
		return printable(d.Event)
	}
	return printable(d.Event + "." + d.Action)
}

// exactly is the form of the time from which a list continues. It has milliseconds,
// because many deliveries may come in one second.
const exactly = "2006-01-02T15:04:05.000Z07:00"

func (o *Operator) sayDelivery(d delivery.Delivery) error {
	return o.say("%s  %-8s  %s  %s  %s", shown(d.ReceivedAt), d.State, printable(d.ID), event(d), printable(d.Problem))
}

// deliveryShow shows one delivery. With --body, it shows what the host sent and
// nothing else.
func (o *Operator) deliveryShow(ctx context.Context, args []string) error {
	fs := flags("delivery show")
	body := fs.Bool("body", false, "")
	d, err := o.oneDelivery(ctx, fs, args)
	if err != nil {
		return err
	}
	if *body {
		text, err := o.deliveries().Body(ctx, d)
		if err != nil {
			return err
		}
		return o.say("%s", document(string(text)))
	}
	if err := o.sayDelivery(d); err != nil {
		return err
	}
	if err := o.say("installation %q, repository %q, tries %d", d.Installation.ID, d.Repository, d.Tries); err != nil {
		return err
	}
	if !d.ProcessedAt.IsZero() {
		if err := o.say("last tried at %s, redelivered %d times", shown(d.ProcessedAt), d.Redelivered()); err != nil {
			return err
		}
	}
	switch {
	case !d.NextTry.IsZero():
		return o.say("next try at %s", shown(d.NextTry))
	case d.State == delivery.Parked:
		return o.say("stuck: it is not tried again. When you have removed the cause: delivery redeliver --vcs %s %s. If the delivery does not matter: delivery dismiss", d.Installation.VCS, printable(d.ID))
	}
	return nil
}

// deliveryRedeliver makes the server process a delivery again.
func (o *Operator) deliveryRedeliver(ctx context.Context, args []string) error {
	d, err := o.oneDelivery(ctx, flags("delivery redeliver"), args)
	if err != nil {
		return err
	}
	if _, err := o.deliveries().Redeliver(ctx, d.Installation.VCS, d.ID, o.Now()); err != nil {
		return err
	}
	return o.say("delivery %s is processed again. To see the outcome: delivery show --vcs %s %[1]s", printable(d.ID), d.Installation.VCS)
}

// deliveryDismiss closes a delivery that has failed.
func (o *Operator) deliveryDismiss(ctx context.Context, args []string) error {
	d, err := o.oneDelivery(ctx, flags("delivery dismiss"), args)
	if err != nil {
		return err
	}
	err = o.deliveries().Dismiss(ctx, d, "operator:"+o.Name)
	if errors.Is(err, delivery.ErrNotParked) {
		return fault.Invalidf("NOT_PARKED", "%s: delivery show --vcs %s %s", err, d.Installation.VCS, printable(d.ID))
	}
	if err != nil {
		return err
	}
	return o.say("delivery %s is dismissed. To process it after all: delivery redeliver --vcs %s %[1]s", printable(d.ID), d.Installation.VCS)
}

// deliveryDismissStuck closes the stuck deliveries of an installation.
func (o *Operator) deliveryDismissStuck(ctx context.Context, args []string) error {
	fs := flags("delivery dismiss-stuck")
	vcs, installation := vcsFlag(fs), fs.String("installation", "", "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := errors.Join(vcs.check(), required(fs, "installation")); err != nil {
		return err
	}
	if *installation == "none" {
		*installation = ""
	}
	list, err := o.deliveries().StuckOf(ctx, installationOf(vcs.text, *installation))
	if err != nil {
		return err
	}
	if len(list) == 0 {
		o.note("There are none.")
	}
	for _, d := range list {
		switch err := o.deliveries().Dismiss(ctx, d, "operator:"+o.Name); {
		case errors.Is(err, delivery.ErrNotParked):
			continue // it was redelivered meanwhile
		case err != nil:
			return err
		}
		if err := o.say("dismissed  %s  %s  %s", printable(d.ID), event(d), printable(d.Problem)); err != nil {
			return err
		}
	}
	return nil
}

// oneDelivery reads the flag --vcs and an id, and finds the delivery.
func (o *Operator) oneDelivery(ctx context.Context, fs *flag.FlagSet, args []string) (delivery.Delivery, error) {
	system := vcsFlag(fs)
	rest, err := parse(fs, args, "ID")
	if err != nil {
		return delivery.Delivery{}, err
	}
	if err := system.check(); err != nil {
		return delivery.Delivery{}, err
	}
	d, err := o.deliveries().Get(ctx, vcs.VCS(system.text), rest[0])
	if errors.Is(err, fault.ErrNotFound) {
		return d, fault.Invalidf("NO_SUCH_DELIVERY", "there is no delivery %.80q of %s; an id is the installation (or none), a dot and the host's id; they are kept for %d days: delivery list --vcs %[2]s --installation N",
			rest[0], system.text, int(delivery.Keep.Hours()/24))
	}
	return d, err
}

// vcsOption is the flag --vcs of commands about deliveries.
type vcsOption struct{ text string }

func vcsFlag(fs *flag.FlagSet) *vcsOption {
	v := &vcsOption{}
	fs.StringVar(&v.text, "vcs", "", "")
	return v
}

func (v *vcsOption) check() error {
	switch {
	case v.text == "":
		return usagef("--vcs is missing")
	case !vcs.VCS(v.text).Valid():
		return usagef("--vcs must be %s", oneOf(vcs.All()))
	}
	return nil
}

// maxListed is the largest number of deliveries that a command lists.
const maxListed = 1000

func limitFlag(fs *flag.FlagSet) *int { return fs.Int("limit", 20, "") }

func checkLimit(limit int) error {
	if limit < 1 || limit > maxListed {
		return usagef("--limit must be from 1 to %d", maxListed)
	}
	return nil
}
