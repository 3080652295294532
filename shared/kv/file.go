package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
)

// File is what the row of an artifact refers to beside its value: an object of
// the bucket. The value describes it (package artifact).
type File struct {
	// Object is the id of the object, as NewObjectID made it.
	Object string
	// ETag is S3's name of the object's content.
	ETag string
}

// ErrSuperseded is answered by PutFile where the condition of the other item
// did not hold.
var ErrSuperseded = errors.New("the item to be changed with the row has changed already")

// Beside makes the changes that stand in one transaction with a row. It is given
// the row as its readers will see it, and the generation of the key to which it
// belongs; empty for idx 0, which belongs to none.
type Beside func(rec Record, generation string) []types.TransactWriteItem

// Admits reports, as an error, whether a write on this condition would be
// refused now. It spares a caller who is about to upload a large file.
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

// PutFile stores the row of an artifact: w's value and a reference to f. In
// the same transaction it makes more changes in the table, with. The condition
// of the first of them must hold only once: so the row is written exactly once,
// however often PutFile is called and whatever answers are lost. with should keep
// the generation that it is given: a caller to whom PutFile fails, and who finds
// these changes made, must call SettleFile before it answers that the row is
// written. It fails as Set and CompareAndSet do, and with ErrSuperseded.
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
	end := errContended
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return Record{}, err
		}
		at, old, err := s.admit(ctx, by, w, r)
		if err != nil {
			return Record{}, err
		}
		done, lost, rec, err := s.putFile(ctx, by.Author, w, c, at, old, with, n)
		if err != nil {
			return Record{}, err // the caller settles what an earlier try has written, if any
		}
		if done {
			return rec, s.settle(ctx, by, w.Key, at)
		}
		if lost {
			end = errUnknown
		}
	}
	return Record{}, end
}

// SettleFile ends the write of a row by PutFile, whoever called that: writer has the
// request that wrote the row of key and idx, generation is what Beside was given.
// Where the key was deleted meanwhile, the row says so, as one that Set has written
// does. It reads the head, fails with OUTCOME_UNKNOWN, and may be called again. It
// does nothing for idx 0.
func (s *Store) SettleFile(ctx context.Context, writer Caller, at Position, generation string) error {
	if generation == "" {
		return nil
	}
	return s.settle(ctx, writer, at.Key, place{key: rowKey(writer.Installation, generation, at.Idx), generation: generation})
}

// admit finds where w's row lies and reads what is there, if the rule agrees to
// the write.
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

// putFile makes one try: onto exactly the revision of old. lost says that it may
// have taken effect, or may do so yet.
func (s *Store) putFile(
	ctx context.Context, author change.Author, w Write, c cell, at place, old cell, with Beside, try int,
) (done, lost bool, rec Record, err error) {
	version := old.next()
	c.version = &version
	if rec, err = c.record(w.Key, w.Idx, w.Committed); err != nil {
		return false, false, Record{}, err
	}
	e := c.edit(author, w, at)
	e.setVersion(version)
	e.count("rv", 0)
	e.requireRevision(old)
	token := newToken(author.Request, try)
	_, err = s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: &token,
		TransactItems:      append([]types.TransactWriteItem{e.transact(s.table, at.key)}, with(rec, at.generation)...),
	})
	switch {
	case err == nil:
		return true, false, rec, nil
	case awsclient.ConditionFailed(err, 1):
		return false, false, Record{}, ErrSuperseded
	case awsclient.Overtaken(err):
		return false, false, Record{}, nil
	case awsclient.Ambiguous(err) && ctx.Err() == nil:
		// If it took effect after all, the next one is superseded.
		return false, true, Record{}, nil
	}
	return false, false, Record{}, fmt.Errorf("put file: %w", err)
}

// GetFile reads the row of an artifact with its description. It fails as Get
// does, and with NOT_AN_ARTIFACT for a row that holds a value.
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
