package demohost

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// deliveries sends the webhooks of the hosts to the server, one after the other, in the order
// of what happened.
type deliveries struct {
	config Config
	// sent is called after each delivery.
	sent func()

	mu      sync.Mutex
	waiting []delivery
	more    chan struct{} // has a value if there may be something to send
}

// delivery is a request that a host sends.
type delivery struct {
	path   string
	header http.Header
	body   []byte
}

func newDeliveries(c Config, sent func()) *deliveries {
	return &deliveries{config: c, sent: sent, more: make(chan struct{}, 1)}
}

// github and gitlab take the webhooks of the hosts. They do not wait.
func (d *deliveries) github(w vcstest.Webhook) {
	d.add(delivery{vcstest.GitHubEvents, vcstest.GitHubDelivery(w.Event, uuid.NewString(), d.config.GitHubSecret, w.Body), w.Body})
}

func (d *deliveries) gitlab(w vcstest.Webhook) {
	d.add(delivery{vcstest.GitLabEvents, vcstest.GitLabDelivery(w.Event, uuid.NewString(), d.config.GitLabToken), w.Body})
}

func (d *deliveries) add(one delivery) {
	d.mu.Lock()
	d.waiting = append(d.waiting, one)
	d.mu.Unlock()
	select {
	case d.more <- struct{}{}:
	default:
	}
}

// run sends deliveries until ctx ends.
func (d *deliveries) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.more:
		}
		d.mu.Lock()
		all := d.waiting
		d.waiting = nil
		d.mu.Unlock()
		for _, one := range all {
			if err := d.post(ctx, one); err != nil && ctx.Err() == nil {
				d.config.report(fmt.Errorf("a delivery to %s was lost: %w", one.path, err))
			}
			d.sent()
		}
	}
}

// maxPost is the time that a delivery may take.
const maxPost = 30 * time.Second

// post sends a delivery once, as the hosts do.
func (d *deliveries) post(ctx context.Context, one delivery) error {
	ctx, cancel := context.WithTimeout(ctx, maxPost)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.config.Server+one.path, bytes.NewReader(one.body))
	if err != nil {
		return err
	}
	r.Header = one.header
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server responds %s", resp.Status)
	}
	return nil
}

// number returns an id as the hosts' events have it.
func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}
