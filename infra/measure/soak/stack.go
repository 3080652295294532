package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/trouble"
	"github.com/opsplane/opsplane/infra/test/journey"
)

const (
	// killEvery is the longest time between two kills of processes.
	killEvery = 4 * time.Second
	// giveUpEvery is of how many requests a client gives up on one, giveUp
	// after how long at most.
	giveUpEvery = 100
	giveUp      = 60 * time.Millisecond
	// connections is how many idle connections to the stack are kept.
	connections = 128
)

// Stack prepares a soak over HTTP of a local stack that it starts on the
// folder state, whose processes are killed. The answer of run is what went
// wrong with the stack itself.
func Stack(state string, c *Campaign) (run func(context.Context) error, err error) {
	// All clients are one principal, which gives up more uploads than a real one.
	s, err := journey.Launch(state, "PARAMETERS=ArtifactUploads=0 ArtifactUploadGiB=0")
	if err != nil {
		return nil, err
	}
	c.Counts = &trouble.Counts{}
	c.Name = "http"
	c.Client = &client.Remote{
		Base: s.URL + journey.Installation{VCS: "github", ID: "1"}.Base(), Token: s.Client(s.APIKey).Current,
		HTTP: apiclient.NewHTTPClient(connections), Patience: impatient(c),
	}
	return func(ctx context.Context) error {
		killing, stop := context.WithCancel(ctx)
		var killer sync.WaitGroup
		var killed error
		killer.Go(func() {
			killed = trouble.Kill(killing, s, killEvery, rand.New(rand.NewPCG(c.Seed, 0x111)), c.Counts)
		})
		c.Run(ctx)
		stop()
		killer.Wait()
		return errors.Join(killed, s.Stop())
	}, nil
}

// impatient lets clients give up on some requests, which the stack goes on
// with.
func impatient(c *Campaign) func(context.Context) (context.Context, context.CancelFunc) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(c.Seed, 0x9177))
	return func(ctx context.Context) (context.Context, context.CancelFunc) {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(giveUpEvery) > 0 {
			return ctx, func() {}
		}
		c.Counts.Add("client gave up")
		return context.WithTimeout(ctx, time.Duration(random.Int64N(int64(giveUp))))
	}
}
