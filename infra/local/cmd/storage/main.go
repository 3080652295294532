//go:build unix

// Command storage starts a DynamoDB-compatible and an S3-compatible server with empty data for
// tests. It prints one JSON line with their addresses. When its standard input closes, it stops
// both servers, removes their data and ends. So a test process that dies leaves nothing behind.
//
// DYNAMODB chooses the server (dynoxide, dynamodb-local). TOOLS is the folder of downloaded
// servers.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/opsplane/opsplane/infra/local/servers"
	"github.com/opsplane/opsplane/infra/test/template"
)

func main() {
	servers.Helper()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "storage:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A dead test process does not read our output. A failed write must not keep us from
	// removing the data.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	tools := os.Getenv("TOOLS")
	if tools == "" {
		root, err := template.Root(".")
		if err != nil {
			return err
		}
		tools = filepath.Join(root, ".tools")
	}
	s, err := servers.Start(ctx, servers.Options{
		ToolsDir: tools, DynamoDB: os.Getenv("DYNAMODB"),
		DynamoDBURL: os.Getenv("DYNAMODB_URL"), S3URL: os.Getenv("S3_URL"),
		Report: func(line string) { fmt.Fprintln(os.Stderr, "storage:", line) },
		Log:    os.Stderr,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	addresses := map[string]string{"dynamodb_url": s.DynamoDBURL, "s3_url": s.S3URL}
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
