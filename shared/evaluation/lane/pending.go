package lane

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Pending is a request that nobody has decided about.
type Pending struct {
	Request
	// Since is when the request was made first. Later ones with its name have taken its
	// place since.
	Since time.Time
	// Failed is how many evaluations of the schedule have failed since the request was
	// made.
	Failed int

	rev string
	due time.Time
}

// sort is the sort key of the request's item.
func (p Pending) sort() string { return sortRequest + p.Name() }

// Requests returns the requests of the lane in the order of Since. At one time, commands
// come last, and the others in the order of their names.
// It removes those that were decided about before: they have come again. If some cannot
// be read, it returns the others, and the error.
func (h *Held) Requests(ctx context.Context) ([]Pending, error) {
	items, err := h.store.all(ctx, h.repository, sortRequest)
	if err != nil {
		return nil, err
	}
	var list []Pending
	var bad error
	for _, item := range items {
		h.seen[attr.Read(item).String(attrRev)] = true
		p, err := decodePending(item)
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		list = append(list, p)
	}
	done, err := h.done(ctx, list)
	if err != nil {
		return nil, err
	}
	var left []Pending
	for _, p := range list {
		if !done[p.Name()] {
			left = append(left, p)
		} else if err := h.drop(ctx, p); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(left, func(a, b Pending) int {
		return cmp.Or(a.Since.Compare(b.Since), a.Kind.rank()-b.Kind.rank(), cmp.Compare(a.Name(), b.Name()))
	})
	return left, bad
}

func decodePending(item attr.Item) (Pending, error) {
	r := attr.Read(item)
	p := Pending{Since: readMillis(r, attrSince), Failed: int(r.Int(attrFailed)), rev: r.String(attrRev), due: readMillis(r, attrDue)}
	err := json.Unmarshal([]byte(r.String(attrRequest)), &p.Request)
	if p.Automatic = r.Bool(attrAutomatic); p.Automatic {
		p.Sender, p.SenderID = r.String(attrSender), vcs.ID(r.String(attrSenderID))
	}
	if err := errors.Join(err, r.Err()); err != nil {
		return Pending{}, fmt.Errorf("decode request %s of %s: %w", r.String("sk"), r.String("pk"), err)
	}
	return p, nil
}

// done returns the names of those requests that were decided about, among those that
// are decided about once.
func (h *Held) done(ctx context.Context, list []Pending) (map[string]bool, error) {
	var keys []attr.Item
	for _, p := range list {
		if p.Once() {
			keys = append(keys, key(h.repository, sortDone+p.Name()))
		}
	}
	found := map[string]bool{}
	for some := range slices.Chunk(keys, table.MaxBatch) {
		items, err := h.store.table().BatchGet(ctx, table.Batch{Keys: some, Names: []string{"sk", attrInstallation}})
		if err != nil {
			return nil, fmt.Errorf("read what was decided about %s: %w", h.repository, err)
		}
		for _, item := range items {
			if mine(h.repository, item) {
				found[attr.Read(item).String("sk")[len(sortDone):]] = true
			}
		}
	}
	return found, nil
}

// drop removes a request that was decided about before. If it was made again
// meanwhile, it stays, and the next call of Requests removes it.
func (h *Held) drop(ctx context.Context, p Pending) error {
	err := h.store.table().Transact(ctx, h.removal(p)...)
	if _, other := table.ConditionFailedAt(err, 0); err != nil && !other {
		return fmt.Errorf("remove request %s of %s: %w", p.Name(), h.repository, err)
	}
	return nil
}

// removal returns the writes that remove a request, if it was not made again.
func (h *Held) removal(p Pending) []table.Write {
	return []table.Write{
		h.store.table().WriteDelete(key(h.repository, p.sort()), table.Equal(attrRev, attr.String(p.rev))),
		h.store.reminders().Delete(reminder(h.repository, p.sort(), p.due)),
	}
}
