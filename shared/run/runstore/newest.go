package runstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// PullRequest names a pull request.
type PullRequest struct {
	Repository vcs.Repository
	Number     int64
}

// newestPrefix is the beginning of the sort keys of the items that name the newest run
// of a pull request. Each creation replaces the item, so that a list of pull requests
// needs one batch, and no query for each of them.
const newestPrefix = "NEWEST#"

func newestKey(of PullRequest) attr.Item {
	return in(lane(of.Repository), newestPrefix+strconv.FormatInt(of.Number, 10))
}

// writeNewest returns the write that makes a run the newest of its pull request. It
// belongs in the transaction that takes the run's Seq: these happen one after the
// other.
func (s Store) writeNewest(r *record) []table.Write {
	if r.Kind.Name != run.PullRequest {
		return nil
	}
	item := newestKey(PullRequest{r.Repository, r.Kind.Number})
	item[attrID], item["created"] = attr.String(string(r.ID)), attr.Int(r.CreatedAt.UnixNano())
	item["installation"], item[attrTTL] = attr.String(string(r.Repository.Installation.ID)), attr.Time(r.ttl)
	return []table.Write{s.table().WritePut(item)}
}

// NewestRuns returns when the newest run of each pull request was created. It leaves
// out pull requests without runs in their installation. It is eventually consistent:
// a run may be missing for a moment. There must be at most table.MaxBatch pull
// requests, all different.
func (s Store) NewestRuns(ctx context.Context, list []PullRequest) (map[PullRequest]time.Time, error) {
	found := map[PullRequest]time.Time{}
	if len(list) == 0 {
		return found, nil
	}
	batch := table.Batch{Names: []string{"pk", "sk", "created", "installation"}, Eventual: true}
	named := map[string]PullRequest{}
	for _, of := range list {
		key := newestKey(of)
		batch.Keys = append(batch.Keys, key)
		named[nameOf(key)] = of
	}
	items, err := s.table().BatchGet(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("read newest runs: %w", err)
	}
	for _, item := range items {
		r := attr.Read(item)
		of := named[nameOf(item)]
		if vcs.ID(r.String("installation")) == of.Repository.Installation.ID {
			found[of] = time.Unix(0, r.Int("created")).UTC()
		}
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("decode newest run: %w", err)
		}
	}
	return found, nil
}

// nameOf returns the key of an item as one text.
func nameOf(key attr.Item) string {
	r := attr.Read(key)
	return r.String("pk") + "\x00" + r.String("sk")
}
