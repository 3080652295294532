// Command vcs sets up the hosts of a stack: it creates the GitHub App, and checks
// the configuration of GitHub and GitLab.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/opsplane/opsplane/infra/admin/advice"
	"github.com/opsplane/opsplane/infra/admin/vcssetup"
)

const usage = `Sets up the VCS hosts of a stack. docs/guide-vcs.md describes every step.

  make vcs ARGS="github create --api-url https://ops.example.com [--organization acme] [--name Opsplane]"
        create the GitHub App: open the printed address and click once. The App's private key and secrets
        are stored in AWS Secrets Manager, and the parameters for the deployment are printed.
        --web-base-url, --api-base-url   of a GitHub Enterprise Server
        --prefix opsplane-               prefix of the names of the secrets
        --replace                        overwrite existing secrets of these names; otherwise they are an error
  make vcs ARGS="check --stack NAME"
        check everything that GitHub and GitLab need, and say what is missing
        --parameters "GithubAppId=1 …" --api-url URL   instead of --stack: a stack that is not deployed

Both: --secrets DIR   use files in a folder instead of AWS Secrets Manager, as in a local stack (.local/secrets)
`

// The exit codes besides 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errMissing says that a check found something missing.
var errMissing = errors.New("something is missing")

func run(ctx context.Context, args []string, out, notes io.Writer) int {
	err := act(ctx, args, out)
	var wrong *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(notes, "vcs: %v\n\n%s", err, usage)
		return exitUsage
	}
	fmt.Fprintf(notes, "vcs: %s\n", advice.Explain(err))
	return exitFailed
}

type usageError struct{ problem string }

// Error implements error.
func (e *usageError) Error() string { return e.problem }

func act(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "check":
		return check(ctx, args[1:], out)
	case len(args) > 1 && args[0] == "github" && args[1] == "create":
		return create(ctx, args[2:], out)
	case len(args) > 0 && args[0] == "help":
		_, err := io.WriteString(out, usage)
		return err
	}
	return &usageError{"no such command"}
}

func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// secrets returns the secrets of a folder or, if folder is empty, those of AWS.
func secrets(ctx context.Context, folder string) (vcssetup.Secrets, error) {
	if folder != "" {
		return vcssetup.Folder(folder), nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	return vcssetup.Manager{Client: secretsmanager.NewFromConfig(cfg)}, nil
}

func create(ctx context.Context, args []string, out io.Writer) error {
	fs := flags("github create")
	c := vcssetup.Creation{Open: func(address string) { fmt.Fprintf(out, "Open %s in a browser that is logged in at GitHub.\n", address) }}
	fs.StringVar(&c.App.APIURL, "api-url", "", "")
	fs.StringVar(&c.App.Name, "name", "Opsplane", "")
	fs.StringVar(&c.Organization, "organization", "", "")
	fs.StringVar(&c.WebURL, "web-base-url", vcssetup.PublicWeb, "")
	fs.StringVar(&c.HostAPIURL, "api-base-url", vcssetup.PublicAPI, "")
	fs.StringVar(&c.Prefix, "prefix", "opsplane-", "")
	fs.BoolVar(&c.Replace, "replace", false, "")
	folder := fs.String("secrets", "", "")
	if err := fs.Parse(args); err != nil || fs.NArg() > 0 {
		return &usageError{fmt.Sprint("github create: ", errors.Join(err, errors.New("only flags are expected")))}
	}
	if !strings.HasPrefix(c.App.APIURL, "http") {
		return &usageError{"github create needs --api-url, the address under which GitHub reaches the API"}
	}
	for _, url := range []*string{&c.App.APIURL, &c.WebURL, &c.HostAPIURL} {
		*url = strings.TrimRight(*url, "/")
	}
	var err error
	if c.Secrets, err = secrets(ctx, *folder); err != nil {
		return err
	}
	app, err := c.Run(ctx)
	if err != nil {
		return err
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(app.Parameters)) {
		words = append(words, name+"="+app.Parameters[name])
	}
	_, err = fmt.Fprintf(out, `
The GitHub App %s (%d) is created, and its secrets are stored. Next:

  1. deploy with these parameters, in addition to those that you have:
     sam deploy --parameter-overrides %s
  2. install it: %s/installations/new
  3. check the result: make vcs ARGS="check --stack NAME"
`, app.Slug, app.ID, strings.Join(words, " "), app.HTMLURL)
	return err
}

func check(ctx context.Context, args []string, out io.Writer) error {
	fs := flags("check")
	stack, folder := fs.String("stack", "", ""), fs.String("secrets", "", "")
	parameters, url := fs.String("parameters", "", ""), fs.String("api-url", "", "")
	if err := fs.Parse(args); err != nil || fs.NArg() > 0 {
		return &usageError{fmt.Sprint("check: ", errors.Join(err, errors.New("only flags are expected")))}
	}
	c := &vcssetup.Checks{Parameters: map[string]string{}, APIURL: strings.TrimRight(*url, "/")}
	for _, word := range strings.Fields(*parameters) {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return &usageError{fmt.Sprintf("check: %q is not of the form Name=value", word)}
		}
		c.Parameters[name] = value
	}
	switch {
	case *stack != "":
		if err := deployed(ctx, *stack, c); err != nil {
			return err
		}
	case *parameters == "" || *url == "":
		return &usageError{"check needs --stack, or --parameters and --api-url"}
	}
	var err error
	if c.Secrets, err = secrets(ctx, *folder); err != nil {
		return err
	}
	missing := 0
	for _, f := range c.Run(ctx) {
		if f.Good {
			fmt.Fprintf(out, "ok       %s\n", f.What)
			continue
		}
		missing++
		fmt.Fprintf(out, "MISSING  %s\n         -> %s\n", f.What, f.Do)
	}
	if missing > 0 {
		return fmt.Errorf("%w: %d findings", errMissing, missing)
	}
	return nil
}

// deployed reads the parameters and the address of a stack on AWS.
func deployed(ctx context.Context, name string, c *vcssetup.Checks) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("AWS configuration: %w", err)
	}
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil || len(out.Stacks) == 0 {
		return fmt.Errorf("find stack %s in region %q: %w", name, cfg.Region, err)
	}
	for _, p := range out.Stacks[0].Parameters {
		c.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	if c.APIURL == "" {
		c.APIURL = c.Parameters["PublicBaseUrl"]
	}
	for _, o := range out.Stacks[0].Outputs {
		if c.APIURL == "" && aws.ToString(o.OutputKey) == "ApiUrl" {
			c.APIURL = strings.TrimRight(aws.ToString(o.OutputValue), "/")
		}
	}
	return nil
}
