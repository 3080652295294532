package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	// trailEvery is the time between two writes whose audit records are awaited.
	trailEvery = time.Second
	// trailLook is the time between two reads of the trail, and so the precision of a measured
	// delay.
	trailLook = 50 * time.Millisecond
	// trailPatience is the maximum time to wait for a record.
	trailPatience = 2 * time.Minute
)

// follow writes a key from time to time, beside all other connections. It records, as "audit
// trail", how long after the response the audit record can be read.
func (w *worker) follow(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		if err := w.trail(context.WithoutCancel(ctx), fmt.Sprintf("%s/trail/%d", w.prefix, n), trailPatience); err != nil {
			w.client.ledger.fail("audit trail", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(trailEvery):
		}
	}
}

// trail writes a key and waits for its audit record.
func (w *worker) trail(ctx context.Context, key string, patience time.Duration) error {
	a, err := w.client.do(ctx, "set", http.MethodPut, target("key", key), []byte(`{"data":"x"}`))
	if err := errors.Join(err, a.Want(http.StatusOK)); err != nil {
		return err
	}
	written := time.Now()
	path := "/api/v1/audit?" + url.Values{"vcs": {"github"}, "installation_id": {"1"}, "key": {key}}.Encode()
	for {
		var page struct {
			Results []struct{ Action, Subject string }
		}
		a, err := w.client.do(ctx, "audit", http.MethodGet, path, nil)
		if err := errors.Join(err, a.Want(http.StatusOK), a.Decode(&page)); err != nil {
			return err
		}
		switch lag := time.Since(written); {
		case len(page.Results) > 1:
			return fmt.Errorf("one write of %s has %d records", key, len(page.Results))
		case len(page.Results) == 1 && (page.Results[0].Action != "key.write" || page.Results[0].Subject != key):
			return fmt.Errorf("the record of a write of %s is %+v", key, page.Results[0])
		case len(page.Results) == 1:
			w.client.ledger.done("audit trail", lag)
			return nil
		case lag > patience:
			return fmt.Errorf("a write of %s has no record after %s", key, patience)
		}
		time.Sleep(trailLook)
	}
}
