package apiclient

import (
	"context"
	"time"
)

// Clock returns the time and waits.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// Wait returns after d. If the context ends first, it returns the context's
	// error.
	Wait(ctx context.Context, d time.Duration) error
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
