package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/opsplane/opsplane/infra/admin"
)

// target is the stack to act on.
type target struct {
	db     *dynamodb.Client
	tables admin.Tables
	// name is the operator's name for the audit trail.
	name string
	// skew is how far the clock of AWS is ahead of this machine's clock. The
	// functions that verify tokens would not see a revocation with a wrong time.
	skew time.Duration
	// logs are the logs of the stack's functions. Nil means that they are not
	// known.
	logs admin.Logs
}

func (t target) operator(out, notes io.Writer) *admin.Operator {
	return &admin.Operator{DB: t.db, Tables: t.tables, Logs: t.logs, Now: func() time.Time { return time.Now().Add(t.skew) }, Name: t.name, Out: out, Notes: notes}
}

// onAWS finds a deployed stack's tables in its outputs. The name in the audit trail
// is the one by which AWS knows the caller.
func onAWS(ctx context.Context, stack string) (target, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return target{}, fmt.Errorf("AWS configuration: %w", err)
	}
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return target{}, fmt.Errorf("find stack %s in region %q: %w", stack, cfg.Region, err)
	}
	names := map[string]string{}
	for _, s := range out.Stacks {
		for _, o := range s.Outputs {
			names[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	tables, err := admin.TablesOf(names)
	if err != nil {
		return target{}, fmt.Errorf("stack %s is not one of Opsplane: among its outputs %w", stack, err)
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return target{}, fmt.Errorf("read your identity from AWS, for the audit trail: %w", err)
	}
	skew, _ := middleware.GetAttemptSkew(who.ResultMetadata) // zero if the response has no date
	return target{
		db: dynamodb.NewFromConfig(cfg), tables: tables, name: aws.ToString(who.Arn), skew: skew,
		logs: awsLogs{stack: stack, resources: cloudformation.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg)},
	}, nil
}

// named takes the tables from the environment, and finds their server in the SDK's
// usual way.
func named(ctx context.Context, env func(string) string) (target, error) {
	tables, err := admin.TablesOf(map[string]string{
		"TokensTable": env("TOKENS_TABLE"), "SigningKeysTable": env("SIGNING_KEYS_TABLE"), "OperationsTable": env("OPERATIONS_TABLE"),
		"DeliveriesTable": env("DELIVERIES_TABLE"), "AuditTable": env("AUDIT_TABLE"),
	})
	if err != nil {
		return target{}, fmt.Errorf("TOKENS_TABLE is set, so SIGNING_KEYS_TABLE, OPERATIONS_TABLE, DELIVERIES_TABLE and AUDIT_TABLE must be: in the environment %w", err)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return target{}, fmt.Errorf("AWS configuration: %w", err)
	}
	return target{db: dynamodb.NewFromConfig(cfg), tables: tables, name: person(env)}, nil
}

// person returns the operator's name on this machine, for stacks without AWS.
func person(env func(string) string) string {
	if name := cmp.Or(env("USER"), env("LOGNAME")); name != "" {
		return name
	}
	if known, err := user.Current(); err == nil {
		return known.Username
	}
	return "local"
}

// local finds the local stack through the description that the stack writes into
// its folder.
func local(state string, env func(string) string) (target, error) {
	file := filepath.Join(cmp.Or(state, ".local"), "stack.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return target{}, fmt.Errorf("no local stack runs here (%s does not exist): start it in another terminal with \"make run\", or name a deployed stack with --stack NAME", file)
	}
	if err != nil {
		return target{}, err
	}
	var stack struct {
		DynamoDBURL string            `json:"dynamodb_url"`
		Tables      map[string]string `json:"tables"`
	}
	if err := json.Unmarshal(text, &stack); err != nil {
		return target{}, fmt.Errorf("%s: %w", file, err)
	}
	tables, err := admin.TablesOf(stack.Tables)
	if err != nil {
		return target{}, fmt.Errorf("%s: %w", file, err)
	}
	db := dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(stack.DynamoDBURL), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "localsecret", ""),
	})
	return target{db: db, tables: tables, name: person(env), logs: fileLogs{filepath.Join(filepath.Dir(file), requestsFile)}}, nil
}

// requestsFile is the file, in the folder of a local stack, in which its functions
// log requests.
const requestsFile = "requests.log"
