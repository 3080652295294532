package lane

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Decision is what came of a request: effects that are to be made.
type Decision struct {
	// ID orders the decisions of a repository: later ones have larger IDs.
	ID      string
	Request Request
	// At is when the decision was made.
	At      time.Time
	Effects []Effect
	// Next is the number of effects that are made, or given up.
	Next int
	// Attempted says that somebody has begun to make the next effect, and that nobody
	// has recorded what came of it. Tries is how often that was.
	Attempted bool
	Tries     int
	// Parked is the time before which the next effect is not made. It is zero if there is
	// none.
	Parked time.Time
	// Failed is how many evaluations of the schedule have failed since the last progress.
	Failed int

	due time.Time
}

// Effect is something that follows from a decision. Who evaluates knows what.
type Effect struct {
	Kind string `json:"kind"`
	// Content says that the host limits how often such things are made.
	Content bool `json:"content,omitempty"`
	// Body has what Kind needs.
	Body json.RawMessage `json:"body,omitempty"`
}

// Finished reports whether no effect is left.
func (d Decision) Finished() bool { return d.Next >= len(d.Effects) }

// Prefix is the beginning of the names of all objects of evaluations. The objects of a
// repository lie below Folder.
const Prefix = "evaluations/"

// Folder is the beginning of the names of the objects of a repository's evaluations.
func Folder(r vcs.Repository) string { return folderOf(r.Installation) + string(r.ID) + "/" }

func folderOf(of vcs.Installation) string { return Prefix + of.String() + "/" }

// maxInline is the largest body of a decision inside its item, compressed, in bytes. A
// larger one is an object.
const maxInline = 64 << 10

// Attributes of a decision's item, besides those of other items.
const (
	attrObject    = "object" // the name of the object with the body
	attrMark      = "mark"   // a random text, by which its maker recognises it
	attrNext      = "next"
	attrAttempted = "attempted"
	attrTries     = "tries"
	attrParked    = "parked"
	attrDecided   = "decision" // of what was decided about: the number of the decision
)

func decisionID(seq int64) string { return fmt.Sprintf("%016d", seq) }

// stored is the body of a decision as its item has it.
type stored struct {
	mark   string
	inline []byte
	object string
}

// bodyOf is what does not change of a decision.
type bodyOf struct {
	Request Request   `json:"request"`
	At      time.Time `json:"at"`
	Effects []Effect  `json:"effects"`
}

// store returns the body of a decision for its item. It writes a large one as an
// object, which counts for nothing until the item names it.
func (s Store) store(ctx context.Context, r vcs.Repository, d Decision) (stored, error) {
	packed, err := pack(bodyOf{d.Request, d.At, d.Effects})
	if err != nil {
		return stored{}, fmt.Errorf("decision about %s of %s: %w", d.Request.Name(), r, err)
	}
	body := stored{mark: rand.Text(), inline: packed}
	if len(packed) > maxInline {
		body.inline, body.object = nil, Folder(r)+"decisions/"+body.mark
		if err := s.Objects.Put(ctx, body.object, packed); err != nil {
			return stored{}, fmt.Errorf("write decision about %s of %s: %w", d.Request.Name(), r, err)
		}
	}
	return body, nil
}

func (h *Held) decisionItem(d Decision, body stored) attr.Item {
	item := h.item(sortDecision + d.ID)
	item[attrMark], item[attrHolder] = attr.String(body.mark), attr.String(h.holder)
	item[attrDue], item[attrTTL] = millis(d.due), attr.Time(d.At.Add(Keep))
	if body.object != "" {
		item[attrObject] = attr.String(body.object)
	} else {
		item[attrBody] = attr.Bytes(body.inline)
	}
	return item
}

// Decisions returns the unfinished decisions of the lane, in the order in which they
// were made. From then on, no earlier holder of the lane makes progress with them. If
// some cannot be read, it returns the others, and the error.
func (h *Held) Decisions(ctx context.Context) ([]Decision, error) {
	items, err := h.store.all(ctx, h.repository, sortDecision)
	if err != nil {
		return nil, err
	}
	var list []Decision
	var bad error
	for _, item := range items {
		if attr.Read(item).String(attrHolder) != h.holder {
			taken, err := h.take(ctx, item)
			if err != nil {
				return nil, err
			}
			if !taken {
				continue
			}
		}
		d, err := h.store.decode(ctx, item)
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		list = append(list, d)
	}
	return list, bad
}

// take makes the caller the holder of a decision. It reports false if the decision does
// not exist any more.
func (h *Held) take(ctx context.Context, item attr.Item) (bool, error) {
	t := h.store.table()
	err := t.Transact(ctx,
		t.WriteCheck(key(h.repository, sortLease), table.Equal(attrHolder, attr.String(h.holder))),
		t.WriteUpdate(table.Change(attr.Item{"pk": item["pk"], "sk": item["sk"]}).Set(attrHolder, attr.String(h.holder)).If(table.Exists("pk"))),
	)
	if _, lost := table.ConditionFailedAt(err, 0); lost {
		return false, ErrLost
	}
	if _, gone := table.ConditionFailedAt(err, 1); gone {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("take decision of %s: %w", h.repository, err)
	}
	return true, nil
}

func (s Store) decode(ctx context.Context, item attr.Item) (Decision, error) {
	r := attr.Read(item)
	sort, packed, object := r.String("sk"), r.Bytes(attrBody), r.String(attrObject)
	d := Decision{
		ID: sort[len(sortDecision):], Next: int(r.Int(attrNext)), Attempted: r.Bool(attrAttempted), Tries: int(r.Int(attrTries)),
		Parked: readMillis(r, attrParked), Failed: int(r.Int(attrFailed)), due: readMillis(r, attrDue),
	}
	err := r.Err()
	if err == nil && object != "" {
		packed, err = s.Objects.Get(ctx, object)
	}
	var body bodyOf
	if err == nil {
		err = unpack(packed, &body)
	}
	if err != nil {
		return Decision{}, fmt.Errorf("read decision %s of %s: %w", d.ID, r.String("pk"), err)
	}
	d.Request, d.At, d.Effects = body.Request, body.At, body.Effects
	return d, nil
}
