package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// settled is the time from the end of the last membership to the beginning of an
// installation's erasure. Access tokens live 60 seconds, and a request that came
// with one takes at most 29 seconds.
const settled = 2 * time.Minute

// eraseInstallation starts the removal of all data of an installation.
func (o *Operator) eraseInstallation(ctx context.Context, args []string) error {
	fs := flags("erase installation")
	system, id, confirm := fs.String("vcs", "", ""), fs.String("id", "", ""), fs.String("confirm", "", "")
	silent := fs.Bool("webhook-removed", false, "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := required(fs, "vcs", "id"); err != nil {
		return err
	}
	i, err := o.installations().Get(ctx, installationOf(*system, *id))
	if errors.Is(err, fault.ErrNotFound) {
		return fault.Invalidf("NO_SUCH_INSTALLATION", "there is no %s installation %s: nothing was changed; \"installation list\" shows all", *system, *id)
	}
	if err != nil {
		return err
	}
	given, hosted, err := o.reaching(ctx, i.Key())
	if err != nil {
		return err
	}
	o.note("Of %s installation %s (%s) this removes: all keys with their rows, drafts and artifacts, uploads under way, repositories, pull requests, deliveries, the group's access token, and the installation itself.",
		i.VCS, i.ID, printable(i.Name))
	for _, u := range given {
		o.note("User %s loses the membership that an operator gave.", printable(u.Name))
	}
	if err := errors.Join(quiet(i, *silent), o.unreached(i, hosted)); err != nil {
		return err
	}
	if err := confirmed(*confirm, i.Name); err != nil {
		return err
	}
	m := i.Key()
	if err := o.endMemberships(ctx, given, m); err != nil {
		return err
	}
	made := task.Task{Kind: task.EraseInstallation, Installation: i.Key(), NotBefore: o.Now().Add(settled)}
	if made, err = o.startErasure(ctx, made); err != nil {
		return err
	}
	// From now on nobody can be given a membership. Somebody may have been given
	// one just before.
	if given, _, err = o.reaching(ctx, i.Key()); err != nil {
		return err
	}
	if err := o.endMemberships(ctx, given, m); err != nil {
		return err
	}
	return o.say("%s installation %s (%s) is being erased. This takes about two hours. To see its progress: task show %s", i.VCS, i.ID, printable(i.Name), made.ID)
}

// quiet refuses an installation whose host may still send deliveries that would
// bring the data back at once.
func quiet(i installation.Installation, silent bool) error {
	switch {
	case i.VCS == vcs.GitHub && (i.State == installation.Installed || i.State == installation.Suspended):
		return fault.Invalidf("STILL_INSTALLED", "the GitHub App is %s there: what is erased would come back with the next delivery. Have it uninstalled first, "+
			"in the settings of %s at GitHub. If it is, this server did not get the delivery: redeliver the event \"installation\" with the action \"deleted\" from the App's page", i.State, printable(i.Name))
	case i.VCS == vcs.GitLab && !silent:
		return fault.Invalidf("STILL_DELIVERS", "GitLab may deliver from that group: what is erased would come back with the next delivery. "+
			"Remove the webhook at GitLab, take the group out of GitlabGroups, and say with --webhook-removed that both are done: GitLab does not report it")
	}
	return nil
}

// unreached refuses an installation that people reach because its host says so.
func (o *Operator) unreached(i installation.Installation, hosted []user.User) error {
	if len(hosted) == 0 {
		return nil
	}
	var who []string
	for _, u := range hosted {
		ends := u.Hosted[i.VCS].AskedAt.Add(user.KeyLapse)
		who = append(who, fmt.Sprintf("%s (until %s)", printable(u.Name), shown(ends)))
	}
	return fault.Invalidf("STILL_REACHED", "%s says that these users may act on it, and what they write would stay: %s. "+
		"Once the App is uninstalled, or the group is out of GitlabGroups, the host is asked again within an hour; a host that cannot be asked is believed until the times above",
		i.VCS, strings.Join(who, ", "))
}

// confirmed refuses an erasure if the operator has not repeated the name.
func confirmed(given, name string) error {
	switch given {
	case name:
		return nil
	case "":
		return fault.Invalidf("NOT_CONFIRMED", "nothing was changed; this cannot be undone; to erase it, repeat the command with --confirm '%s'", printable(name))
	}
	return fault.Invalidf("NOT_CONFIRMED", "nothing was changed: --confirm is not its name, which is '%s'", printable(name))
}

// reaching lists the users whom an operator made members of an installation, and
// the users who are members because a host says so. It scans, as the lists of users
// do. A user that cannot be read is an error, because it may be one of them.
func (o *Operator) reaching(ctx context.Context, m vcs.Installation) (given, hosted []user.User, err error) {
	err = o.each(ctx, user.SortKey, func(item attr.Item) error {
		u, err := user.Decode(item)
		if err != nil {
			return fmt.Errorf("a user cannot be read: %w", err)
		}
		if slices.Contains(u.Memberships, m) {
			given = append(given, u)
		}
		if said := u.Hosted[m.VCS]; slices.Contains(said.Installations, m.ID) && o.Now().Sub(said.AskedAt) < user.KeyLapse {
			hosted = append(hosted, u)
		}
		return nil
	})
	return given, hosted, err
}

func (o *Operator) endMemberships(ctx context.Context, given []user.User, m vcs.Installation) error {
	for _, u := range given {
		if err := o.users().RemoveMembership(ctx, u.ID, m, o.author()); err != nil && !errors.Is(err, user.ErrNotFound) {
			return fmt.Errorf("end the membership of user %s: %w", u.Name, err)
		}
		o.note("User %s is no longer a member.", printable(u.Name))
	}
	return nil
}

// eraseUser starts the removal of all data of a person.
func (o *Operator) eraseUser(ctx context.Context, args []string) error {
	fs := flags("erase user")
	confirm := fs.String("confirm", "", "")
	names, err := parse(fs, args, "NAME or ID")
	if err != nil {
		return err
	}
	u, err := o.user(ctx, names[0])
	var refused *fault.Error
	if errors.As(err, &refused) && refused.ID == "NO_SUCH_USER" {
		if isUUID(names[0]) {
			return o.eraseRest(ctx, names[0], *confirm)
		}
		return fault.Invalidf("NO_SUCH_USER", "there is no user %q: nothing was changed; \"user list\" shows all; \"task show\" shows an erasure that was started; "+
			"one that has failed is started again with the user's id, which \"task show\" prints", printable(names[0]))
	}
	if err != nil {
		return err
	}
	keys, err := o.keys().List(ctx, u.ID, apikey.Query{})
	if err != nil {
		return err
	}
	o.note("Of user %s with id %s this removes: the accounts %s, the memberships %s, %d API keys, the tokens of hosts, and the user itself.",
		printable(u.Name), u.ID, dash(accounts(u)), dash(reach(u)), len(keys))
	if err := confirmed(*confirm, u.Name); err != nil {
		return err
	}
	made, err := o.startErasure(ctx, task.Task{Kind: task.EraseUser, Subject: u.ID})
	if err != nil {
		return err
	}
	if len(u.Identities) > 0 {
		o.note("A later login with one of the accounts makes a new user. To keep the person out, end the access at the host.")
	}
	return o.say("user %s is being erased. Keys and sessions stop working within about two minutes, and everything is removed in about two hours. To see its progress: task show %s", printable(u.Name), made.ID)
}

// eraseRest starts the erasure of a person again after the user was removed. An
// erasure removes the user first, and may have failed after that.
func (o *Operator) eraseRest(ctx context.Context, id, confirm string) error {
	keys, err := o.keys().List(ctx, id, apikey.Query{})
	if err != nil {
		return err
	}
	o.note("No user with id %s exists (any more). This removes what a failed erasure may have left: %d API keys, the tokens of hosts, and planned renewals.", id, len(keys))
	if err := confirmed(confirm, id); err != nil {
		return err
	}
	made, err := o.startErasure(ctx, task.Task{Kind: task.EraseUser, Subject: id})
	if err != nil {
		return err
	}
	return o.say("what is left of user %s is being erased. This takes about two hours. To see its progress: task show %s", id, made.ID)
}

// startErasure starts an erasure, or returns the one that is in progress.
func (o *Operator) startErasure(ctx context.Context, t task.Task) (task.Task, error) {
	t.ID = uuid.NewString()
	t.Name = task.Title(t.Kind, t.ID, t.Installation.ID)
	return o.tasks().CreateOnce(ctx, o.author(), t, o.Now())
}

// notErasing refuses to let somebody act on an installation that is being erased.
// It also returns a condition for a transaction: that no erasure has begun since.
func (o *Operator) notErasing(ctx context.Context, m vcs.Installation) (table.Write, error) {
	condition, t, err := o.tasks().Idle(ctx, task.Task{Kind: task.EraseInstallation, Installation: m}, o.Now())
	if err != nil {
		return table.Write{}, err
	}
	if t == nil {
		return condition, nil
	}
	return table.Write{}, fault.Invalidf("BEING_ERASED", "%s installation %s is being erased: wait until that is over, and make it anew; how far it is: task show %s", m.VCS, m.ID, t.ID)
}
