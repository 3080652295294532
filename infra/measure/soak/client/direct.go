package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Direct works on a store in this process.
type Direct struct {
	Store     *kv.Store
	Artifacts *artifact.Store
	Namespace vcs.Installation
	// HTTP sends files to the bucket and fetches them.
	HTTP *http.Client
}

var _ Client = (*Direct)(nil)

// author returns an author with a request id of its own.
func author() change.Author {
	return change.Author{Principal: "soak", Request: uuid.NewString(), At: time.Now()}
}

// Do implements Client.
func (d *Direct) Do(ctx context.Context, c history.Call) history.Answer {
	by := author()
	a := d.do(ctx, by, c)
	a.Request = by.Request
	return a
}

func (d *Direct) do(ctx context.Context, by change.Author, c history.Call) history.Answer {
	switch c.Action {
	case history.Set, history.CAS:
		return d.write(ctx, by, c)
	case history.Get:
		r, err := d.Store.Get(ctx, kv.Caller{Installation: d.Namespace}, kv.Position{Key: c.Key, Idx: c.Idx}, c.Drafts, true)
		return d.rows(c, err, r)
	case history.DeleteRow:
		found, err := d.Store.Delete(ctx, kv.Caller{Installation: d.Namespace, Author: by}, kv.Target{Key: c.Key, Idx: &c.Idx}, c.Version)
		return outcome(c, err, history.Answer{Found: found})
	case history.DeleteKey:
		found, err := d.Store.Delete(ctx, kv.Caller{Installation: d.Namespace, Author: by}, kv.Target{Key: c.Key}, c.Version)
		return outcome(c, err, history.Answer{Found: found})
	case history.Commit:
		return d.commit(ctx, by, c)
	case history.Count:
		count, last, err := d.Store.Count(ctx, kv.Caller{Installation: d.Namespace}, c.Key, c.Drafts)
		return outcome(c, err, history.Answer{Count: count, Max: last})
	case history.Size:
		size, err := d.Store.Size(ctx, kv.Caller{Installation: d.Namespace}, kv.Target{Key: c.Key}, c.Drafts)
		return outcome(c, err, history.Answer{Size: size})
	case history.SizeRow:
		size, err := d.Store.Size(ctx, kv.Caller{Installation: d.Namespace}, kv.Target{Key: c.Key, Idx: &c.Idx}, c.Drafts)
		return outcome(c, err, history.Answer{Size: size})
	case history.Iterate:
		return d.iterate(ctx, c)
	}
	return d.artifact(ctx, by, c)
}

// outcome interprets an error. Without an error it returns a with the outcome Done.
func outcome(c history.Call, err error, a history.Answer) history.Answer {
	var f *fault.Error
	switch {
	case err == nil:
		a.Outcome = history.Done
		return a
	case !errors.As(err, &f) || f.Kind == fault.Busy && f.ID != idContended:
		return failed(c, err.Error())
	case f.ID == idContended:
		return contended(c)
	case f.Kind == fault.NotFound, f.Kind == fault.Unmet:
		return history.Answer{Outcome: history.Refused}
	}
	return impossible("%s was refused: %v", c.Action, f)
}

func (d *Direct) write(ctx context.Context, by change.Author, c history.Call) history.Answer {
	value, err := canonical.Parse([]byte(history.ValueText(c.Value)))
	if err != nil {
		return impossible("value %d: %v", c.Value, err)
	}
	w := kv.Write{Key: c.Key, Idx: c.Idx, Value: value, Committed: c.Committed}
	var r kv.Record
	if c.Action == history.Set {
		r, err = d.Store.Set(ctx, kv.Caller{Installation: d.Namespace, Author: by}, w)
	} else {
		r, err = d.Store.CompareAndSet(ctx, kv.Caller{Installation: d.Namespace, Author: by}, w, c.Version)
	}
	return outcome(c, err, history.Answer{Version: r.Version})
}

// rows returns the answer for the records that a read returned.
func (d *Direct) rows(c history.Call, err error, records ...kv.Record) history.Answer {
	a := outcome(c, err, history.Answer{})
	if a.Outcome != history.Done {
		return a
	}
	for _, r := range records {
		seen, err := record(history.Row{Key: r.Key, Idx: r.Idx}, r.Version, r.Committed, r.Size, r.Data)
		if err != nil {
			return impossible("%v", err)
		}
		a.Rows = append(a.Rows, seen)
	}
	return a
}

func (d *Direct) iterate(ctx context.Context, c history.Call) history.Answer {
	q := kv.Range{Key: c.Key, Inclusive: true, Prefix: true, Drafts: c.Drafts, WithData: true, Limit: c.Limit}
	if c.After != nil {
		q.After = &kv.Position{Key: c.After.Key, Idx: c.After.Idx}
	}
	records, next, err := d.Store.Iterate(ctx, kv.Caller{Installation: d.Namespace}, q)
	a := d.rows(c, err, records...)
	if next != nil {
		a.Next = &history.Row{Key: next.Key, Idx: next.Idx}
	}
	return a
}

func (d *Direct) commit(ctx context.Context, by change.Author, c history.Call) history.Answer {
	targets := make([]kv.Target, len(c.Targets))
	for i, t := range c.Targets {
		targets[i] = kv.Target{Key: t.Key, Idx: t.Idx}
	}
	changed, err := d.Store.Commit(ctx, kv.Caller{Installation: d.Namespace, Author: by}, targets)
	a := history.Answer{}
	for _, p := range changed {
		a.Rows = append(a.Rows, history.Seen{Row: history.Row{Key: p.Key, Idx: p.Idx}})
	}
	return outcome(c, err, a)
}
