// Command admin is the operators' command line for one stack: the local stack, or
// one on AWS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/opsplane/opsplane/infra/admin"
	"github.com/opsplane/opsplane/infra/admin/advice"
)

// The exit codes besides 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs one command line and returns the exit code.
func run(ctx context.Context, args []string, env func(string) string, out, notes io.Writer) int {
	fs := flag.NewFlagSet("admin", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	stack := fs.String("stack", env("STACK"), "")
	state := fs.String("state", env("STATE"), "")
	args, behind := stackBehind(args)
	err := fs.Parse(args)
	args = fs.Args()
	if behind != "" {
		*stack = behind
	}
	switch {
	case errors.Is(err, flag.ErrHelp), len(args) > 0 && args[0] == "help":
		help(out)
		return 0
	case err != nil:
		fmt.Fprintf(notes, "admin: %v\n", err)
		return exitUsage
	}
	if err := act(ctx, *stack, *state, args, env, out, notes); err != nil {
		fmt.Fprintf(notes, "admin: %s\n", advice.Explain(err))
		if usage := (*admin.UsageError)(nil); errors.As(err, &usage) {
			return exitUsage
		}
		return exitFailed
	}
	return 0
}

// stackBehind removes --stack from a command line, wherever it stands. No command
// has a flag with that name. It returns the rest and the stack's name.
func stackBehind(args []string) (rest []string, name string) {
	for i := 0; i < len(args); i++ {
		word := strings.TrimPrefix(strings.TrimPrefix(args[i], "-"), "-")
		value, assigned := strings.CutPrefix(word, "stack=")
		switch {
		case word == args[i]: // not a flag
			rest = append(rest, args[i])
		case assigned:
			name = value
		case word == "stack" && i+1 < len(args):
			i++
			name = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	return rest, name
}

func act(ctx context.Context, stack, state string, args []string, env func(string) string, out, notes io.Writer) error {
	if err := admin.Check(args); err != nil {
		return err
	}
	if admin.Offline(args) {
		o := &admin.Operator{Out: out, Notes: notes}
		return o.Run(ctx, args)
	}
	var find func(context.Context) (target, error)
	switch {
	case stack != "":
		if len(args) > 0 && args[0] == "seed" {
			return &admin.UsageError{Problem: "seed is for local stacks; on AWS begin with: user create NAME"}
		}
		find = func(ctx context.Context) (target, error) { return onAWS(ctx, stack) }
	case env("TOKENS_TABLE") != "":
		find = func(ctx context.Context) (target, error) { return named(ctx, env) }
	case len(args) > 0 && args[0] == "seed":
		return &admin.UsageError{Problem: "a local stack seeds itself when it starts, and keeps its first key in its folder as api-key; make another with: key create"}
	default:
		find = func(context.Context) (target, error) { return local(state, env) }
	}
	t, err := find(ctx)
	if err != nil {
		return err
	}
	o := t.operator(out, notes)
	return o.Run(ctx, args)
}

func help(w io.Writer) {
	fmt.Fprint(w, `Operator commands of Opsplane.

  make admin ARGS="COMMAND"                   on the local stack, which must be running
  make admin ARGS="--stack NAME COMMAND"      on a deployed stack, with your AWS credentials

Flags (--state before the command):
  --stack NAME    the CloudFormation stack (default: the variable STACK)
  --state DIR     the folder of the local stack (default: the variable STATE, then .local)
Without a stack, the variables TOKENS_TABLE, SIGNING_KEYS_TABLE, OPERATIONS_TABLE and DELIVERIES_TABLE
can name the tables instead; AWS_ENDPOINT_URL_DYNAMODB then says where they are.

Commands:
`)
	admin.Help(w)
}
