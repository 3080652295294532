//go:build unix

// Package stack is the local stack as a whole: servers, tables, functions and gateway. It
// starts them in order and ends them together. It serves what template.yaml declares.
package stack

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/opsplane/opsplane/infra/local/console"
	"github.com/opsplane/opsplane/infra/local/eventbus"
	"github.com/opsplane/opsplane/infra/test/template"
)

// Config holds what a user may choose.
type Config struct {
	Root  string // the repository
	Port  int    // 127.0.0.1 only
	State string // folder of data, key and builds, as the user wrote it
	// DynamoDB chooses the server. Empty means the default.
	DynamoDB string
	// DynamoDBURL and S3URL are addresses of the user's own servers.
	DynamoDBURL, S3URL string
	// EventsURL is the address on this machine that gets each event. It may be empty.
	EventsURL string
	// Instances is the maximum number of processes of each function. A request that needs one
	// more is refused at once, as by Lambda at its limit.
	Instances int
	// Throttle makes the gateway enforce the template's rates.
	Throttle bool
	// Parameters replace defaults of the template.
	Parameters map[string]string

	Console *console.Console
}

// defaultInstances is enough for the processors of a laptop.
const defaultInstances = 50

// FromEnvironment reads PORT, STATE, DYNAMODB, DYNAMODB_URL, S3_URL, EVENTS_URL, INSTANCES,
// THROTTLE and PARAMETERS.
func FromEnvironment(env func(string) string, c *console.Console) (Config, error) {
	root, err := template.Root(".")
	if err != nil {
		return Config{}, err
	}
	port, err := strconv.Atoi(cmp.Or(env("PORT"), "3000"))
	if err != nil || port < 1 || port > 65535 {
		return Config{}, fmt.Errorf("PORT=%s is not a port", env("PORT"))
	}
	instances, err := strconv.Atoi(cmp.Or(env("INSTANCES"), strconv.Itoa(defaultInstances)))
	if err != nil || instances < 1 {
		return Config{}, fmt.Errorf("INSTANCES=%s is not a number from 1 on", env("INSTANCES"))
	}
	throttle := cmp.Or(env("THROTTLE"), "off")
	if throttle != "on" && throttle != "off" {
		return Config{}, fmt.Errorf("THROTTLE=%s is neither on nor off", throttle)
	}
	if target := env("EVENTS_URL"); target != "" {
		if err := eventbus.CheckTarget(target); err != nil {
			return Config{}, fmt.Errorf("EVENTS_URL: %w", err)
		}
	}
	parameters, err := assignments(env("PARAMETERS"))
	if err != nil {
		return Config{}, err
	}
	return Config{
		Root: root, Port: port, State: cmp.Or(env("STATE"), ".local"),
		DynamoDB: env("DYNAMODB"), DynamoDBURL: env("DYNAMODB_URL"), S3URL: env("S3_URL"), EventsURL: env("EVENTS_URL"),
		Instances: instances, Throttle: throttle == "on", Parameters: parameters, Console: c,
	}, nil
}

// assignments parses "Name=value Name=value", the form that sam deploy accepts.
func assignments(text string) (map[string]string, error) {
	values := map[string]string{}
	for _, word := range strings.Fields(text) {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("PARAMETERS has %q, want Name=value", word)
		}
		values[name] = value
	}
	return values, nil
}

// listen takes the port before anything slow begins.
func listen(port int) (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use: stop what listens there, or choose another with PORT=", port)
	}
	return listener, err
}

// requireGo returns an error if there is no Go compiler. It runs before anything is started.
func requireGo() error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("go is not installed, or not on the PATH: the functions cannot be built")
	}
	return nil
}
