package artifact

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Limits limits what an installation may hold. 0 means no limit.
type Limits struct {
	// Stored is the maximum number of bytes of artifacts in one installation.
	// Uploads that are under way count.
	Stored int64
	// Uploading is the maximum number of bytes, and Uploads the maximum number of
	// uploads, that one principal may have under way in one installation. An upload
	// counts from its announcement until it has become a record, or until it is
	// over and its bytes are gone.
	Uploading int64
	Uploads   int
}

// An upload is counted in two items. The item of its namespace ("by", bytes) counts
// it as stored. While the upload is under way, the item of the principal that
// announced it also counts it ("ub", bytes; "un", uploads). Both items change only
// in a transaction that also changes the upload's own item, on a condition that
// holds once. So each upload is added once and subtracted once, whichever responses
// are lost.

// principalKey returns the key of the item that counts what a principal has under
// way.
func principalKey(ns vcs.Installation, principal string) attr.Item {
	return attr.Item{"pk": attr.String("UPLOADER:" + kv.Stored(ns)), "sk": attr.Bytes([]byte(principal))}
}

// reserve writes the upload's item and counts the upload. It does both or neither.
func (s *Store) reserve(ctx context.Context, by kv.Caller, u upload) error {
	it, err := u.item(by.Installation)
	if err != nil {
		return err
	}
	by.Author.AddTo(it)
	failed, err := s.transact(ctx,
		s.table.WritePut(it, table.Absent("pk")),
		s.table.WriteUpdate(s.countStored(by.Installation, u)),
		s.table.WriteUpdate(s.countUnderWay(by.Installation, u)),
	)
	switch {
	case err != nil:
		return fmt.Errorf("reserve upload: %w", err)
	case failed == 1:
		return s.overQuota(u.file.Size)
	case failed == 2:
		return s.tooManyUnderWay(ctx, by.Installation, u)
	}
	return nil // failed is 0 if an earlier try whose response was lost wrote the item: nobody else has this id
}

// made says that a transaction took effect.
const made = -1

// transact makes writes together. It tries again if others came between, or if the
// response was lost. A condition of the first write must hold only once, so that
// the writes take effect at most once. failed is the number of the first write
// whose condition did not hold, or made.
func (s *Store) transact(ctx context.Context, writes ...table.Write) (failed int, err error) {
	for range table.Tries(ctx, tries) {
		if err = s.table.TransactOnce(ctx, "", writes...); err == nil {
			return made, nil
		}
		for n := range writes {
			if _, unmet := table.ConditionFailedAt(err, n); unmet {
				return n, nil
			}
		}
		if !table.Overtaken(err) && (!table.Ambiguous(err) || ctx.Err() != nil) {
			return made, err
		}
	}
	return made, table.GaveUp(ctx, errContended)
}

// countStored returns the change that adds an upload to what its namespace holds,
// on the condition that there is room.
func (s *Store) countStored(ns vcs.Installation, u upload) *table.Edit {
	count := table.Change(kv.NamespaceKey(ns)).Add("by", attr.Int(u.file.Size))
	if s.limits.Stored > 0 {
		count.If(table.AbsentOr("by", table.AtMost("by", attr.Int(s.limits.Stored-u.file.Size))))
	}
	return count
}

// countUnderWay returns the change that adds an upload to what its principal has
// under way, on the condition that the limits allow it.
func (s *Store) countUnderWay(ns vcs.Installation, u upload) *table.Edit {
	count := table.Change(principalKey(ns, u.by)).Add("ub", attr.Int(u.file.Size)).Add("un", attr.Int(1))
	if s.limits.Uploading > 0 {
		count.If(table.AbsentOr("ub", table.AtMost("ub", attr.Int(s.limits.Uploading-u.file.Size))))
	}
	if s.limits.Uploads > 0 {
		count.If(table.AbsentOr("un", table.Less("un", attr.Int(int64(s.limits.Uploads)))))
	}
	return count
}

// notUnderWay returns the write that subtracts an upload from what its principal
// has under way. It returns nil if the upload was announced before this server
// counted principals.
func (s *Store) notUnderWay(ns vcs.Installation, u upload) []table.Write {
	if u.by == "" {
		return nil
	}
	less := table.Change(principalKey(ns, u.by)).Add("ub", attr.Int(-u.file.Size)).Add("un", attr.Int(-1))
	return []table.Write{s.table.WriteUpdate(less)}
}

// done returns the writes that mark the upload as a record. It is no longer under
// way, and it still counts as stored. The first write has the condition. The
// upload's item keeps the generation of the row, so that every later call can
// settle what the author of by wrote.
func (s *Store) done(by kv.Caller, u upload, rec kv.Record, generation string) []table.Write {
	e := table.Change(uploadKey(by.Installation, u.id)).
		Set(kvitem.UploadState, attr.String(string(Done))).
		Set("dv", attr.Int(int64(rec.Version))).
		Set("da", attr.Int(rec.CreatedAt.UnixMilli())).
		SetAll(by.Author.All()).
		Remove("hs", "ho", "mu", "uw", "ux").
		If(pending())
	if generation != "" {
		e.Set(kvitem.Generation, attr.String(generation))
	}
	return append([]table.Write{s.table.WriteUpdate(e)}, s.notUnderWay(by.Installation, u)...)
}

// pending holds while an upload is pending.
func pending() table.Condition { return table.Equal(kvitem.UploadState, attr.String(string(Pending))) }

// end puts a pending upload into a state in which it can no longer be completed.
// The upload still counts: its URLs work until closes, so its bytes may still
// arrive. end reports whether this call ended the upload.
func (s *Store) end(ctx context.Context, by kv.Caller, id string, state State, closes time.Time) (bool, error) {
	e := table.Change(uploadKey(by.Installation, id)).
		Set(kvitem.UploadState, attr.String(string(state))).
		Set("ex", attr.Time(closes)).
		SetAll(by.Author.All()).
		Remove("hs", "ho").
		If(pending())
	for range table.Tries(ctx, tries) {
		err := s.table.Update(ctx, e)
		if err == nil {
			return true, nil
		}
		if _, over := table.ConditionFailed(err); over {
			return false, nil
		}
		if !table.Contended(err) && (!table.Ambiguous(err) || ctx.Err() != nil) {
			return false, fmt.Errorf("end upload: %w", err)
		}
	}
	return false, table.GaveUp(ctx, errContended)
}

// free subtracts an upload, once, from everything that counts it. state is the
// upload's state afterwards. An upload that does not count any more has a time to
// live, and no other upload has one. free reports whether this call subtracted it.
func (s *Store) free(ctx context.Context, by kv.Caller, u upload, state State) (bool, error) {
	e := table.Change(uploadKey(by.Installation, u.id)).
		Set(kvitem.UploadState, attr.String(string(state))).
		Set("ttl", attr.Time(by.Author.At.Add(keep))).
		SetAll(by.Author.All()).
		Remove("uw", "ux", "mu").
		If(table.Equal(kvitem.UploadState, attr.String(string(u.state))), table.Absent("ttl"))
	less := table.Change(kv.NamespaceKey(by.Installation)).Add("by", attr.Int(-u.file.Size))
	writes := []table.Write{s.table.WriteUpdate(e), s.table.WriteUpdate(less)}
	if u.state != Done { // a done upload was subtracted from its principal when it became a record
		writes = append(writes, s.notUnderWay(by.Installation, u)...)
	}
	failed, err := s.transact(ctx, writes...)
	if err != nil {
		return false, fmt.Errorf("free upload: %w", err)
	}
	return failed == made, nil
}

func (s *Store) overQuota(size int64) error {
	return fault.Invalidf("QUOTA_EXCEEDED",
		"an upload of %d bytes would exceed the installation's quota of %d bytes; list the uploads under way with GET .../artifact/upload and abort those that are not needed, or delete files, whose room comes back when the collector has removed their bytes; or ask the operator for more (ArtifactQuotaGiB)",
		size, s.limits.Stored)
}

// tooManyUnderWay returns the error that says what a principal has under way and
// what it may have. The numbers are only for the reader: the transaction has
// already decided.
func (s *Store) tooManyUnderWay(ctx context.Context, ns vcs.Installation, u upload) error {
	it, err := s.table.Get(ctx, principalKey(ns, u.by))
	if err != nil {
		return fmt.Errorf("get what is under way: %w", err)
	}
	r := attr.Read(it)
	bytes, number := r.Int("ub"), r.Int("un")
	if err := r.Err(); err != nil {
		return fmt.Errorf("decode what is under way: %w", err)
	}
	return fault.Invalidf("TOO_MANY_UPLOADS",
		"you have %d uploads of %d bytes together under way in this installation; with one of %d bytes more they would exceed %s; complete them, or list them with GET .../artifact/upload and abort those that are not needed: what was aborted counts until its addresses have ended and the collector has removed its bytes; or ask the operator for more (ArtifactUploadGiB, ArtifactUploads)",
		number, bytes, u.file.Size, s.limits.underWay())
}

// underWay returns the limits of a principal as text.
func (l Limits) underWay() string {
	switch {
	case l.Uploads <= 0:
		return fmt.Sprintf("%d bytes", l.Uploading)
	case l.Uploading <= 0:
		return fmt.Sprintf("%d uploads", l.Uploads)
	}
	return fmt.Sprintf("%d uploads or %d bytes", l.Uploads, l.Uploading)
}

// tooLarge refuses a file that is larger than a limit.
func (s *Store) tooLarge(size int64) error {
	switch l := s.limits; {
	case l.Stored > 0 && size > l.Stored:
		return s.overQuota(size)
	case l.Uploading > 0 && size > l.Uploading:
		return fault.Invalidf("TOO_MANY_UPLOADS",
			"a file of %d bytes is more than the %d bytes that one caller may have under way in one installation; ask the operator for more (ArtifactUploadGiB)",
			size, l.Uploading)
	}
	return nil
}
