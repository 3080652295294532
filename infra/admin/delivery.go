package admin

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/fault"
)

func (o *Operator) deliveries() delivery.Store {
	return delivery.Store{DB: o.DB, Table: o.Tables.Deliveries}
}

// deliveryList lists an installation's newest deliveries.
func (o *Operator) deliveryList(ctx context.Context, args []string) error {
	fs := flags("delivery list")
	vcs, installation := fs.String("vcs", "", ""), fs.String("installation", "", "")
	limit := fs.Int("limit", 20, "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := required(fs, "vcs"); err != nil {
		return err
	}
	if *limit < 1 || *limit > 1000 {
		return usagef("--limit must be from 1 to 1000")
	}
	list, err := o.deliveries().List(ctx, *vcs, *installation, o.Now().Add(time.Minute), *limit)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		o.note("There are none. Without --installation those are listed that name no installation.")
	}
	for _, d := range list {
		if err := o.sayDelivery(d); err != nil {
			return err
		}
	}
	return nil
}

func (o *Operator) sayDelivery(d delivery.Delivery) error {
	event := d.Event
	if d.Action != "" {
		event += "." + d.Action
	}
	return o.say("%s  %-8s  %s  %s  %s", d.ReceivedAt.Format(time.RFC3339), d.State, d.ID, event, d.Problem)
}

// deliveryShow shows one delivery; with --body, what the host sent and nothing
// else.
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
		return o.say("%s", text)
	}
	if err := o.sayDelivery(d); err != nil {
		return err
	}
	if err := o.say("installation %q, repository %q, tries %d", d.Installation, d.Repository, d.Tries); err != nil {
		return err
	}
	if !d.NextTry.IsZero() {
		return o.say("next try at %s", d.NextTry.Format(time.RFC3339))
	}
	return nil
}

// deliveryRedeliver has a delivery processed again.
func (o *Operator) deliveryRedeliver(ctx context.Context, args []string) error {
	d, err := o.oneDelivery(ctx, flags("delivery redeliver"), args)
	if err != nil {
		return err
	}
	if _, err := o.deliveries().Redeliver(ctx, d.VCS, d.ID); err != nil {
		return err
	}
	return o.say("delivery %s is processed again; what comes of it: delivery show --vcs %s %[1]s", d.ID, d.VCS)
}

// oneDelivery reads the flag --vcs and an id, and finds the delivery.
func (o *Operator) oneDelivery(ctx context.Context, fs *flag.FlagSet, args []string) (delivery.Delivery, error) {
	vcs := fs.String("vcs", "", "")
	rest, err := parse(fs, args, "ID")
	if err != nil {
		return delivery.Delivery{}, err
	}
	if err := required(fs, "vcs"); err != nil {
		return delivery.Delivery{}, err
	}
	d, err := o.deliveries().Get(ctx, *vcs, rest[0])
	if errors.Is(err, fault.ErrNotFound) {
		return d, fault.Invalidf("NO_SUCH_DELIVERY", "there is no delivery %.80q of %s; they are kept for %d days: delivery list --vcs %[2]s --installation N",
			rest[0], *vcs, int(delivery.Keep.Hours()/24))
	}
	return d, err
}
