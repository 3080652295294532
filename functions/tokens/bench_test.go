package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// benchmarked is the function with a log that is written and discarded, a
// remembered signing key, and one API key of one user.
type benchmarked struct {
	*httpapi.Lambda
	db     *dynamodb.Client
	inputs bench.Inputs
	clock  atomic.Int64 // Unix seconds
	key    apikey.Key
}

func newBenchmarked(b *testing.B) *benchmarked {
	b.Helper()
	env := storagetest.New(b)
	f := &benchmarked{db: env.DynamoDB}
	f.clock.Store(start.Unix())
	table := env.Table("TokensTable")
	keys := signing.Store{DB: f.db, KeysTable: env.Table("SigningKeysTable"), TokensTable: table}
	author := change.Author{Principal: "operator:bench", Request: uuid.NewString(), At: start.Add(-time.Hour)}
	if _, err := keys.Rotate(ctx, signing.Planned, author); err != nil {
		b.Fatal(err)
	}
	remembered, err := keys.Keys(ctx)
	if err != nil {
		b.Fatal(err)
	}
	author.Request = uuid.NewString()
	n := apikey.New{User: uuid.NewString(), Name: "bench", Capabilities: access.Strings()}
	if _, f.key, err = (&apikey.Store{DB: f.db, Table: table}).Create(ctx, n, author); err != nil {
		b.Fatal(err)
	}
	watched, log := dynamodb.New(f.db.Options(), f.inputs.Watch), slog.New(slog.NewJSONHandler(io.Discard, nil))
	f.Lambda = httpapi.NewLambda(routes(&tokens{
		keys:   &apikey.Store{DB: watched, Table: table},
		users:  &user.Store{DB: watched, Table: env.Table("OperationsTable")},
		signer: &signer{read: func(context.Context) ([]signing.Key, error) { return remembered, nil }},
		domain: accesstoken.Domain{Issuer: "opsplane/bench", Audience: "opsplane-api"},
		log:    log,
	}), log, func() time.Time { return time.Unix(f.clock.Load(), 0) })
	return f
}

// refresh returns the function with a request by the holder of the key. The key was
// last used at the time used; 0 means never.
func (f *benchmarked) refresh(b *testing.B, used int64) *bench.Handler {
	b.Helper()
	h, err := bench.NewHandler(f.Lambda, bench.OK, "../../events/tokens/refresh.json",
		"{{user}}", f.key.User, `{{key}}\",`, f.key.ID+`\",\"last_used\":`+strconv.FormatInt(used, 10)+`,`)
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// BenchmarkRefresh measures a refresh that records the use of its key, because the
// last record is old.
func BenchmarkRefresh(b *testing.B) {
	f := newBenchmarked(b)
	later := func() error { f.clock.Add(int64(apikey.UseInterval / time.Second)); return nil }
	refresh := f.refresh(b, 0)
	if err := refresh.Invoke(); err != nil {
		b.Fatal(err)
	}
	in, err := bench.Last[*dynamodb.UpdateItemInput](&f.inputs, "UpdateItem")
	if err != nil {
		b.Fatal(err)
	}
	used := time.Unix(f.clock.Load(), 0) // in the input
	bench.Compare(b, bench.Comparison{
		Subject: bench.Side{Name: "handler", Before: later, Do: refresh.Invoke},
		Reference: bench.Side{
			Name: "raw",
			Before: func() error {
				if err := later(); err != nil {
					return err
				}
				now := time.Unix(f.clock.Load(), 0)
				// The input holds the time of the use, and the last time at which the
				// use before it may have been.
				values := in.ExpressionAttributeValues
				err := errors.Join(
					bench.Replace(values, attr.Time(used), attr.Time(now)),
					bench.Replace(values, attr.Time(used.Add(-apikey.UseInterval)), attr.Time(now.Add(-apikey.UseInterval))),
				)
				used = now
				return err
			},
			Do: func() error {
				_, err := f.db.UpdateItem(b.Context(), in)
				return err
			},
		},
		Goal: 1.15, Samples: 50, Calls: 20,
	})
}

// BenchmarkTokens measures refreshes with a key whose use is recorded already.
func BenchmarkTokens(b *testing.B) {
	f := newBenchmarked(b)
	refresh := f.refresh(b, start.Unix())
	const tokens = 1000
	bench.Compare(b, bench.Comparison{
		Subject: bench.Side{Name: "in-process", Do: bench.Together(16, tokens, func(int) error { return refresh.Invoke() })},
		Samples: 20, Work: tokens, Unit: "token",
	})
}
