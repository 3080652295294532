package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// MaxMore is the largest number of writes that a decision takes along.
const MaxMore = table.MaxWrites - 6

// decideTries is how often a decision is stored again after its number was taken by a
// write of the same holder whose response was lost.
const decideTries = 3

// Decide stores a decision about a request, in one transaction: the request is removed,
// a decision with effects is added to those that are unfinished, and more is written.
// What more holds is the caller's: the change set, what is known of the pull request,
// the lists. d has no ID, and needs At. Decide returns the decision with its ID. A
// decision without effects has none.
//
// It returns ErrChanged if the request was made again meanwhile: then it is evaluated
// again. It returns ErrLost if the lease is over. In both cases nothing was written. It
// returns no error if the decision was stored by an earlier call whose response was
// lost.
func (h *Held) Decide(ctx context.Context, p Pending, d Decision, more ...table.Write) (Decision, error) {
	switch {
	case len(more) > MaxMore:
		return Decision{}, fmt.Errorf("the decision about %s of %s has %d more writes; at most %d are possible", p.Name(), h.repository, len(more), MaxMore)
	case d.At.IsZero():
		return Decision{}, fmt.Errorf("the decision about %s of %s has no time", p.Name(), h.repository)
	}
	d.Request, d.At = p.Request, time.UnixMilli(d.At.UnixMilli()).UTC()
	var body stored
	if len(d.Effects) > 0 {
		var err error
		if body, err = h.store.store(ctx, h.repository, d); err != nil {
			return Decision{}, err
		}
	}
	for n := range table.Tries(ctx, decideTries) {
		stored, err := h.decide(ctx, p, d, body, more)
		if err == nil {
			h.seq++
			return stored, nil
		}
		if !table.Canceled(err) {
			return Decision{}, fmt.Errorf("store decision about %s of %s: %w", p.Name(), h.repository, err)
		}
		found, why := h.resolve(ctx, p, d, body)
		if !errors.Is(why, errAgain) {
			return found, why
		}
		if n == decideTries-1 || !leaseMoved(err) {
			return Decision{}, fmt.Errorf("store decision about %s of %s: %w", p.Name(), h.repository, err)
		}
	}
	return Decision{}, ctx.Err()
}

// leaseMoved reports whether a transaction of decide was cancelled because the number of
// the decision was taken.
func leaseMoved(err error) bool {
	_, moved := table.ConditionFailedAt(err, 0)
	return moved
}

// decide makes the transaction of Decide. Its first write is that of the lease, its
// second that of the request.
func (h *Held) decide(ctx context.Context, p Pending, d Decision, body stored, more []table.Write) (Decision, error) {
	t := h.store.table()
	was := table.Absent(attrSeq)
	if h.seq > 0 {
		was = table.Equal(attrSeq, attr.Int(h.seq))
	}
	writes := append([]table.Write{
		t.WriteUpdate(table.Change(key(h.repository, sortLease)).Set(attrSeq, attr.Int(h.seq+1)).If(table.Equal(attrHolder, attr.String(h.holder)), was)),
	}, h.removal(p)...)
	if p.Once() {
		item := h.item(sortDone + p.Name())
		item[attrTTL], item[attrDecided] = attr.Time(d.At.Add(Keep)), attr.Int(h.seq+1)
		writes = append(writes, t.WritePut(item, table.Differs(attrInstallation, item[attrInstallation])))
	}
	if len(d.Effects) > 0 {
		d.ID, d.due = decisionID(h.seq+1), reminder(h.repository, "", d.At.Add(wake)).At
		writes = append(writes, t.WritePut(h.decisionItem(d, body), table.Absent("pk")), h.store.reminders().Put(reminder(h.repository, sortDecision+d.ID, d.due)))
	}
	return d, t.Transact(ctx, append(writes, more...)...)
}

// errAgain says that nothing speaks against storing the decision.
var errAgain = errors.New("the decision can be stored")

// resolve finds out why a transaction of decide was cancelled.
func (h *Held) resolve(ctx context.Context, p Pending, d Decision, body stored) (Decision, error) {
	lease, err := h.store.table().Get(ctx, key(h.repository, sortLease), attrHolder, attrSeq)
	if err != nil {
		return Decision{}, fmt.Errorf("read lease of %s: %w", h.repository, err)
	}
	read := attr.Read(lease)
	if read.String(attrHolder) != h.holder {
		return Decision{}, ErrLost
	}
	h.seq = read.Int(attrSeq)
	item, err := h.store.table().Get(ctx, key(h.repository, p.sort()), attrRev)
	if err != nil {
		return Decision{}, fmt.Errorf("read request %s of %s: %w", p.Name(), h.repository, err)
	}
	switch rev := attr.Read(item).String(attrRev); rev {
	case p.rev:
		return Decision{}, errAgain
	case "":
		// Only the holder removes requests, one after the other: it was an earlier try of
		// this decision, or the removal of the repository.
		return h.own(ctx, d, body)
	default:
		return Decision{}, ErrChanged
	}
}

// own returns the decision that the holder has stored last, if it is d.
func (h *Held) own(ctx context.Context, d Decision, body stored) (Decision, error) {
	if len(d.Effects) == 0 {
		return d, nil
	}
	d.ID = decisionID(h.seq)
	item, err := h.store.table().Get(ctx, key(h.repository, sortDecision+d.ID), attrMark, attrDue)
	if err != nil {
		return Decision{}, fmt.Errorf("read decision of %s: %w", h.repository, err)
	}
	read := attr.Read(item)
	if read.String(attrMark) != body.mark {
		return Decision{}, ErrLost
	}
	d.due = readMillis(read, attrDue)
	return d, nil
}

// item returns a new item of the lane.
func (h *Held) item(sort string) attr.Item {
	item := key(h.repository, sort)
	item[attrInstallation] = attr.String(string(h.repository.Installation.ID))
	return item
}
