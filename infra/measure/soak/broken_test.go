package soak_test

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/measure/soak"
	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/kv"
)

// A checker that never finds anything would pass every store. Each of these clients breaks one
// promise around the real store, as a bug would do.
var broken = map[string]func(client.Client) client.Client{
	"lost update":                       lostUpdate,
	"half commit":                       halfCommit,
	"stale read":                        staleRead,
	"resurrected chunk":                 resurrectedChunk,
	"double apply":                      doubleApply,
	"artifact completed twice":          completedTwice,
	"artifact visible before its bytes": visibleEarly,
}

// brokenStorage holds the clients that also change storage directly, without the store.
var brokenStorage = map[string]func(client.Client, *storagetest.Env) client.Client{
	"delete that found nothing replaces the generation": lookThenReplace,
}

// between is how long a broken store stays in a state that nobody should see.
const between = 10 * time.Millisecond

// lostUpdate compares first and sets later.
func lostUpdate(honest client.Client) client.Client {
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		if c.Action != history.CAS || c.Version == nil {
			return honest.Do(ctx, c)
		}
		now := honest.Do(ctx, history.Call{Action: history.Get, Row: c.Row, Drafts: true})
		if now.Outcome != history.Done || now.Rows[0].Version != *c.Version {
			return history.Answer{Outcome: history.Refused}
		}
		time.Sleep(between)
		c.Action = history.Set
		return honest.Do(ctx, c)
	})
}

// halfCommit commits one target after the other.
func halfCommit(honest client.Client) client.Client {
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		if c.Action != history.Commit {
			return honest.Do(ctx, c)
		}
		all := history.Answer{Outcome: history.Done}
		for _, target := range c.Targets {
			one := c
			one.Targets = []history.Target{target}
			a := honest.Do(ctx, one)
			if a.Outcome != history.Done {
				return a
			}
			all.Rows = append(all.Rows, a.Rows...)
			time.Sleep(4 * between) // several reads of one client must run in this time
		}
		return all
	})
}

// staleRead sometimes returns an earlier answer again.
func staleRead(honest client.Client) client.Client {
	type read struct {
		row    history.Row
		drafts bool
	}
	var cache sync.Map
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		if c.Action != history.Get {
			return honest.Do(ctx, c)
		}
		if old, ok := cache.LoadAndDelete(read{c.Row, c.Drafts}); ok {
			return old.(history.Answer)
		}
		a := honest.Do(ctx, c)
		cache.Store(read{c.Row, c.Drafts}, a)
		return a
	})
}

// resurrectedChunk lets a row of a deleted key come back.
func resurrectedChunk(honest client.Client) client.Client {
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		if c.Action != history.DeleteKey || c.Version != nil {
			return honest.Do(ctx, c)
		}
		was := honest.Do(ctx, history.Call{Action: history.Iterate, Row: history.Row{Key: c.Key}, Drafts: true, Limit: 100})
		a := honest.Do(ctx, c)
		for _, r := range was.Rows {
			if !history.IsFile(r.Value) {
				honest.Do(ctx, history.Call{Action: history.Set, Row: r.Row, Value: r.Value, Committed: r.Committed})
			}
		}
		return a
	})
}

// lookThenReplace replaces the generation of a key even if it found no row. A row that is
// written between the two steps is lost.
func lookThenReplace(honest client.Client, env *storagetest.Env) client.Client {
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		if c.Action != history.DeleteKey || c.Version != nil {
			return honest.Do(ctx, c)
		}
		was := honest.Do(ctx, history.Call{Action: history.Iterate, Row: history.Row{Key: c.Key}, Drafts: true, Limit: 100})
		if was.Outcome != history.Done || len(was.Rows) > 0 {
			return honest.Do(ctx, c)
		}
		time.Sleep(between)
		replace(ctx, env, c.Key)
		return history.Answer{Outcome: history.Done}
	})
}

// replace gives the head of a key another generation and ignores its rows.
func replace(ctx context.Context, env *storagetest.Env, key string) {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	_, _ = env.DynamoDB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(env.Table("KvTable")),
		Key: map[string]types.AttributeValue{
			"pk": text("github:1"), "sk": &types.AttributeValueMemberB{Value: append([]byte{'k'}, key...)},
		},
		UpdateExpression: aws.String("SET gn = :gn REMOVE mr, ov"), ConditionExpression: aws.String("attribute_exists(gn)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":gn": text(kv.NewObjectID()[:24])},
	})
}

// otherRequest makes some changes with the id of another request.
func otherRequest(honest client.Client) client.Client {
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		a := honest.Do(ctx, c)
		if c.Action == history.Set {
			a.Request = kv.NewObjectID()
		}
		return a
	})
}

// doubleApply repeats a write as if its response was lost.
func doubleApply(honest client.Client) client.Client {
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		if c.Action == history.Set && c.Value%4 == 0 {
			honest.Do(ctx, c)
		}
		return honest.Do(ctx, c)
	})
}

// publish uploads a file and completes the upload. The caller does not see it.
func publish(ctx context.Context, honest client.Client, c history.Call) history.Answer {
	c.Action, c.Version, c.Absent = history.Create, nil, false
	a := honest.Do(ctx, c)
	c.Upload = a.Upload
	for _, step := range []history.Action{history.Put, history.Complete} {
		if a.Outcome != history.Done {
			return a
		}
		c.Action = step
		a = honest.Do(ctx, c)
	}
	return a
}

// completedTwice makes the row again when an upload is completed a second time.
func completedTwice(honest client.Client) client.Client {
	var done sync.Map
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		if c.Action != history.Complete {
			return honest.Do(ctx, c)
		}
		if _, again := done.Load(c.Upload.ID); again {
			return publish(ctx, honest, c)
		}
		a := honest.Do(ctx, c)
		if a.Outcome == history.Done {
			done.Store(c.Upload.ID, true)
		}
		return a
	})
}

// visibleEarly makes the row when the upload is created.
func visibleEarly(honest client.Client) client.Client {
	return client.Func(func(ctx context.Context, c history.Call) history.Answer {
		a := honest.Do(ctx, c)
		if c.Action == history.Create && a.Outcome == history.Done {
			publish(ctx, honest, c)
		}
		return a
	})
}

// rounds is the maximum number of rounds until a broken store must be found. Most are found
// after a few rounds.
const rounds = 400

// campaign returns a soak on storage that does not fail.
func campaign(t *testing.T, name string) (*soak.Campaign, *storagetest.Env) {
	c := &soak.Campaign{Seed: 1, Lanes: 4, Artifacts: true, Limit: 2 * time.Second, Folder: t.TempDir(), Rounds: rounds}
	env := soak.Honest(t, c)
	c.Name = name
	return c, env
}

func TestEveryBrokenStoreIsFoundOut(t *testing.T) {
	t.Parallel()
	stores := maps.Clone(brokenStorage)
	for name, wrap := range broken {
		stores[name] = func(honest client.Client, _ *storagetest.Env) client.Client { return wrap(honest) }
	}
	for name, wrap := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, env := campaign(t, name)
			c.Client = wrap(c.Client, env)
			c.Trail = nil // the answers alone must show it
			c.Run(t.Context())
			if c.Violations() == 0 {
				t.Errorf("nothing was found in %s", c.Progress())
			}
		})
	}
	t.Run("change that is recorded as another's", func(t *testing.T) {
		t.Parallel()
		c, _ := campaign(t, "recorded")
		c.Client = otherRequest(c.Client)
		c.Run(t.Context())
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "audit trail") {
			t.Errorf("got %v in %s", err, c.Progress())
		}
	})
}

func TestHonestStorePasses(t *testing.T) {
	t.Parallel()
	c, _ := campaign(t, "honest")
	c.Rounds = 40
	c.Run(t.Context())
	if err := c.Err(); err != nil {
		t.Error(err)
	}
	t.Log(c.Progress())
}

func TestViolationIsKeptWithItsDrawing(t *testing.T) {
	t.Parallel()
	c, _ := campaign(t, "drawn")
	c.Client = doubleApply(c.Client)
	c.Run(t.Context())
	if c.Err() == nil {
		t.Fatal("no error after a violation")
	}
	for _, kind := range []string{"json", "html"} {
		if files := kept(t, c.Folder, kind); files == 0 {
			t.Errorf("no %s file was kept", kind)
		}
	}
}

func kept(t *testing.T, folder, kind string) int {
	t.Helper()
	names, err := filepath.Glob(folder + "/*." + kind)
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
