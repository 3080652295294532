package artifact_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

func (r *rig) list(t *testing.T, now time.Time, limit int) []artifact.Upload {
	t.Helper()
	var all []artifact.Upload
	for after := ""; ; {
		page, more, err := r.List(t.Context(), r.ns, now, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > limit || len(page) == 0 && more != "" {
			t.Errorf("a page of %d uploads, want at most %d, and none without a next page only", len(page), limit)
		}
		all = append(all, page...)
		if more == "" {
			return all
		}
		after = more
	}
}

func TestUploadsUnderWayAreListedPageByPage(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	body := []byte("0123456789")
	var want []string
	made := map[string]artifact.Upload{}
	for n, key := range []string{"a", "b", "c", "d", "e"} {
		author := by("ann")
		author.At = now.Add(time.Duration(n) * time.Second)
		u, page, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: author}, artifact.New{Key: key, Idx: n, File: fileOf(body), Committed: true})
		if err != nil {
			t.Fatal(err)
		}
		send(t, page.Put, body)
		made[key] = u
		want = append(want, u.ID)
	}
	other := *r
	other.ns.ID = "2"
	other.create(t, artifact.New{Key: "x", File: fileOf(body)})
	for _, limit := range []int{1, 2, 4, 5, 6, 500} {
		var got []string
		for _, u := range r.list(t, now, limit) {
			got = append(got, u.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %d: got %v, want %v, the oldest first", limit, got, want)
		}
	}
	first := r.list(t, now, 10)[0]
	if first.CreatedBy != "ann" || first.Key != "a" || first.File != made["a"].File || first.State != artifact.Pending ||
		!first.ExpiresAt.Equal(now.Add(artifact.UploadLifetime).Truncate(time.Second)) {
		t.Errorf("got %+v, want what was announced: %+v", first, made["a"])
	}
	r.complete(t, made["a"].ID)
	ended := by("ben")
	if err := r.Abort(t.Context(), kv.Caller{Installation: r.ns, Author: ended}, made["b"].ID); err != nil {
		t.Fatal(err)
	}
	got := r.list(t, now, 10)
	if len(got) != 4 || got[0].State != artifact.Aborted || got[0].CreatedBy != "ann" ||
		!got[0].ExpiresAt.Equal(ended.At.Add(artifact.PutLifetime).Truncate(time.Second)) {
		t.Errorf("got %+v, want the aborted one until its address has ended, and not the one that is a record", got)
	}
	late := r.list(t, now.Add(artifact.UploadLifetime+3*time.Second), 10)
	for n, want := range []artifact.State{artifact.Aborted, artifact.Expired, artifact.Expired, artifact.Pending} {
		if late[n].State != want {
			t.Errorf("upload %d after a day: got %s, want %s", n, late[n].State, want)
		}
	}
	r.discard(t)
	if got := r.list(t, now, 10); len(got) != 0 {
		t.Errorf("got %+v, want none once all are discarded", got)
	}
}

func TestListSaysWhichUploadsAreBeingVerified(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	u, _ := r.create(t, artifact.New{Key: "k", Committed: true, File: fileOf([]byte("0123456789"))})
	// This is the state in which Complete leaves the item if its time ends before
	// it has read the whole file.
	_, err := r.env.DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName:                 aws.String(r.env.Table("KvTable")),
		Key:                       attr.Item{"pk": attr.String("UPLOAD:github:1"), "sk": attr.Bytes([]byte(u.ID))},
		UpdateExpression:          aws.String("SET hs = :hs, ho = :ho"),
		ExpressionAttributeValues: attr.Item{":hs": attr.Bytes([]byte("state")), ":ho": attr.Int(4)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]struct {
		state    artifact.State
		verified int64
	}{0: {artifact.Verifying, 4}, artifact.UploadLifetime + time.Minute: {artifact.Expired, 0}} {
		got := r.list(t, now.Add(after), 10)
		if len(got) != 1 || got[0].State != want.state || got[0].Verified != want.verified {
			t.Errorf("after %v: got %+v, want %+v", after, got, want)
		}
	}
}

func TestOddCursorsAndLimitsOfTheListAreRefused(t *testing.T) {
	r := newRig(t)
	for _, cursor := range []string{"x", "0001234567890-", "0001234567890-" + "0123456789abcdef0123456789abcdeF", "\x00"} {
		_, _, err := r.List(t.Context(), r.ns, time.Now(), cursor, 1)
		wantFault(t, err, "INVALID_CURSOR")
	}
	for _, limit := range []int{-1, 0, artifact.MaxList + 1} {
		_, _, err := r.List(t.Context(), r.ns, time.Now(), "", limit)
		wantFault(t, err, "INVALID_LIMIT")
	}
}

func TestUploadsOfANamespaceAreAbortedPartByPart(t *testing.T) {
	r := newRig(t)
	body := []byte("0123456789")
	for n := range 7 {
		r.create(t, artifact.New{Key: "k", Idx: n, File: fileOf(body)})
	}
	done, page := r.create(t, artifact.New{Key: "done", File: fileOf(body), Committed: true})
	send(t, page.Put, body)
	r.complete(t, done.ID)
	other := *r
	other.ns.ID = "2"
	other.create(t, artifact.New{Key: "x", File: fileOf(body)})
	aborted, calls := 0, 0
	for after := ""; ; calls++ {
		n, next, err := r.AbortAll(t.Context(), r.ns, author(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if n > 3 || calls > 8 {
			t.Fatalf("call %d aborted %d uploads, want at most 3 of 8", calls, n)
		}
		if aborted += n; next == "" {
			break
		}
		after = next
	}
	if aborted != 7 || calls < 2 {
		t.Errorf("%d calls aborted %d uploads, want 7", calls+1, aborted)
	}
	for _, u := range r.list(t, time.Now(), 10) {
		if u.State != artifact.Aborted {
			t.Errorf("an upload is %s", u.State)
		}
	}
	if left := other.list(t, time.Now(), 10); len(left) != 1 || left[0].State != artifact.Pending {
		t.Errorf("of another namespace there are %+v, want one that is under way", left)
	}
	if string(r.download(t, "done")) != string(body) {
		t.Error("the artifact that was done is gone")
	}
}
