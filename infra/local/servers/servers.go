//go:build unix

// Package servers starts the DynamoDB-compatible and S3-compatible servers for the local stack
// and the tests. They are pinned by version and content, listen on the loopback address only,
// and are restarted on the same address when they end.
package servers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/opsplane/opsplane/infra/local/process"
)

// Options say which servers to start and where the servers keep their data.
type Options struct {
	// DataDir keeps the data between runs. If it is empty, tables are in memory and objects in
	// a temporary folder, and Close removes both.
	DataDir string
	// ToolsDir is the folder of downloaded servers. Several stacks may share it.
	ToolsDir string
	// DynamoDB chooses the server: Dynoxide or DynamoDBLocal. If it is empty, the first of them
	// that has a build for this machine is chosen.
	DynamoDB string
	// DynamoDBURL and S3URL are addresses of the user's own servers. A server that has an
	// address here is not started.
	DynamoDBURL, S3URL string
	// Report receives one line for each step that takes time, and for each failure.
	Report func(line string)
	// Log receives what the servers print. If it is nil, the output is dropped.
	Log *os.File
}

// Servers are two running servers: DynamoDB and S3.
type Servers struct {
	DynamoDBURL, S3URL string
	// KeepsExpired is true if the DynamoDB server never deletes expired items.
	KeepsExpired bool

	keepers []*process.Keeper
	scratch string
}

// readyTimeout is the maximum time until a server's first response. Java on a busy machine is
// the slowest case.
const readyTimeout = 60 * time.Second

// Start starts the servers and returns when both respond.
func Start(ctx context.Context, o Options) (*Servers, error) {
	s := &Servers{DynamoDBURL: o.DynamoDBURL, S3URL: o.S3URL}
	if err := s.start(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Servers) start(ctx context.Context, o Options) error {
	if o.DataDir != "" {
		if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
			return err
		}
	}
	if s.DynamoDBURL == "" {
		kind := choose(o.DynamoDB)
		command, err := dynamoDB(ctx, kind, o.ToolsDir, o.DataDir, o.Report)
		if err != nil {
			return err
		}
		s.KeepsExpired = kind == Dynoxide
		if s.DynamoDBURL, err = s.run(ctx, "the DynamoDB server", command, o); err != nil {
			return err
		}
	}
	if s.S3URL == "" {
		dir := filepath.Join(o.DataDir, "s3")
		if o.DataDir == "" {
			scratch, err := os.MkdirTemp("", "opsplane-s3-")
			if err != nil {
				return err
			}
			s.scratch, dir = scratch, scratch
		}
		url, err := s.run(ctx, "the S3 server", func(addr string) *exec.Cmd {
			return exec.Command(self(), helperS3, dir, addr)
		}, o)
		if err != nil {
			return err
		}
		s.S3URL = url
	}
	return nil
}

// Close stops the servers that Start started.
func (s *Servers) Close() {
	for _, k := range s.keepers {
		k.Stop(3 * time.Second)
	}
	if s.scratch != "" {
		_ = os.RemoveAll(s.scratch)
	}
}

// run starts a server on a free port. Another process may take the port before the server does.
// Then the server ends at once, and run tries the next port.
func (s *Servers) run(ctx context.Context, name string, command func(addr string) *exec.Cmd, o Options) (string, error) {
	var failed error
	for range 3 {
		addr, err := freeAddress()
		if err != nil {
			return "", err
		}
		start := func() *exec.Cmd {
			cmd := command(addr)
			if o.Log != nil {
				cmd.Stdout, cmd.Stderr = o.Log, o.Log
			}
			return cmd
		}
		keeper, err := process.Keep(name, start, o.Report)
		if err != nil {
			return "", err
		}
		if failed = ready(ctx, addr, keeper.Child()); failed == nil {
			s.keepers = append(s.keepers, keeper)
			return "http://" + addr, nil
		}
		keeper.Stop(time.Second)
		if ctx.Err() != nil {
			break
		}
	}
	return "", fmt.Errorf("start %s: %w", name, failed)
}

// ready waits until the server sends any HTTP response.
func ready(ctx context.Context, addr string, child *process.Child) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			return response.Body.Close()
		}
		select {
		case <-child.Done():
			return fmt.Errorf("it ended at once: %w", child.Err())
		case <-ctx.Done():
			return fmt.Errorf("no answer on %s: %w", addr, ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := listener.Addr().String()
	return addr, listener.Close()
}
