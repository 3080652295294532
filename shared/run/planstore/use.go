package planstore

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Use says which run made the plan that an apply uses for a dirspace.
type Use struct {
	Dirspace run.Dirspace
	// Plan is the run that made the plan.
	Plan run.ID
	// Digest is the SHA-256 of the plan as it was when the apply was created. The
	// apply uses no other bytes.
	Digest string
}

// perChunk is the number of uses in one item. Compressed, an item of the longest
// dirspaces stays below the 400 KB that DynamoDB allows.
const perChunk = 500

func chunkKey(id run.ID, n int) attr.Item {
	k := runstore.Key(id)
	k["sk"] = attr.String(fmt.Sprintf("USES#%04d", n))
	return k
}

// Choose records which plans an apply uses. It is called while the apply is being
// created: nobody can see the apply before. It is safe to repeat with the same uses.
// keep is how long the apply is kept.
func (s Store) Choose(ctx context.Context, apply run.ID, uses []Use, keep time.Time) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	n := 0
	for chunk := range slices.Chunk(uses, perChunk) {
		text, err := encode(chunk)
		if err != nil {
			return err
		}
		item := chunkKey(apply, n)
		item["uses"], item[attrTTL] = attr.Bytes(text), attr.Time(keep)
		n++
		g.Go(func() error { return s.table().Put(ctx, item) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("write which plans an apply uses: %w", err)
	}
	return nil
}

// encode writes uses as compressed JSON.
func encode(uses []Use) ([]byte, error) {
	var text bytes.Buffer
	z := gzip.NewWriter(&text)
	if err := json.NewEncoder(z).Encode(uses); err != nil {
		return nil, fmt.Errorf("encode which plans an apply uses: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("encode which plans an apply uses: %w", err)
	}
	return text.Bytes(), nil
}

// Uses returns which plans an apply uses.
func (s Store) Uses(ctx context.Context, apply run.ID) ([]Use, error) {
	items, err := s.table().All(ctx, table.Query{Key: []table.Condition{
		table.Equal("pk", runstore.Key(apply)["pk"]), table.BeginsWith("sk", attr.String("USES#")),
	}})
	if err != nil {
		return nil, fmt.Errorf("read which plans an apply uses: %w", err)
	}
	var all []Use
	for _, item := range items {
		r := attr.Read(item)
		z, err := gzip.NewReader(bytes.NewReader(r.Bytes("uses")))
		if err != nil || r.Err() != nil {
			return nil, fmt.Errorf("decode which plans an apply uses: %w, %w", err, r.Err())
		}
		var chunk []Use
		if err := json.NewDecoder(z).Decode(&chunk); err != nil {
			return nil, fmt.Errorf("decode which plans an apply uses: %w", err)
		}
		all = append(all, chunk...)
	}
	return all, nil
}

// Read returns the plan that an apply uses for a dirspace. The caller has checked
// that the apply is running. It returns fault.ErrNotFound if the apply uses no plan
// for the dirspace, or if the plan is not there any more, or is another than the one
// that was chosen.
func (s Store) Read(ctx context.Context, apply run.ID, d run.Dirspace, now time.Time) ([]byte, error) {
	uses, err := s.Uses(ctx, apply)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(uses, func(u Use) bool { return u.Dirspace == d })
	if i < 0 {
		return nil, fault.ErrNotFound
	}
	p, err := s.get(ctx, uses[i].Plan, d, now)
	if err != nil {
		return nil, err
	}
	if p.Digest != uses[i].Digest {
		return nil, fault.ErrNotFound
	}
	out, err := s.Objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: aws.String(object(uses[i].Plan, d, p.Digest))})
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	defer func() { _ = out.Body.Close() }()
	plan, err := io.ReadAll(io.LimitReader(out.Body, p.Size+1))
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if digestOf(plan) != p.Digest {
		return nil, fmt.Errorf("the plan of %s by run %s is not as it was stored", d, uses[i].Plan)
	}
	return plan, nil
}
