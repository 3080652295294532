// Package eventbus stands in for Amazon EventBridge beside a local stack. It writes each event
// to a file, one on each line, and can send it to an address on this machine.
package eventbus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/test/bustest"
)

// Name is the name of the bus if the user gives none.
const Name = "opsplane"

// Options say where the events go.
type Options struct {
	// Name is the name of the bus.
	Name string
	// File is the file of the events. It is made if it is missing, and grows.
	File string
	// Target is the address that gets each event in a POST request, as JSON. It must be on
	// this machine. It may be empty.
	Target string
	// Report receives one line for each failure.
	Report func(line string)
}

// Bus is a running event bus.
type Bus struct {
	// URL is the address of the server.
	URL string

	options Options
	server  *http.Server
	file    *os.File
	waiting chan bustest.Event
	sending sync.WaitGroup
}

// maxWaiting is how many events wait for the target. Those beyond it are not sent to it.
const maxWaiting = 10_000

// CheckTarget returns an error for an address that is not on this machine.
func CheckTarget(target string) error {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("%s is no address such as http://127.0.0.1:8000/events", target)
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is not on this machine: a local stack sends events to 127.0.0.1, ::1 or localhost only", target)
	}
	return nil
}

// Start runs the bus until Close.
func Start(o Options) (*Bus, error) {
	if o.Target != "" {
		if err := CheckTarget(o.Target); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(o.File, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the file of the events: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("stand in for EventBridge: %w", err)
	}
	b := &Bus{URL: "http://" + listener.Addr().String(), options: o, file: file, waiting: make(chan bustest.Event, maxWaiting)}
	b.server = &http.Server{ReadHeaderTimeout: 30 * time.Second, Handler: &bustest.Bus{Name: o.Name, Taken: b.take, Forget: true}}
	go func() { _ = b.server.Serve(listener) }()
	b.sending.Go(b.forward)
	return b, nil
}

// Close ends the bus. Events that wait for the target are dropped.
func (b *Bus) Close() {
	_ = b.server.Shutdown(context.Background())
	close(b.waiting)
	b.sending.Wait()
	_ = b.file.Close()
}

// take keeps an event that the server has taken. The server calls it with one at a time.
func (b *Bus) take(e bustest.Event) {
	text, err := json.Marshal(e)
	if err == nil {
		_, err = b.file.Write(append(text, '\n'))
	}
	if err != nil {
		b.options.Report(fmt.Sprintf("event %s is not in %s: %v", e.DetailType, b.options.File, err))
	}
	if b.options.Target == "" {
		return
	}
	select {
	case b.waiting <- e:
	default:
		b.options.Report(fmt.Sprintf("event %s is not sent to %s: %d others wait", e.DetailType, b.options.Target, maxWaiting))
	}
}

// forward sends events to the target, one after the other.
func (b *Bus) forward() {
	client := &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for e := range b.waiting {
		if err := post(client, b.options.Target, e); err != nil {
			b.options.Report(fmt.Sprintf("event %s is not sent: %v", e.DetailType, err))
		}
	}
}

func post(client *http.Client, target string, e bustest.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	response, err := client.Post(target, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s returns %s", target, response.Status)
	}
	return nil
}
