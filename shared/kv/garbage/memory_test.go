package garbage_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// restsFrom requires that the rest of an object begins with the run at later, which
// finds it first, and not earlier.
func (r *rig) restsFrom(t *testing.T, later time.Duration, object string) {
	t.Helper()
	for _, c := range []struct {
		after time.Duration
		there bool
	}{{0, true}, {rest.Keep - time.Minute, true}, {rest.Keep + time.Minute, false}} {
		r.collect(t, later+c.after)
		if got := strings.Join(r.objects(t), " "); (got == object) != c.there {
			t.Errorf("%v after it was found, the bucket holds %q; want the object there: %v", c.after, got, c.there)
		}
	}
}

// TestObjectOfAFileWhoseRowIsSeenLateRestsAnew makes a run see an upload as done
// before it sees the upload's row. A query may see one item of a transaction before
// another.
func TestObjectOfAFileWhoseRowIsSeenLateRestsAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u, page := r.announce(t, "k", []byte("file"))
	send(t, page, []byte("file"))
	by := author()
	by.At = by.At.Add(3 * time.Hour) // its object is old by then
	if _, err := r.files.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: by}, u.ID); err != nil {
		t.Fatal(err)
	}
	table := aws.String(r.env.Table("KvTable"))
	head := attr.Item{"pk": attr.String("github:1"), "sk": attr.Bytes([]byte("kk"))}
	row, err := r.env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: table, Key: head})
	if err != nil {
		t.Fatal(err)
	}
	// The fault comes after the lists of retired generations, of namespaces, and of
	// uploads.
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "Query", Nth: 19, Before: func() {
		if _, err := r.env.DynamoDB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: table, Key: head}); err != nil {
			t.Error(err)
		}
	}})
	report := r.failing(&faults).collect(t, 3*time.Hour+time.Minute)
	if n := faults.Calls("Query"); n != 19 || report.Named != 1 || report.Resting != 0 {
		t.Errorf("%d queries, %+v; want the rows read last, and the object taken as named", n, report)
	}
	if _, err := r.env.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: row.Item}); err != nil {
		t.Fatal(err)
	}
	r.collect(t, 40*time.Hour)
	r.delete(t, "k", nil)
	r.restsFrom(t, 80*time.Hour, u.ID)
}

// TestWhatIsNamedIsForgotten makes the collector remember an object that a row
// names, as an earlier version of the collector may have done.
func TestWhatIsNamedIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.upload(t, "k", []byte("file"))
	memory := fmt.Sprintf("%s %d\n", u.ID, time.Now().Unix())
	_, err := r.env.S3.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(r.env.Bucket("KvBucket")), Key: aws.String("collector/github/1"), Body: strings.NewReader(memory),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.collect(t, 3*time.Hour) // there is no garbage at all
	r.delete(t, "k", nil)
	r.restsFrom(t, 40*time.Hour, u.ID)
}

func TestMemoryIsWrittenOnlyWhenItChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(t, "k", 0, large("old"), true)
	r.set(t, "k", 0, "1", true)
	for n, c := range []struct {
		later  time.Duration
		writes int
	}{{2 * time.Hour, 1}, {3 * time.Hour, 0}, {30 * time.Hour, 1}, {31 * time.Hour, 0}} {
		var calls storagetest.Faults
		r.failing(&calls).collect(t, c.later)
		if got := calls.Calls("s3:PUT"); got != c.writes {
			t.Errorf("run %d writes %d times, want %d", n, got, c.writes)
		}
	}
}
