//go:build unix

// Package servers starts the DynamoDB- and S3-compatible servers that the
// local stack and the tests store in: pinned by version and content, bound to
// the loopback address, restarted on the same address when they end.
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

// Options say which servers to start and where they keep what.
type Options struct {
	// DataDir keeps the data between runs. Empty: tables live in memory,
	// objects in a temporary folder, and Close removes them.
	DataDir string
	// ToolsDir is the folder for downloaded servers. It may be shared.
	ToolsDir string
	// DynamoDB chooses the server: Dynoxide, DynamoDBLocal, or empty for the
	// first of them that has a build for this machine.
	DynamoDB string
	// DynamoDBURL and S3URL are servers of the user's own: none is started.
	DynamoDBURL, S3URL string
	// Report is told in one line of what takes time or goes wrong.
	Report func(line string)
	// Log receives what the servers print. Nil drops it.
	Log *os.File
}

// Servers are two running servers.
type Servers struct {
	DynamoDBURL, S3URL string
	// KeepsExpired is true of a DynamoDB server that never deletes an item whose
	// time to live is over.
	KeepsExpired bool

	keepers []*process.Keeper
	scratch string
}

// readyTimeout bounds the wait for a first answer. Java on a busy machine is
// the slow one.
const readyTimeout = 60 * time.Second

// Start starts the servers and returns when both answer.
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

// run starts a server on a free port. Between finding a port and using it
// another process may take it: then the server ends at once, and the next
// port is tried.
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

// ready waits until the server answers HTTP, whatever the answer.
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
