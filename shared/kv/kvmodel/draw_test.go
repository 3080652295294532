package kvmodel_test

import (
	"strings"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// Operations use few keys and rows, so that they touch the same ones. All keys but
// one are a prefix, a neighbour or a part of another key.
var (
	someKeys = rapid.SampledFrom([]string{"a", "a", "a", "", "a/", "a/b", "ab", "b", "\x00", "é", "\U0010ffff", strings.Repeat("k", kv.MaxKeyBytes)})
	someIdx  = rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3, -1, -2, kv.MinIdx, kv.MaxIdx})
	someCaps = rapid.SampledFrom([]*access.Set{
		nil, nil, nil, nil, {}, {access.KVStoreSystemRead}, {access.KVStoreSystemWrite}, {access.KVStoreSystemRead, access.KVStoreSystemWrite},
	})
	someValues = rapid.SampledFrom([]string{`null`, `1`, `{"a":[1,2],"b":"x"}`, `"é"`, `"` + strings.Repeat("x", kv.InlineMax) + `"`, `"` + strings.Repeat("y", kv.InlineMax-2) + `"`})
	callers    = rapid.SampledFrom([]access.Set{
		{access.KVStoreSystemRead, access.KVStoreSystemWrite},
		{access.KVStoreSystemRead, access.KVStoreSystemWrite},
		{access.KVStoreSystemRead},
		{access.KVStoreSystemWrite},
		nil,
	})
	someVersions = rapid.SampledFrom([]int{0, 0, 1, 2, 3})
)

func optional[T any](g *rapid.Generator[T]) *rapid.Generator[*T] {
	return rapid.Custom(func(t *rapid.T) *T {
		if rapid.Bool().Draw(t, "none") {
			return nil
		}
		v := g.Draw(t, "some")
		return &v
	})
}

func drawWrite(t *rapid.T) kv.Write {
	value, err := canonical.Parse([]byte(someValues.Draw(t, "value")))
	if err != nil {
		t.Fatal(err)
	}
	return kv.Write{
		Key: someKeys.Draw(t, "key"), Idx: someIdx.Draw(t, "idx"), Value: value, Committed: rapid.Bool().Draw(t, "committed"),
		ReadCaps: someCaps.Draw(t, "read caps"), WriteCaps: someCaps.Draw(t, "write caps"),
	}
}
