package bench_test

import (
	"net/http"
	"testing"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/journey"
)

// BenchmarkTokensOverHTTP measures refreshes with one key through gateway, authorizer and
// function. Each of these is a process of its own.
func BenchmarkTokensOverHTTP(b *testing.B) {
	r := theStack(b)
	const tokens = 200
	refresh := func(int) error {
		return ok(r.Try(journey.Request{
			Method: http.MethodPost, Target: "/api/v1/access-token/refresh", Authorization: journey.Bearer(r.APIKey),
		}))
	}
	bench.Compare(b, bench.Comparison{
		Subject: bench.Side{Name: "http", Do: bench.Together(16, tokens, refresh)},
		Samples: 20, Work: tokens, Unit: "token",
	})
}
