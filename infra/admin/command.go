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

// command is one thing that operators do.
type command struct {
	name  string // its words
	usage string // what follows the name
	about string
	run   func(*Operator, context.Context, []string) error
}

// commands lists all of them, as help shows them.
func commands() []command {
	return []command{
		{"user create", "NAME", "make a user, a person or a machine account", (*Operator).userCreate},
		{"user list", "", "list all users: ids, accounts, installations", (*Operator).userList},
		{"user show", "NAME|ID", "show a user and its memberships", (*Operator).userShow},
		{"account link", "--user NAME --vcs V --id N --login X", "let whoever logs in with an account of GitHub or GitLab be this user; N is the account's number, not its name", (*Operator).accountLink},
		{"installation create", "--vcs V --id N --name X", "make a GitHub organisation or GitLab group known, or rename it", (*Operator).installationCreate},
		{"installation list", "", "list all installations", (*Operator).installationList},
		{"membership add", "--user NAME --vcs V --installation N", "let a user act on an installation", (*Operator).membershipAdd},
		{"membership remove", "--user NAME --vcs V --installation N", "end that", (*Operator).membershipRemove},
		{"key create", "--user NAME [--name X] [--description X] [--expires 30d] [--capability C[,C]...]...", "make an API key; its text, shown this once, is all that is written to standard output", (*Operator).keyCreate},
		{"key list", "[--user NAME]", "list a user's API keys", (*Operator).keyList},
		{"key revoke", "[--user NAME] ID", "end an API key; ID is its id or its text", (*Operator).keyRevoke},
		{"key revoke-all", "--user NAME", "end all API keys of a user", (*Operator).keyRevokeAll},
		{"signing-key rotate", "[--revoke-old]", "make a new signing key; with --revoke-old, for a key in wrong hands, tokens of the old ones are refused at once", (*Operator).signingKeyRotate},
		{"signing-key list", "", "list the signing keys, never the keys themselves", (*Operator).signingKeyList},
		{"delivery list", "--vcs V [--installation N] [--state S] [--before T] [--limit 20]", "list what a VCS has delivered, the newest first, with the outcome of each; S is received, done, ignored, parked or dismissed, T a time as listed", (*Operator).deliveryList},
		{"delivery parked", "[--limit 20]", "list what has failed: first what is stuck, then what is tried again by itself; installations take turns", (*Operator).deliveryParked},
		{"delivery show", "--vcs V [--body] ID", "show a delivery, or what was sent", (*Operator).deliveryShow},
		{"delivery redeliver", "--vcs V ID", "have a delivery processed again", (*Operator).deliveryRedeliver},
		{"delivery dismiss", "--vcs V ID", "end a delivery that has failed: nobody tries it any more, and it is not told of", (*Operator).deliveryDismiss},
		{"delivery dismiss-stuck", "--vcs V --installation N", "dismiss all stuck deliveries of an installation; N is none for those that name none", (*Operator).deliveryDismissStuck},
		{"audit list", "[--vcs V --installation N] [--user NAME | --actor A] [--action A] [--key K | --repository N] [--from T] [--to T] [--limit 50]", "list who changed what, the newest first: in an installation, by an actor, or else what belongs to no installation", (*Operator).auditList},
		{"erase installation", "--vcs V --id N [--webhook-removed] [--confirm NAME]", "remove all data of an installation, which cannot be undone; without --confirm, say what would go; --webhook-removed says that the GitLab group's webhook is gone", (*Operator).eraseInstallation},
		{"erase user", "NAME|ID [--confirm NAME]", "remove all data of a person, which cannot be undone; without --confirm, say what would go; where the user is gone already, and the erasure has failed, give the id twice", (*Operator).eraseUser},
		{"task show", "ID", "show how far a task is, such as an erasure", (*Operator).taskShow},
		{"why", "[--since 24h] REQUEST-ID", "say why a request was refused: at which question, what was missing, and for which installation; the id stands in the header x-amzn-requestid of its answer", (*Operator).why},
		{"seed", "", "make what a new stack in test containers begins with, and write its API key to standard output; \"make run\" does this by itself", (*Operator).seedCommand},
	}
}

// UsageError is a command line that cannot be understood.
type UsageError struct {
	// Problem is what is wrong with it, and what to write instead.
	Problem string
}

// Error implements error.
func (e *UsageError) Error() string { return e.Problem }

func usagef(format string, args ...any) error {
	return &UsageError{Problem: fmt.Sprintf(format, args...)}
}

// find answers the command that a command line begins with and what follows
// its name, or a *UsageError.
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
		if word, _, _ := strings.Cut(c.name, " "); word == args[0] {
			related = append(related, c.name)
		}
	}
	if len(related) > 0 {
		return command{}, nil, usagef("%q is not a command; there are: %s", strings.Join(args, " "), strings.Join(related, ", "))
	}
	return command{}, nil, usagef("%q is not a command; \"help\" lists them", strings.Join(args, " "))
}

// Check answers a *UsageError if the command line does not begin with a
// command. It asks no storage.
func Check(args []string) error {
	_, _, err := find(args)
	return err
}

// Run runs one command line, such as "user", "create", "ann". It answers a
// *UsageError for one that it does not understand, a *fault.Error for input
// that is refused, and else what storage answered.
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

// Help writes what commands there are.
func Help(w io.Writer) {
	for _, c := range commands() {
		fmt.Fprintf(w, "  %s\n        %s\n", strings.TrimSpace(c.name+" "+c.usage), c.about)
	}
	fmt.Fprintln(w, "\nCapabilities: "+strings.Join(capabilityForms(), ", ")+".\nThe last two restrict the key: it then reaches nothing else.")
}

// flags is a flag set that leaves printing to the caller.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse reads flags, which may stand before and behind the arguments, and
// exactly as many arguments as have names.
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

// required answers a usage error for the first flag that is empty.
func required(fs *flag.FlagSet, names ...string) error {
	for _, name := range names {
		if fs.Lookup(name).Value.String() == "" {
			return usagef("--%s is missing", name)
		}
	}
	return nil
}
