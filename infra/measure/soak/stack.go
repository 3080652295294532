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
	// killEvery is the maximum time between two kills of processes.
	killEvery = 4 * time.Second
	// A client gives up on one in giveUpEvery requests, after at most giveUp.
	giveUpEvery = 100
	giveUp      = 60 * time.Millisecond
	// connections is the maximum number of idle connections to the stack.
	connections = 128
)

// Stack prepares a soak over HTTP. It starts a local stack on the folder state, and the soak
// kills processes of that stack. run returns an error if the stack itself failed.
func Stack(state string, c *Campaign) (run func(context.Context) error, err error) {
	// All clients are one principal, which leaves more uploads unfinished than a real one.
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

// impatient makes clients give up on some requests. The stack still processes these requests.
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
