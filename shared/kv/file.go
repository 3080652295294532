package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// File is what the row of an artifact has in addition to its value: a reference to
// an object of the bucket. The value describes the object (package artifact).
type File struct {
	// Object is the id of the object, made by NewObjectID.
	Object string
	// ETag is the ETag that S3 gave the object's content.
	ETag string
}

// ErrSuperseded is returned by PutFile if the condition of the first change made by
// Beside did not hold.
var ErrSuperseded = errors.New("the item to be changed with the row has changed already")

// Beside returns the changes that are made in one transaction with a row. Its
// arguments are the row as readers will see it, and the generation of the key to
// which the row belongs. The generation is empty for idx 0, which belongs to no
// generation.
type Beside func(rec Record, generation string) []table.Write

// Admits returns the error with which a write on this condition would be refused
// now, or nil. It saves the upload of a large file that would be refused at the
// end.
func (s *Store) Admits(ctx context.Context, by Caller, at Position, cond Condition) error {
	if err := checkRow(at.Key, &at.Idx); err != nil {
		return err
	}
	c, _, err := s.find(ctx, by.Installation, at)
	if err != nil {
		return err
	}
	return cond.rule(by.Capabilities).judge(c)
}

// PutFile stores the row of an artifact: the value of w and a reference to f. In
// the same transaction it makes the changes in the table that with returns. The
// condition of the first change must hold only once. Then the row is written
// exactly once, however often PutFile is called and whichever responses are lost.
//
// The function with should store the generation that it receives. If PutFile fails
// and the caller finds that these changes were made, it must call SettleFile before
// it reports that the row is written.
//
// PutFile fails as Set and CompareAndSet do, and with ErrSuperseded. If the context
// ends after a response was lost, the error is also OUTCOME_UNKNOWN.
func (s *Store) PutFile(
	ctx context.Context, by Caller, w Write, f File, cond Condition, with Beside,
) (Record, error) {
	if err := checkWrite(w); err != nil {
		return Record{}, err
	}
	c, err := newCell(by.Author, w)
	if err != nil {
		return Record{}, err
	}
	c.inline, c.body.id, c.etag = w.Value.Text, f.Object, f.ETag
	r := cond.rule(by.Capabilities)
	var lost error // set as soon as a try may have written the row without a response
	for n := range table.Tries(ctx, tries) {
		at, old, err := s.admit(ctx, by, w, r)
		if err != nil {
			return Record{}, orUnknown(ctx, lost, err)
		}
		done, unsure, rec, err := s.putFile(ctx, by.Author, w, c, at, old, with, n)
		if err != nil {
			return Record{}, orUnknown(ctx, lost, err)
		}
		if done {
			return rec, s.settle(ctx, by, w.Key, at)
		}
		if unsure {
			lost = errUnknown
		}
	}
	if lost != nil {
		return Record{}, errors.Join(lost, ctx.Err())
	}
	return Record{}, table.GaveUp(ctx, errContended)
}

// orUnknown returns err, the error of a try of PutFile. If an earlier try has
// written the row, the caller finds that out and settles it. If the context has
// ended, the caller cannot: then orUnknown adds lost.
func orUnknown(ctx context.Context, lost, err error) error {
	if ctx.Err() != nil {
		return errors.Join(lost, err)
	}
	return err
}

// SettleFile ends the write of a row by PutFile. Any process may call it. writer
// has the request that wrote the row, at is the row, and generation is the one that
// Beside received. If the key was deleted meanwhile, SettleFile marks the row, as
// Set does for its rows. It reads the head. It fails with OUTCOME_UNKNOWN and may
// be called again. It does nothing for idx 0.
func (s *Store) SettleFile(ctx context.Context, writer Caller, at Position, generation string) error {
	if generation == "" {
		return nil
	}
	return s.settle(ctx, writer, at.Key, place{key: rowKey(writer.Installation, generation, at.Idx), generation: generation})
}

// admit finds the place of w's row and reads the present cell. It returns the
// rule's error if the rule does not allow the write.
func (s *Store) admit(ctx context.Context, by Caller, w Write, r rule) (place, cell, error) {
	at, err := s.locate(ctx, by, w, r)
	if err != nil {
		return place{}, cell{}, err
	}
	old, err := s.getCell(ctx, at.key)
	if err != nil {
		return place{}, cell{}, err
	}
	return at, old, r.judge(old)
}

// putFile makes one try, on the condition that the row still has the revision of
// old. unsure reports whether the write may have taken effect, or may still take
// effect.
func (s *Store) putFile(
	ctx context.Context, author change.Author, w Write, c cell, at place, old cell, with Beside, try int,
) (done, unsure bool, rec Record, err error) {
	version := old.next()
	c.version = &version
	if rec, err = c.record(w.Key, w.Idx, w.Committed); err != nil {
		return false, false, Record{}, err
	}
	e := c.edit(author, w, at).Set(kvitem.Version, attr.Int(int64(version))).If(atRevision(old))
	writes := append([]table.Write{s.table.WriteUpdate(e)}, with(rec, at.generation)...)
	err = s.table.TransactOnce(ctx, newToken(author.Request, try), writes...)
	_, superseded := table.ConditionFailedAt(err, 1)
	switch {
	case err == nil:
		return true, false, rec, nil
	case superseded:
		return false, false, Record{}, ErrSuperseded
	case table.Overtaken(err):
		return false, false, Record{}, nil
	case table.Ambiguous(err) && ctx.Err() == nil:
		// If it took effect after all, the next try returns ErrSuperseded.
		return false, true, Record{}, nil
	}
	return false, false, Record{}, fmt.Errorf("put file: %w", err)
}

// GetFile reads the row of an artifact with its description. It fails as Get does,
// and with NOT_AN_ARTIFACT if the row holds a value.
func (s *Store) GetFile(ctx context.Context, by Caller, at Position, drafts bool) (Record, File, error) {
	if err := checkRow(at.Key, &at.Idx); err != nil {
		return Record{}, File{}, err
	}
	c, committed, err := s.find(ctx, by.Installation, at)
	switch {
	case err != nil:
		return Record{}, File{}, err
	case !c.seen(by.Capabilities, committed, drafts):
		return Record{}, File{}, fault.ErrNotFound
	case c.body.id == "" || c.body.hash != "":
		return Record{}, File{}, fault.Invalidf("NOT_AN_ARTIFACT", "the row holds a value, not a file; read it with GET .../kv/%s/key/...", by.Installation.ID)
	}
	rec, err := c.record(at.Key, at.Idx, committed)
	rec.Data = c.inline
	return rec, File{Object: c.body.id, ETag: c.etag}, err
}
