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

// Chosen is the plan that an apply uses for a dirspace.
type Chosen struct {
	Plan
	object string
}

// Chosen returns the plan that an apply uses for a dirspace. The caller has checked
// that the apply is running. It returns fault.ErrNotFound if the apply uses no plan
// for the dirspace, or if the plan is not there any more, or is another than the one
// that was chosen.
func (s Store) Chosen(ctx context.Context, apply run.ID, d run.Dirspace, now time.Time) (Chosen, error) {
	uses, err := s.Uses(ctx, apply)
	if err != nil {
		return Chosen{}, err
	}
	i := slices.IndexFunc(uses, func(u Use) bool { return u.Dirspace == d })
	if i < 0 {
		return Chosen{}, fault.ErrNotFound
	}
	p, err := s.get(ctx, uses[i].Plan, d, now)
	if err != nil {
		return Chosen{}, err
	}
	if p.Digest != uses[i].Digest {
		return Chosen{}, fault.ErrNotFound
	}
	return Chosen{p, object(uses[i].Plan, d, p.Digest)}, nil
}

// Read returns the bytes of a plan that was chosen. It is not for one that was
// uploaded.
func (s Store) Read(ctx context.Context, c Chosen) ([]byte, error) {
	out, err := s.Objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &c.object})
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	defer func() { _ = out.Body.Close() }()
	plan, err := io.ReadAll(io.LimitReader(out.Body, c.Size+1))
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if digestOf(plan) != c.Digest {
		return nil, fmt.Errorf("the plan %s is not as it was stored", c.object)
	}
	return plan, nil
}

// Open returns the request with which a runner reads the bytes of a plan that was
// chosen.
func (s Store) Open(ctx context.Context, c Chosen) (Transfer, error) {
	signed, err := s3.NewPresignClient(s.Objects).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.Bucket, Key: &c.object, ResponseCacheControl: aws.String("no-store"),
	}, s3.WithPresignExpires(URLLifetime))
	if err != nil {
		return Transfer{}, fmt.Errorf("sign download: %w", err)
	}
	return Transfer{URL: signed.URL}, nil
}
