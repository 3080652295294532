package main

import (
	"runtime"
	"testing"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/shared/api/access"
)

// BenchmarkDecisions measures decisions about an access token for a path of an
// installation, from the gateway's event to the policy, on one core and on all
// cores.
func BenchmarkDecisions(b *testing.B) {
	h := newRig(b)
	text, _ := h.key(b, access.VCS("github"), access.KVStoreRead, access.KVStoreWrite)
	decide, err := bench.NewHandler(h.handle, `"Effect":"Allow"`,
		"../../events/authorizer/access-token-of-installation.json", "{{access_token}}", h.token(b, text))
	if err != nil {
		b.Fatal(err)
	}
	all := runtime.GOMAXPROCS(0)
	for name, cores := range map[string]int{"one-core": 1, "all-cores": all} {
		b.Run(name, func(b *testing.B) {
			runtime.GOMAXPROCS(cores)
			defer runtime.GOMAXPROCS(all)
			const decisions = 1000
			bench.Compare(b, bench.Comparison{
				Subject: bench.Side{Name: "in-process", Do: bench.Together(cores, decisions, func(int) error { return decide.Invoke() })},
				Samples: 20, Work: decisions, Unit: "decision",
			})
		})
	}
}
