package kv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
)

// publish writes the heads. It returns false if one of them has changed in a way
// that matters, or if another transaction holds one.
func (s *Store) publish(ctx context.Context, by Caller, plans []publication, try int) (bool, error) {
	switch len(plans) {
	case 0:
		return true, nil
	case 1:
		return s.publishOne(ctx, by, plans[0], try)
	}
	in := &dynamodb.TransactWriteItemsInput{}
	// The token makes a repeat by the SDK have no effect (for 10 minutes,
	// "Idempotency", TransactWriteItems API reference). A new try has other
	// contents, so it needs another token.
	token := newToken(by.Author.Request, try)
	in.ClientRequestToken = &token
	for _, p := range plans {
		in.TransactItems = append(in.TransactItems, p.edit(by.Author, try).transact(s.table, headKey(by.Installation, p.head.key)))
	}
	_, err := s.db.TransactWriteItems(ctx, in)
	switch {
	case err == nil:
		return true, nil
	case awsclient.Overtaken(err):
		return false, nil
	case awsclient.Ambiguous(err):
		return false, errors.Join(errUnknown, err)
	}
	return false, fmt.Errorf("commit %d keys: %w", len(plans), err)
}

// publishOne writes one head. If a response is lost, it makes exactly the same
// update again, which can apply only once. It does not choose the rows again: the
// lost update may have published rows or may publish them later, and the list of
// changed rows would not have them.
func (s *Store) publishOne(ctx context.Context, by Caller, p publication, try int) (bool, error) {
	var lost error // set as soon as an update may have taken effect without a response
	for n := range tries {
		if err := awsclient.Pause(ctx, n); err != nil {
			return false, errors.Join(lost, err)
		}
		out, err := s.update(ctx, headKey(by.Installation, p.head.key), p.edit(by.Author, try))
		if err != nil {
			return false, errors.Join(lost, err)
		}
		now, err := decodeHead(out.item)
		switch {
		case err != nil:
			return false, errors.Join(lost, err)
		case out.done, now.publishStamp == publishStamp(by.Author, try):
			return true, nil
		case (lost != nil || out.unsure) && now.publication != p.head.publication:
			return false, errUnknown // our update may have taken effect before another one
		case !out.unsure:
			return false, nil // refused; ours that are still on their way are refused too
		}
		lost = errUnknown
	}
	return false, lost
}

// publishStamp names one try of one commit.
func publishStamp(author change.Author, try int) string {
	return author.Request + "/" + strconv.Itoa(try)
}

// edit returns the update that publishes, on the condition that the head is as it
// was read.
func (p publication) edit(author change.Author, try int) *edit {
	e := newEdit(author)
	e.count("pv", 1)
	e.set("ps", attr.String(publishStamp(author, try)))
	e.setOr(p.overlay != nil, "ov", attr.Bytes(p.overlay))
	e.requireEqual("gn", attr.String(p.head.generation))
	if p.head.publication == 0 {
		e.requireAbsent("pv")
	} else {
		e.requireEqual("pv", attr.Int(int64(p.head.publication)))
	}
	if p.zero {
		e.set("cm", attr.Bool(true))
		e.requireRevision(p.head.cell)
	}
	return e
}

// newToken returns the token of one try of one request's transaction. A token holds
// at most 36 characters.
func newToken(request string, try int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", request, try))
	return hex.EncodeToString(sum[:16])
}
