package soak_test

import (
	"context"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/measure/soak"
)

// The seeds are fixed, so that a failure can be repeated.
func TestShortSoakOfTheStore(t *testing.T) {
	t.Parallel()
	c := &soak.Campaign{Seed: 7, Lanes: 6, Operations: 1500, Artifacts: true, Limit: time.Minute, Folder: t.TempDir()}
	run := soak.Direct(t, c)
	run(t.Context())
	if err := c.Err(); err != nil {
		t.Error(err)
	}
	t.Log(c.Summary())
}

func TestShortSoakOfTheStack(t *testing.T) {
	t.Parallel()
	c := &soak.Campaign{Seed: 7, Lanes: 6, Operations: 600, Artifacts: true, Limit: time.Minute, Folder: t.TempDir()}
	run, err := soak.Stack(t.TempDir(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(context.Background()); err != nil {
		t.Error(err)
	}
	if err := c.Err(); err != nil {
		t.Error(err)
	}
	t.Log(c.Summary())
}
