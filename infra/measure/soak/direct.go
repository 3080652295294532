package soak

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/trail"
	"github.com/opsplane/opsplane/infra/measure/soak/trouble"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

// FaultEvery means that one in so many requests to storage fails.
const FaultEvery = 60

// lateness is the maximum delay of a late request.
const lateness = 40 * time.Millisecond

// Direct prepares a soak of package kv in this process, on local servers whose network fails,
// while garbage is collected. The failures and the collection last as long as run. At its end,
// run checks what is left in storage.
func Direct(t testing.TB, c *Campaign) (run func(context.Context)) {
	t.Helper()
	env := storagetest.New(t)
	c.Counts = &trouble.Counts{}
	c.Collected = &trouble.Counts{}
	c.Trail = recorded(t, env)
	faults := trouble.Random(c.Seed, FaultEvery, c.Counts)
	failing := env.WithFaults(faults)
	c.Name, c.Client = "direct", direct(env, failing)
	return func(ctx context.Context) {
		stop := make(chan struct{})
		var beside sync.WaitGroup
		beside.Go(func() { trouble.Deliver(faults, lateness, stop) })
		beside.Go(func() { collecting{env, direct(env, failing)}.run(failing, c.Collected, stop) })
		c.Run(ctx)
		close(stop)
		beside.Wait()
		c.left = collecting{env, direct(env, env)}.finish()
	}
}

// Honest prepares a soak of package kv on local servers that do not fail. It returns the
// storage.
func Honest(t testing.TB, c *Campaign) *storagetest.Env {
	t.Helper()
	env := storagetest.New(t)
	c.Counts = &trouble.Counts{}
	c.Trail = recorded(t, env)
	c.Name, c.Client = "honest", direct(env, env)
	return env
}

// recorded returns a reader of the audit trail of env's tables. It must be called before
// anything else uses env, because other calls make the table without a stream.
func recorded(t testing.TB, env *storagetest.Env) *trail.Reader {
	t.Helper()
	r, err := trail.NewReader(context.Background(), env, env.StreamedTable("KvTable"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// direct returns a client of env's tables that uses the network of by.
func direct(env, by *storagetest.Env) *client.Direct {
	table, bucket := env.Table("KvTable"), env.Bucket("KvBucket")
	records := kv.New(by.DynamoDB, by.S3, table, bucket)
	return &client.Direct{
		Store: records, Artifacts: artifact.NewStore(by.DynamoDB, by.S3, records, table, bucket, artifact.Limits{}),
		Namespace: vcs.Installation{VCS: vcs.GitHub, ID: "1"},
		HTTP:      apiclient.NewHTTPClient(connections),
	}
}
