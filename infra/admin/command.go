package admin

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// command is one thing that an operator can do.
type command struct {
	name  string // one or two words, such as "user create"
	usage string // the arguments after the name
	about string
	run   func(*Operator, context.Context, []string) error
}

// commands returns all commands, in the order of the help text.
func commands() []command {
	return []command{
		{"user create", "NAME", "make a user, a person or a machine account", (*Operator).userCreate},
		{"user list", "", "list all users: ids, accounts, installations", (*Operator).userList},
		{"user show", "NAME|ID", "show a user and its memberships", (*Operator).userShow},
		{"account link", "--user NAME --vcs V --id N --login X", "link an account at GitHub or GitLab to this user: a login with it is then a login of this user; N is the account's number, not its name", (*Operator).accountLink},
		{"installation create", "--vcs V --id N --name X", "add a GitHub organisation or a GitLab group, or rename it", (*Operator).installationCreate},
		{"installation list", "", "list all installations", (*Operator).installationList},
		{"membership add", "--user NAME --vcs V --installation N", "allow a user to act on an installation", (*Operator).membershipAdd},
		{"membership remove", "--user NAME --vcs V --installation N", "end the membership", (*Operator).membershipRemove},
		{"key create", "--user NAME [--name X] [--description X] [--expires 30d] [--capability C[,C]...]...", "make an API key; only its text is written to standard output, and it is shown only now", (*Operator).keyCreate},
		{"key list", "[--user NAME]", "list a user's API keys", (*Operator).keyList},
		{"key revoke", "[--user NAME] ID", "end an API key; ID is its id or its text", (*Operator).keyRevoke},
		{"key revoke-all", "--user NAME", "end all API keys of a user", (*Operator).keyRevokeAll},
		{"signing-key rotate", "[--revoke-old]", "make a new signing key; with --revoke-old (after a leak), tokens of the old keys are refused at once", (*Operator).signingKeyRotate},
		{"signing-key list", "", "list the signing keys, without the private keys", (*Operator).signingKeyList},
		{"delivery list", "--vcs V [--installation N] [--state S] [--before T] [--limit 20]", "list deliveries of a VCS with their outcome, the newest first; S is received, done, ignored, parked or dismissed; T is a time from the list", (*Operator).deliveryList},
		{"delivery parked", "[--limit 20]", "list failed deliveries: first stuck ones, then those that are tried again; installations take turns", (*Operator).deliveryParked},
		{"delivery show", "--vcs V [--body] ID", "show a delivery; with --body, show its body", (*Operator).deliveryShow},
		{"delivery redeliver", "--vcs V ID", "process a delivery again", (*Operator).deliveryRedeliver},
		{"delivery dismiss", "--vcs V ID", "close a failed delivery: it is not tried again, and no alarm reports it", (*Operator).deliveryDismiss},
		{"delivery dismiss-stuck", "--vcs V --installation N", "dismiss all stuck deliveries of an installation; N is none for deliveries that name no installation", (*Operator).deliveryDismissStuck},
		{"event parked", "[--limit 20]", "list audit records whose events the event bus did not take: first stuck ones, then those that are sent again", (*Operator).eventParked},
		{"event retry", "ID", "send the parked events of a record again now; ID is that of the record", (*Operator).eventRetry},
		{"event dismiss", "ID", "remove the parked events of a record without sending them", (*Operator).eventDismiss},
		{"audit list", "[--vcs V --installation N] [--user NAME | --actor A] [--action A] [--key K | --repository N | --run ID] [--from T] [--to T] [--limit 50]", "list changes, the newest first: of an installation, by an actor, or of everything that belongs to no installation", (*Operator).auditList},
		{"erase installation", "--vcs V --id N [--webhook-removed] [--confirm NAME]", "remove all data of an installation; this cannot be undone; without --confirm, say what would be removed; --webhook-removed confirms that the GitLab group's webhook is removed", (*Operator).eraseInstallation},
		{"erase user", "NAME|ID [--confirm NAME]", "remove all data of a person; this cannot be undone; without --confirm, say what would be removed; if an erasure failed after it removed the user, give the id twice", (*Operator).eraseUser},
		{"task show", "ID", "show the progress of a task, such as an erasure", (*Operator).taskShow},
		{"why", "[--since 24h] REQUEST-ID", "say why a request was refused: which check failed, what was missing, and for which installation; the id is in the response header x-amzn-requestid", (*Operator).why},
		{"explain", "[--repo .] (--changed FILE[,FILE]... | --base COMMIT) [--branch NAME] [--into main]", "say which directories of a working copy a change would plan, and why, with the line of the configuration that decides; it needs no stack", (*Operator).explainChange},
		{"seed", "", "make the first user and API key of a stack in test containers, and write the key to standard output; \"make run\" does this by itself", (*Operator).seedCommand},
	}
}

// UsageError says that a command line is wrong.
type UsageError struct {
	// Problem says what is wrong with it, and what to write instead.
	Problem string
}

// Error implements error.
func (e *UsageError) Error() string { return e.Problem }

func usagef(format string, args ...any) error {
	return &UsageError{Problem: fmt.Sprintf(format, args...)}
}

// find returns the command at the start of a command line and the arguments
// after its name, or a *UsageError.
func find(args []string) (command, []string, error) {
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return c, args[len(words):], nil
		}
	}
	if len(args) == 0 {
		return command{}, nil, usagef("no command is given: write it as make admin ARGS=\"user list\"; \"help\" lists them")
	}
	var related []string
	for _, c := range commands() {
		if subject, _, _ := strings.Cut(c.name, " "); subject == args[0] {
			related = append(related, c.name)
		}
	}
	if len(related) > 0 {
		return command{}, nil, usagef("%q is not a command; there are: %s", strings.Join(args, " "), strings.Join(related, ", "))
	}
	return command{}, nil, usagef("%q is not a command; \"help\" lists them", strings.Join(args, " "))
}

// Check returns a *UsageError if the command line does not begin with a
// command. It uses no storage.
func Check(args []string) error {
	_, _, err := find(args)
	return err
}

// Offline reports whether the command line begins with a command that needs no stack.
func Offline(args []string) bool {
	c, _, err := find(args)
	return err == nil && c.name == "explain"
}

// Run runs one command line, such as "user", "create", "ann". It returns a
// *UsageError for a command line that it does not understand, and a *fault.Error
// for refused input. Any other error comes from storage.
func (o *Operator) Run(ctx context.Context, args []string) error {
	c, rest, err := find(args)
	if err != nil {
		return err
	}
	if slices.Contains(rest, "--help") || slices.Contains(rest, "-h") {
		return o.say("usage: %s\n       %s", strings.TrimSpace(c.name+" "+c.usage), c.about)
	}
	err = c.run(o, ctx, rest)
	if usage := (*UsageError)(nil); errors.As(err, &usage) {
		return usagef("%s\nusage: %s", usage.Problem, strings.TrimSpace(c.name+" "+c.usage))
	}
	return err
}

// Help writes the list of commands.
func Help(w io.Writer) {
	for _, c := range commands() {
		fmt.Fprintf(w, "  %s\n        %s\n", strings.TrimSpace(c.name+" "+c.usage), c.about)
	}
	fmt.Fprintln(w, "\nCapabilities: "+strings.Join(capabilityForms(), ", ")+".\nThe last two restrict the key: it then reaches nothing else.")
}

// flags returns a flag set that prints nothing itself.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse reads the flags and the arguments. Flags may stand before or after the
// arguments. There must be exactly one argument for each name.
func parse(fs *flag.FlagSet, args []string, names ...string) ([]string, error) {
	var found []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, usagef("%v", err)
		}
		if args = fs.Args(); len(args) == 0 {
			break
		}
		found, args = append(found, args[0]), args[1:]
	}
	if len(found) < len(names) {
		return nil, usagef("%s is missing", names[len(found)])
	}
	if len(found) > len(names) {
		return nil, usagef("%q is not understood here", found[len(names)])
	}
	return found, nil
}

// required returns a usage error for the first flag that is empty.
func required(fs *flag.FlagSet, names ...string) error {
	for _, name := range names {
		if fs.Lookup(name).Value.String() == "" {
			return usagef("--%s is missing", name)
		}
	}
	return nil
}
