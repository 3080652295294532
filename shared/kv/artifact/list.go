package artifact

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// MaxList is the maximum number of uploads on one page. A page with the longest
// keys and names fits into the response of a function.
const MaxList = 500

// underWay is the index of the uploads that are under way, or that are over and
// still counted. Its keys are the namespace ("uw") and the creation ("ux"). The
// index is sparse: no other item has these attributes.
const underWay = "uploads"

// place returns the position of an upload in the list: by its creation, then by its
// id.
func (u upload) place() string { return fmt.Sprintf("%013d-%s", max(u.created.UnixMilli(), 0), u.id) }

var validPlace = regexp.MustCompile(`^[0-9]{13}-[0-9a-f]{32}$`)

// List returns up to limit uploads of a namespace that are not records, the oldest
// first. after is the cursor that an earlier call returned; empty for the first
// page. Uploads that are over are listed while their size counts. more is the
// cursor for the next page; empty at the end. An upload that has just begun or
// ended may be listed as it was a moment before.
func (s *Store) List(ctx context.Context, ns vcs.Installation, now time.Time, after string, limit int) (found []Upload, more string, err error) {
	if limit < 1 || limit > MaxList {
		return nil, "", fault.Invalidf("INVALID_LIMIT", "use a limit from 1 to %d", MaxList)
	}
	if after != "" && !validPlace.MatchString(after) {
		return nil, "", fault.Invalidf("INVALID_CURSOR", "the cursor does not come from the Link header of this list; start again without a cursor")
	}
	q := table.Query{
		Index: underWay, Eventual: true, Limit: limit + 1, // one more shows whether there is another page
		Key: []table.Condition{table.Equal("uw", attr.String(kv.Stored(ns)))},
	}
	if after != "" {
		q.Key = append(q.Key, table.Greater("ux", attr.String(after)))
	}
	last := ""
	for page, err := range s.table.Pages(ctx, q) {
		if err != nil {
			return nil, "", fmt.Errorf("list uploads: %w", err)
		}
		for _, it := range page.Items {
			if len(found) == limit {
				return found, last, nil
			}
			u, err := decodeUpload(it)
			if err != nil {
				return nil, "", err
			}
			if u.state == Pending && !now.Before(u.expires) {
				u.state = Expired // the collector has not yet seen that it has expired
			}
			found, last = append(found, u.show()), u.place()
		}
	}
	return found, "", nil
}
