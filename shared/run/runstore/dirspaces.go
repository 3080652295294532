package runstore

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Limits of lists of dirspaces. A list within the first two is a part of the run's
// item, which each transition writes. A longer one is stored in chunks of its own.
const (
	maxInlineDirspaces = 100
	maxInlineBytes     = 4096 // encoded
	chunkDirspaces     = 500
)

// encodeDirspaces returns a list as compressed JSON: [["a","default"],…].
func encodeDirspaces(list []run.Dirspace) ([]byte, error) {
	pairs := make([][2]string, len(list))
	for i, d := range list {
		pairs[i] = [2]string{d.Dir, d.Workspace}
	}
	var text bytes.Buffer
	w := gzip.NewWriter(&text)
	if err := json.NewEncoder(w).Encode(pairs); err != nil {
		return nil, fmt.Errorf("encode dirspaces: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode dirspaces: %w", err)
	}
	return text.Bytes(), nil
}

// maxChunkBytes is the largest size of a decoded list: the texts of one chunk, each
// character escaped.
const maxChunkBytes = chunkDirspaces * (run.MaxDir + run.MaxWorkspace + 8) * 6

// decodeDirspaces reads what encodeDirspaces returned.
func decodeDirspaces(text []byte) ([]run.Dirspace, error) {
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("decode dirspaces: %w", err)
	}
	var pairs [][2]string
	if err := json.NewDecoder(io.LimitReader(r, maxChunkBytes)).Decode(&pairs); err != nil {
		return nil, fmt.Errorf("decode dirspaces: %w", err)
	}
	list := make([]run.Dirspace, len(pairs))
	for i, p := range pairs {
		list[i] = run.Dirspace{Dir: p[0], Workspace: p[1]}
	}
	return list, nil
}

// place decides where the dirspaces of a new run are stored. It sets dirs or chunks
// of the record, and returns the items of the chunks.
func (r *record) place() ([]attr.Item, error) {
	if len(r.Dirspaces) == 0 {
		return nil, nil
	}
	if len(r.Dirspaces) <= maxInlineDirspaces {
		text, err := encodeDirspaces(r.Dirspaces)
		if err != nil {
			return nil, err
		}
		if len(text) <= maxInlineBytes {
			r.dirs = text
			return nil, nil
		}
	}
	var items []attr.Item
	for first := 0; first < len(r.Dirspaces); first += chunkDirspaces {
		text, err := encodeDirspaces(r.Dirspaces[first:min(first+chunkDirspaces, len(r.Dirspaces))])
		if err != nil {
			return nil, err
		}
		item := in(runPartition(r.ID), fmt.Sprintf("DIRS#%04d", len(items)))
		item["dirs"] = attr.Bytes(text)
		items = append(items, item)
	}
	r.chunks = int64(len(items))
	return items, nil
}

// parallelPuts is how many items of one run are written at the same time.
const parallelPuts = 20

// putAll writes items, in no particular order. It is safe to repeat.
func (s Store) putAll(ctx context.Context, items []attr.Item) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelPuts)
	for _, item := range items {
		g.Go(func() error { return s.table().Put(ctx, item) })
	}
	return g.Wait()
}

// Dirspaces reads the dirspaces of a run that are stored in chunks, strongly
// consistent. Use it for an Active whose Dirspaces are nil.
func (s Store) Dirspaces(ctx context.Context, id run.ID) ([]run.Dirspace, error) {
	items, err := s.table().All(ctx, table.Query{Key: []table.Condition{
		table.Equal("pk", runPartition(id)["pk"]), table.BeginsWith("sk", attr.String("DIRS#")),
	}})
	if err != nil {
		return nil, fmt.Errorf("read dirspaces: %w", err)
	}
	var list []run.Dirspace
	for _, item := range items {
		r := attr.Read(item)
		part, err := decodeDirspaces(r.Bytes("dirs"))
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", id, err)
		}
		list = append(list, part...)
	}
	return list, nil
}
