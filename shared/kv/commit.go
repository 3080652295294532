package kv

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/fault"
)

// Commit marks drafts as committed, those of all targets at once: a reader
// sees none of them or all. It chooses the rows first and publishes them by one
// write of the heads; a row that is rewritten in between stays as its writer
// left it. It answers the rows that it changed, by key and idx; rows already
// committed, missing, or closed to the caller are left out. More than
// MaxCommitKeys keys are refused, and so are more scattered rows than the
// overlay of a key can name.
func (s *Store) Commit(ctx context.Context, ns Namespace, caps access.Set, author change.Author, targets []Target) ([]Position, error) {
	wanted, err := group(targets)
	if err != nil {
		return nil, err
	}
	for n := range tries {
		if err := pause(ctx, n); err != nil {
			return nil, err
		}
		plans, chosen, err := s.chooseAll(ctx, ns, caps, wanted)
		if err != nil {
			return nil, err
		}
		done, err := s.publish(ctx, ns, author, plans, n)
		if err != nil || done {
			return chosen, err
		}
	}
	return nil, errContended
}

// want is what a commit asks of one key: all rows, or those of idx.
type want struct {
	key string
	all bool
	idx []int
}

// group gathers targets by key, in ascending order.
func group(targets []Target) ([]want, error) {
	byKey := map[string]*want{}
	for _, t := range targets {
		if err := checkRow(t.Key, t.Idx); err != nil {
			return nil, err
		}
		w := byKey[t.Key]
		if w == nil {
			w = &want{key: t.Key}
			byKey[t.Key] = w
		}
		if t.Idx == nil {
			w.all = true
		} else {
			w.idx = append(w.idx, *t.Idx)
		}
	}
	if len(byKey) > MaxCommitKeys {
		return nil, fault.Invalidf("TOO_MANY_KEYS",
			"the request names %d keys; at most %d can be committed together", len(byKey), MaxCommitKeys)
	}
	list := make([]want, 0, len(byKey))
	for _, w := range byKey {
		slices.Sort(w.idx)
		w.idx = slices.Compact(w.idx)
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b want) int { return cmp.Compare(a.key, b.key) })
	return list, nil
}

// publication is what one head publishes.
type publication struct {
	head    head
	chosen  []Position
	zero    bool // idx 0, which lies in the head itself, is among them
	overlay []byte
}

// keyReaders is how many keys of one commit are read at once.
const keyReaders = 16

// maxTransaction is how large the heads of one commit may be together, in
// bytes: a transaction holds 4 MB (DynamoDB service quotas). headBytes is above
// what a head has beside overlay and value.
const (
	maxTransaction = 3_500_000
	headBytes      = MaxKeyBytes + 8<<10
)

// chooseAll chooses for every key and answers the publications that have
// something to publish, with the rows of them all.
func (s *Store) chooseAll(ctx context.Context, ns Namespace, caps access.Set, wanted []want) ([]publication, []Position, error) {
	plans := make([]publication, len(wanted))
	readers, rctx := errgroup.WithContext(ctx)
	readers.SetLimit(keyReaders)
	for i, w := range wanted {
		readers.Go(func() (err error) {
			plans[i], err = s.choose(rctx, ns, caps, w)
			return err
		})
	}
	if err := readers.Wait(); err != nil {
		return nil, nil, err
	}
	var chosen []Position
	bytes := 0
	plans = slices.DeleteFunc(plans, func(p publication) bool { return len(p.chosen) == 0 })
	for _, p := range plans {
		chosen = append(chosen, p.chosen...)
		bytes += headBytes + len(p.overlay) + len(p.head.overlay) + len(p.head.inline)
	}
	if bytes > maxTransaction {
		return nil, nil, fault.Invalidf("TOO_SCATTERED",
			"the drafts of these %d keys are too scattered to be committed together: commit fewer keys at a time", len(plans))
	}
	return plans, chosen, nil
}

// choose reads the rows wanted and picks the drafts that the caller may write.
func (s *Store) choose(ctx context.Context, ns Namespace, caps access.Set, w want) (publication, error) {
	h, ok, err := s.getHead(ctx, ns, w.key)
	if err != nil || !ok {
		return publication{}, err
	}
	p := publication{head: h}
	old, err := decodeOverlay(h.overlay)
	if err != nil {
		return p, err
	}
	// What the overlay named stays, except of rows that were read: of those
	// only the present revision matters, since revisions never come back.
	read := map[int]bool{}
	var marks []mark
	pick := func(idx int, c cell) {
		read[idx] = true
		switch {
		case !c.exists():
			return
		case idx != 0 && old.has(idx, *c.revision):
			marks = append(marks, mark{idx, *c.revision})
			return
		case c.committed || !allowed(c.writeCaps, caps):
			return
		}
		p.chosen = append(p.chosen, Position{w.key, idx})
		if idx == 0 {
			p.zero = true
			return
		}
		marks = append(marks, mark{idx, *c.revision})
	}
	if err := s.candidates(ctx, ns, h, w, pick); err != nil {
		return p, err
	}
	for _, m := range old.marks() {
		if !read[m.idx] {
			marks = append(marks, m)
		}
	}
	p.overlay = newOverlay(marks).encode()
	if len(p.overlay) > maxOverlay && len(p.chosen) > 0 {
		return p, fault.Invalidf("TOO_SCATTERED",
			"the drafts of key %q are too scattered to be committed together: write them with contiguous idx, or as committed", w.key)
	}
	return p, nil
}

// candidates calls pick for the cells wanted.
func (s *Store) candidates(ctx context.Context, ns Namespace, h head, w want, pick func(int, cell)) error {
	if w.all {
		return s.cells(ctx, ns, h, MinIdx, func(idx int, c cell, _ bool) bool {
			pick(idx, c)
			return true
		})
	}
	var rows []int
	for _, idx := range w.idx {
		switch {
		case idx == 0:
			pick(0, h.cell)
		case h.more:
			rows = append(rows, idx)
		}
	}
	return s.batchRows(ctx, ns, h.generation, rows, pick)
}

// publish writes the heads. It answers false where one of them has changed in
// a way that matters, or another transaction holds one.
func (s *Store) publish(ctx context.Context, ns Namespace, author change.Author, plans []publication, try int) (bool, error) {
	switch len(plans) {
	case 0:
		return true, nil
	case 1:
		return s.publishOne(ctx, ns, author, plans[0], try)
	}
	in := &dynamodb.TransactWriteItemsInput{}
	// The token makes a repeat by the SDK a no-op (10 minutes, "Idempotency",
	// TransactWriteItems API reference). A new try has other contents, so it
	// needs another token.
	token := newToken(author.Request, try)
	in.ClientRequestToken = &token
	for _, p := range plans {
		in.TransactItems = append(in.TransactItems, p.edit(author, try).transact(s.table, headKey(ns, p.head.key)))
	}
	_, err := s.db.TransactWriteItems(ctx, in)
	switch {
	case err == nil:
		return true, nil
	case overtaken(err):
		return false, nil
	case awsclient.Ambiguous(err):
		return false, errors.Join(errUnknown, err)
	}
	return false, fmt.Errorf("commit %d keys: %w", len(plans), err)
}

// overtaken reports whether a transaction was cancelled only by what others
// did or by load, so that a new one may succeed.
func overtaken(err error) bool {
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) {
		return false
	}
	for _, reason := range canceled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		default:
			return false
		}
	}
	return true
}

// publishOne writes one head.
func (s *Store) publishOne(ctx context.Context, ns Namespace, author change.Author, p publication, try int) (bool, error) {
	out, err := s.update(ctx, headKey(ns, p.head.key), p.edit(author, try))
	if err != nil || out.done {
		return out.done, err
	}
	now, err := decodeHead(out.item)
	switch {
	case err != nil:
		return false, err
	case now.publishStamp == publishStamp(author, try):
		return true, nil
	case strings.HasPrefix(now.publishStamp, author.Request), out.unsure && now.publication != p.head.publication:
		// An earlier try, with another choice of rows, may be what is there.
		return false, errUnknown
	}
	return false, nil
}

// publishStamp names one try of one commit.
func publishStamp(author change.Author, try int) string {
	return author.Request + "/" + strconv.Itoa(try)
}

// edit publishes on exactly the state that was read.
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

// newToken names one transaction of one request. A token holds at most 36
// characters.
func newToken(request string, try int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", request, try))
	return hex.EncodeToString(sum[:16])
}
