//go:build unix

package stack

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/local/build"
	"github.com/opsplane/opsplane/infra/local/demohost"
	"github.com/opsplane/opsplane/infra/local/eventbus"
	"github.com/opsplane/opsplane/infra/local/gateway"
	"github.com/opsplane/opsplane/infra/local/provision"
	"github.com/opsplane/opsplane/infra/local/requestlog"
	"github.com/opsplane/opsplane/infra/local/runtimeapi"
	"github.com/opsplane/opsplane/infra/local/servers"
	"github.com/opsplane/opsplane/infra/local/state"
	"github.com/opsplane/opsplane/infra/local/watch"
	"github.com/opsplane/opsplane/infra/test/template"
)

// requestGrace is how long requests under way may still take when the stack ends.
const requestGrace = 2 * time.Second

// stack is a stack that starts or runs.
type stack struct {
	Config
	*state.Folder
	url      string
	template *template.Template
	builder  *build.Builder
	servers  *servers.Servers
	log      *os.File // of the servers, restarted ones included
	requests *requestlog.Log
	storage  storage
	hosts    *demohost.Hosts // stand-ins, nil if the user has configured a host
	bus      *eventbus.Bus

	functions map[string]*runtimeapi.Function // by logical id
	built     map[string]string               // paths by group
}

// Run starts a stack and serves until ctx ends. It returns an error only if the stack could not
// start. When it returns, nothing of the stack is running.
func Run(ctx context.Context, c Config) error {
	started := time.Now()
	if err := requireGo(); err != nil {
		return err
	}
	// The steps that can be refused come first, so that a refusal leaves nothing behind.
	listener, err := listen(c.Port)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	st, err := state.Open(c.State)
	if err != nil {
		return err
	}
	defer st.Close()
	tools, err := state.UseTools(filepath.Join(c.Root, ".tools"))
	if err != nil {
		return err
	}
	defer func() { _ = tools.Close() }()
	s := &stack{Config: c, Folder: st, url: fmt.Sprintf("http://127.0.0.1:%d", c.Port), functions: map[string]*runtimeapi.Function{}}
	defer s.forget()
	s.forget()
	if err := s.makeSecrets(); err != nil {
		return err
	}
	if err := s.standIn(); err != nil {
		return err
	}
	defer s.stop()
	s.bus, err = eventbus.Start(eventbus.Options{
		Name: cmp.Or(s.Parameters["EventBusName"], eventbus.Name), File: s.Path(state.Events), Target: s.EventsURL, Report: func(line string) { s.Console.Say("%s", line) },
	})
	if err != nil {
		return err
	}
	if s.requests, err = requestlog.Open(s.Path(state.RequestsLog), requestlog.Limit); err != nil {
		return err
	}
	// The watch starts before the source is read for the first time, so that no later save is
	// missed.
	changes, err := watch.Watch(ctx, s.Root)
	if err != nil {
		s.Console.Say("changes of the source are not seen: %v", err)
	}
	s.template, err = template.Load(filepath.Join(c.Root, "template.yaml"), template.Options{
		Name: provision.Name, Parameters: s.parameters(),
	})
	if err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // the user ended it before it had started
		}
		return err
	}
	return s.serve(ctx, listener, changes, started)
}

// parameters returns the user's parameters. Where the user gives none, it adds the stack's own
// address and the name of the stack's own webhook secret.
func (s *stack) parameters() map[string]string {
	given := map[string]string{"PublicBaseUrl": s.url, "GithubWebhookSecret": state.GitHubWebhookSecret, "EventBusName": eventbus.Name}
	if s.hosts != nil {
		maps.Copy(given, s.hosts.Parameters(state.GitHubAppKey))
	}
	maps.Copy(given, s.Parameters)
	return given
}

// forget removes the files that are only true while the stack runs.
func (s *stack) forget() {
	for _, name := range []string{state.URL, state.Description} {
		_ = os.Remove(s.Path(name))
	}
}

// prepare builds the functions and starts the servers. It does the slow parts at the same time.
func (s *stack) prepare(ctx context.Context) error {
	var groups []string
	for _, f := range s.template.Functions {
		groups = append(groups, f.Group)
	}
	s.builder = &build.Builder{
		Root: s.Root, Dir: s.Path(state.Functions), Groups: groups, Report: func(line string) { s.Console.Say("%s", line) },
	}
	s.Console.Say("building %d functions", len(groups))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	building := make(chan error, 1)
	go func() {
		var err error
		s.built, err = s.builder.Build(ctx)
		building <- err
	}()
	if err := s.startStorage(ctx); err != nil {
		cancel()
		<-building
		return err
	}
	if err := <-building; err != nil {
		return err
	}
	s.builder.Clean(s.built)
	s.startFunctions(ctx)
	return nil
}

// startFunctions starts one instance of each function. If one fails, its log is shown, and the
// next request tries again.
func (s *stack) startFunctions(ctx context.Context) {
	var wg sync.WaitGroup
	for _, f := range s.template.Functions {
		function := runtimeapi.NewFunction(s.spec(f), s.Instances)
		s.functions[f.LogicalID] = function
		wg.Go(func() {
			if err := function.Warm(ctx); err != nil && ctx.Err() == nil {
				s.Console.Say("%s does not start: %v", f.Group, err)
			}
		})
	}
	wg.Wait()
}

func (s *stack) spec(f template.Function) runtimeapi.Spec {
	env := map[string]string{
		"AWS_ACCESS_KEY_ID": servers.AccessKey, "AWS_SECRET_ACCESS_KEY": servers.SecretKey,
		"AWS_REGION": servers.Region, "AWS_DEFAULT_REGION": servers.Region,
	}
	for name, value := range f.Environment {
		env[name] = value
	}
	env["AWS_ENDPOINT_URL_DYNAMODB"], env["AWS_ENDPOINT_URL_S3"] = s.servers.DynamoDBURL, s.servers.S3URL
	env["AWS_ENDPOINT_URL_EVENTBRIDGE"] = s.bus.URL
	env["SECRETS_DIR"] = s.Path(state.Secrets)
	return runtimeapi.Spec{
		Name: f.LogicalID, Binary: s.built[f.Group], Env: env, Timeout: f.Timeout, MemoryMB: f.MemoryMB,
		Log: func() io.WriteCloser { return s.requests.Tee(s.Console.Lines(f.Group)) },
	}
}

// serve serves requests until ctx ends, and reloads the source when it changes. If changes is
// nil, it does not reload.
func (s *stack) serve(ctx context.Context, listener net.Listener, changes <-chan watch.Change, started time.Time) error {
	invokers := map[string]gateway.Invoker{}
	for id, f := range s.functions {
		invokers[id] = f
	}
	front := gateway.New(s.template, invokers, func(line string) { s.Console.Say("%s", line) })
	if s.Throttle {
		front.Throttle()
	}
	server := front.Server()
	go func() { _ = server.Serve(front.Listen(listener)) }()
	if err := s.Write(state.URL, s.url+"\n"); err != nil {
		return err
	}
	s.Console.Say("ready after %.1f s", time.Since(started).Seconds())
	s.Console.Print(s.welcome())
	var background sync.WaitGroup
	if changes != nil {
		background.Go(func() { s.reload(ctx, changes) })
	}
	s.startEvents(ctx, &background)
	<-ctx.Done()
	s.Console.Say("stopping")
	grace, cancel := context.WithTimeout(context.Background(), requestGrace)
	defer cancel()
	_ = server.Shutdown(grace)
	_ = server.Close()
	background.Wait()
	return nil
}

// stop ends every process.
func (s *stack) stop() {
	var wg sync.WaitGroup
	for _, f := range s.functions {
		wg.Go(func() { f.Close(requestGrace / 4) })
	}
	wg.Wait()
	if s.servers != nil {
		s.servers.Close()
	}
	if s.hosts != nil {
		s.hosts.Close()
	}
	if s.bus != nil {
		s.bus.Close()
	}
	if s.log != nil {
		_ = s.log.Close()
	}
	if s.requests != nil {
		if err := s.requests.Close(); err != nil {
			s.Console.Say("not every request is in %s: %v", state.RequestsLog, err)
		}
	}
}
