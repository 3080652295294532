package admin

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/credential/signing"
)

func (o *Operator) signingKeyRotate(ctx context.Context, args []string) error {
	fs := flags("signing-key rotate")
	revoke := fs.Bool("revoke-old", false, "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	how := signing.Planned
	if *revoke {
		how = signing.Compromised
	}
	id, err := o.signing().Rotate(ctx, how, o.author())
	if errors.Is(err, signing.ErrContended) {
		return fault.Busyf("CONTENDED", "another rotation took place at the same time; \"signing-key list\" shows whether this one is still needed")
	}
	if err != nil {
		return err
	}
	if *revoke {
		o.note("Access tokens made before are refused within 5 seconds. For up to 60 seconds new ones may be refused too: clients must try again.")
	}
	return o.say("signing key %s made", id)
}

func (o *Operator) signingKeyList(ctx context.Context, args []string) error {
	if _, err := parse(flags("signing-key list"), args); err != nil {
		return err
	}
	keys, err := o.signing().Keys(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		o.note("There is no signing key. To make the first: signing-key rotate")
		return nil
	}
	current, _ := signing.Pick(keys, o.Now())
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tCREATED\tSIGNS FROM\tRETIRED\tNOW")
	for _, k := range keys {
		state := "waits"
		switch {
		case k.Private == nil:
			state = "destroyed"
		case k.ID == current.ID:
			state = "signs"
		case !k.RetiredAt.IsZero():
			state = "retired"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.ID, shown(k.CreatedAt), shown(k.SignsFrom), shown(k.RetiredAt), state)
	}
	return w.Flush()
}

// firstSigningKey makes a signing key if the stack has no key that signs. Without
// one, API keys are of no use.
func (o *Operator) firstSigningKey(ctx context.Context) error {
	keys, err := o.signing().Keys(ctx)
	if err != nil {
		return err
	}
	if _, signs := signing.Pick(keys, o.Now()); signs {
		return nil
	}
	id, err := o.signing().Rotate(ctx, signing.Planned, o.author())
	if err != nil {
		return fmt.Errorf("make the first signing key: %w", err)
	}
	o.note("Signing key %s made, because there was none.", id)
	return nil
}
