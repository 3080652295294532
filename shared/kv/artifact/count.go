package artifact

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
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
	count, begin := s.countStored(by.Installation, u), s.countUnderWay(by.Installation, u)
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return err
		}
		_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{TableName: &s.table, Item: it, ConditionExpression: aws.String("attribute_not_exists(pk)")}},
			{Update: count},
			{Update: begin},
		}})
		switch {
		case err == nil:
			return nil
		case awsclient.ConditionFailed(err, 0):
			return nil // an earlier try whose response was lost wrote it: nobody else has this id
		case awsclient.ConditionFailed(err, 1):
			return s.overQuota(u.file.Size)
		case awsclient.ConditionFailed(err, 2):
			return s.tooManyUnderWay(ctx, by.Installation, u)
		case awsclient.Overtaken(err), awsclient.Ambiguous(err) && ctx.Err() == nil:
		default:
			return fmt.Errorf("reserve upload: %w", err)
		}
	}
	return errContended
}

// countStored returns the update that adds an upload to what its namespace holds,
// on the condition that there is room.
func (s *Store) countStored(ns vcs.Installation, u upload) *types.Update {
	count := &types.Update{
		TableName: &s.table, Key: kv.NamespaceKey(ns), UpdateExpression: aws.String("ADD #by :size"),
		ExpressionAttributeNames: map[string]string{"#by": "by"}, ExpressionAttributeValues: attr.Item{":size": attr.Int(u.file.Size)},
	}
	if s.limits.Stored > 0 {
		count.ConditionExpression = aws.String("attribute_not_exists(#by) OR #by <= :room")
		count.ExpressionAttributeValues[":room"] = attr.Int(s.limits.Stored - u.file.Size)
	}
	return count
}

// countUnderWay returns the update that adds an upload to what its principal has
// under way, on the condition that the limits allow it.
func (s *Store) countUnderWay(ns vcs.Installation, u upload) *types.Update {
	count := &types.Update{
		TableName: &s.table, Key: principalKey(ns, u.by), UpdateExpression: aws.String("ADD ub :size, un :one"),
		ExpressionAttributeValues: attr.Item{":size": attr.Int(u.file.Size), ":one": attr.Int(1)},
	}
	var bytes, number string
	if s.limits.Uploading > 0 {
		bytes = "(attribute_not_exists(ub) OR ub <= :room)"
		count.ExpressionAttributeValues[":room"] = attr.Int(s.limits.Uploading - u.file.Size)
	}
	if s.limits.Uploads > 0 {
		number = "(attribute_not_exists(un) OR un < :most)"
		count.ExpressionAttributeValues[":most"] = attr.Int(int64(s.limits.Uploads))
	}
	switch {
	case bytes != "" && number != "":
		count.ConditionExpression = aws.String(bytes + " AND " + number)
	case bytes+number != "":
		count.ConditionExpression = aws.String(bytes + number)
	}
	return count
}

// notUnderWay returns the update that subtracts an upload from what its principal
// has under way. It returns nil if the upload was announced before this server
// counted principals.
func (u upload) notUnderWay(table string, ns vcs.Installation) []types.TransactWriteItem {
	if u.by == "" {
		return nil
	}
	return []types.TransactWriteItem{{Update: &types.Update{
		TableName: &table, Key: principalKey(ns, u.by), UpdateExpression: aws.String("ADD ub :less, un :one"),
		ExpressionAttributeValues: attr.Item{":less": attr.Int(-u.file.Size), ":one": attr.Int(-1)},
	}}}
}

// done returns the changes that mark the upload as a record. It is no longer under
// way, and it still counts as stored. The first change has the condition. The
// upload's item keeps the generation of the row, so that every later call can
// settle what the author of by wrote.
func (u upload) done(table string, by kv.Caller, rec kv.Record, generation string) []types.TransactWriteItem {
	values := attr.Item{
		":done": attr.String(string(Done)), ":pending": attr.String(string(Pending)),
		":dv": attr.Int(int64(rec.Version)), ":da": attr.Int(rec.CreatedAt.UnixMilli()),
	}
	row := ""
	if generation != "" {
		values[":gn"], row = attr.String(generation), "gn = :gn, "
	}
	return append([]types.TransactWriteItem{{Update: &types.Update{
		TableName: &table, Key: uploadKey(by.Installation, u.id), ConditionExpression: aws.String("us = :pending"), ExpressionAttributeValues: values,
		UpdateExpression: aws.String("SET us = :done, dv = :dv, da = :da, " + row + by.Author.Set(values) + " REMOVE hs, ho, mu, uw, ux"),
	}}}, u.notUnderWay(table, by.Installation)...)
}

// end puts a pending upload into a state in which it can no longer be completed.
// The upload still counts: its URLs work until closes, so its bytes may still
// arrive. end reports whether this call ended the upload.
func (s *Store) end(ctx context.Context, by kv.Caller, id string, state State, closes time.Time) (bool, error) {
	values := attr.Item{":is": attr.String(string(state)), ":pending": attr.String(string(Pending)), ":closes": attr.Time(closes)}
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return false, err
		}
		_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.table, Key: uploadKey(by.Installation, id), ConditionExpression: aws.String("us = :pending"), ExpressionAttributeValues: values,
			UpdateExpression: aws.String("SET us = :is, ex = :closes, " + by.Author.Set(values) + " REMOVE hs, ho"),
		})
		var over *types.ConditionalCheckFailedException
		switch {
		case err == nil:
			return true, nil
		case errors.As(err, &over):
			return false, nil
		case awsclient.Contended(err), awsclient.Ambiguous(err) && ctx.Err() == nil:
		default:
			return false, fmt.Errorf("end upload: %w", err)
		}
	}
	return false, errContended
}

// free returns the changes that subtract an upload, once, from everything that
// counts it. state is the upload's state afterwards. An upload that does not count
// any more has a time to live, and no other upload has one.
func (u upload) free(table string, by kv.Caller, state State) []types.TransactWriteItem {
	values := attr.Item{
		":was": attr.String(string(u.state)), ":is": attr.String(string(state)), ":ttl": attr.Time(by.Author.At.Add(keep)),
	}
	items := []types.TransactWriteItem{
		{Update: &types.Update{
			TableName: &table, Key: uploadKey(by.Installation, u.id), ExpressionAttributeValues: values,
			ConditionExpression:      aws.String("us = :was AND attribute_not_exists(#ttl)"),
			UpdateExpression:         aws.String("SET us = :is, #ttl = :ttl, " + by.Author.Set(values) + " REMOVE uw, ux, mu"),
			ExpressionAttributeNames: map[string]string{"#ttl": "ttl"},
		}},
		{Update: &types.Update{
			TableName: &table, Key: kv.NamespaceKey(by.Installation), UpdateExpression: aws.String("ADD #by :less"),
			ExpressionAttributeNames: map[string]string{"#by": "by"}, ExpressionAttributeValues: attr.Item{":less": attr.Int(-u.file.Size)},
		}},
	}
	if u.state == Done { // it was subtracted from its principal when it became a record
		return items
	}
	return append(items, u.notUnderWay(table, by.Installation)...)
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
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: principalKey(ns, u.by), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return fmt.Errorf("get what is under way: %w", err)
	}
	r := attr.Read(out.Item)
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
