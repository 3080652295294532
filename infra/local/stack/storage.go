//go:build unix

package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/admin"
	"github.com/opsplane/opsplane/infra/local/provision"
	"github.com/opsplane/opsplane/infra/local/servers"
	"github.com/opsplane/opsplane/infra/local/state"
)

// storage holds the clients of the stack's servers.
type storage struct {
	config   aws.Config
	dynamoDB *dynamodb.Client
	s3       *s3.Client
}

// startStorage starts the servers, makes the tables and buckets of the template, and puts the
// first user and key into new tables.
func (s *stack) startStorage(ctx context.Context) error {
	var err error
	s.log, err = os.OpenFile(s.Path(state.ServersLog), os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.servers, err = servers.Start(ctx, servers.Options{
		DataDir: s.Path(state.Data), ToolsDir: filepath.Join(s.Root, ".tools"),
		DynamoDB: s.DynamoDB, DynamoDBURL: s.DynamoDBURL, S3URL: s.S3URL,
		Report: func(line string) { s.Console.Say("%s", line) }, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.storage.config = aws.Config{
		Region:      servers.Region,
		Credentials: credentials.NewStaticCredentialsProvider(servers.AccessKey, servers.SecretKey, ""),
	}
	s.storage.dynamoDB = dynamodb.NewFromConfig(s.storage.config, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(s.servers.DynamoDBURL) })
	s.storage.s3 = s3.NewFromConfig(s.storage.config, func(o *s3.Options) {
		o.BaseEndpoint = aws.String(s.servers.S3URL)
		o.UsePathStyle = true
	})
	if err := s.provision(ctx); err != nil {
		return err
	}
	if err := s.describe(); err != nil {
		return err
	}
	return s.seed(ctx)
}

func (s *stack) provision(ctx context.Context) error {
	missing, err := provision.Missing(ctx, s.storage.dynamoDB, s.template)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		// A key is only valid for the data that it was made with.
		if err := os.Remove(s.Path(state.APIKey)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.Console.Say("making %d tables", len(missing))
	}
	if err := provision.Tables(ctx, s.storage.dynamoDB, s.template, missing); err != nil {
		return err
	}
	return provision.Buckets(ctx, s.storage.s3, s.template)
}

// describe writes the addresses of the servers and the names of the tables to a file, for the
// operator's commands.
func (s *stack) describe() error {
	tables, buckets := map[string]string{}, map[string]string{}
	for _, t := range s.template.Tables {
		tables[t.LogicalID] = t.Name
	}
	for _, b := range s.template.Buckets {
		buckets[b.LogicalID] = b.Name
	}
	hosts := "" // no stand-ins
	if s.hosts != nil {
		hosts = s.hosts.URL
	}
	text, err := json.MarshalIndent(map[string]any{
		"url": s.url, "dynamodb_url": s.servers.DynamoDBURL, "s3_url": s.servers.S3URL, "hosts_url": hosts, "tables": tables, "buckets": buckets,
	}, "", "  ")
	if err != nil {
		return err
	}
	return s.Write(state.Description, string(text)+"\n")
}

// seed makes the first user and the first API key, once. The file of the key says that this is
// done, because the key's text cannot be read a second time. If seed is interrupted, the next
// start runs it again.
func (s *stack) seed(ctx context.Context) error {
	_, err := os.Stat(s.Path(state.APIKey))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.Console.Say("making the first user and API key")
	name := func(logicalID string) string { return provision.Name(logicalID) }
	operator := &admin.Operator{
		DB:     s.storage.dynamoDB,
		Tables: admin.Tables{Tokens: name("TokensTable"), SigningKeys: name("SigningKeysTable"), Operations: name("OperationsTable")},
		Now:    time.Now, Name: "local", Out: io.Discard,
	}
	key, err := operator.Seed(ctx)
	if err != nil {
		return fmt.Errorf("make the first API key: %w", err)
	}
	return s.Write(state.APIKey, key+"\n")
}
