package garbage_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/garbage"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// stored returns how many bytes of files the bucket holds: objects, and parts that
// are not yet assembled.
func (r *rig) stored(t testing.TB) (bytes int64) {
	t.Helper()
	ctx, bucket := context.Background(), aws.String(r.env.Bucket("KvBucket"))
	for pages := s3.NewListObjectsV2Paginator(r.env.S3, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("github/1/")}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			bytes += aws.ToInt64(o.Size)
		}
	}
	begun, err := r.env.S3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range begun.Uploads {
		parts, err := r.env.S3.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: u.Key, UploadId: u.UploadId})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts.Parts {
			bytes += aws.ToInt64(p.Size)
		}
	}
	return bytes
}

// counted returns how many bytes count against the quota.
func (r *rig) counted(t testing.TB) (bytes int64) {
	t.Helper()
	for _, it := range r.items(t) {
		if read := attr.Read(it); read.String("pk") == "NAMESPACE" {
			bytes += read.Int("by")
		}
	}
	return bytes
}

// address is a presigned URL. It accepts the bytes of a file, or of a part, until a
// time.
type address struct {
	upload string
	put    artifact.Put
	body   []byte
}

// day is a sequence of actions on uploads by clients, attackers and the collector.
// It has a clock of its own.
type day struct {
	*rig
	random    *rand.Rand
	now       time.Time
	addresses []address
	bodies    map[string][]byte // by upload
	did       []string
}

func (d *day) by(principal string) change.Author {
	return change.Author{Principal: principal, Request: uuid.NewString(), At: d.now}
}

// through returns the rig behind a network that may fail at its next changes.
func (d *day) through() *rig {
	kinds := []storagetest.Kind{storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.ServerError, storagetest.Throttle, storagetest.Duplicate}
	kind, after := kinds[d.random.IntN(len(kinds))], 1+d.random.IntN(4)
	if d.random.IntN(3) > 0 {
		return d.rig
	}
	d.did = append(d.did, fmt.Sprintf("(fault %d at call %d)", kind, after))
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Nth: after, Kind: kind})
	return d.failing(&faults)
}

func (d *day) key() string { return string(rune('a' + d.random.IntN(3))) }

func (d *day) any() string {
	if len(d.bodies) == 0 {
		return strings.Repeat("0", 32)
	}
	ids := make([]string, 0, len(d.bodies))
	for id := range d.bodies {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids[d.random.IntN(len(ids))]
}

func (d *day) add(id string, page artifact.Page) {
	if page.Put != nil {
		d.addresses = append(d.addresses, address{id, *page.Put, d.bodies[id]})
	}
}

// step does one action. Errors do not matter for this test: whatever a call
// returns, the stored bytes must be counted.
func (d *day) step(ctx context.Context) {
	say := func(format string, args ...any) { d.did = append(d.did, fmt.Sprintf(format, args...)) }
	switch d.random.IntN(12) {
	case 0, 1:
		body := bytes.Repeat([]byte{byte(d.random.IntN(256))}, 1+d.random.IntN(5000))
		n := artifact.New{Key: d.key(), Committed: true, File: fileOf(body)}
		u, page, err := d.through().files.Create(ctx, kv.Caller{Installation: d.ns, Author: d.by("ann")}, n)
		say("announce %s: %v", u.ID, err)
		if err == nil {
			d.bodies[u.ID] = body
			d.add(u.ID, page)
		}
	case 2, 3, 4:
		if len(d.addresses) == 0 {
			return
		}
		a := d.addresses[d.random.IntN(len(d.addresses))]
		if !d.now.Before(a.put.ExpiresAt) {
			return // S3 would refuse it, but its clock is not the clock of the day
		}
		say("send %s: %d", a.upload, sendTo(ctx, a.put, a.body))
	case 5, 6:
		id := d.any()
		_, err := d.through().files.Complete(ctx, kv.Caller{Installation: d.ns, Author: d.by("ann")}, id)
		say("complete %s: %v", id, err)
	case 7:
		id := d.any()
		say("abort %s: %v", id, d.through().files.Abort(ctx, kv.Caller{Installation: d.ns, Author: d.by("ben")}, id))
	case 8:
		id := d.any()
		_, page, err := d.files.Show(ctx, kv.Caller{Installation: d.ns, Author: change.Author{At: d.now}}, id, 0, 1)
		say("show %s: %v", id, err)
		d.add(id, page)
	case 9:
		key := d.key()
		_, err := d.records.Delete(ctx, kv.Caller{Installation: d.ns, Author: d.by("ann")}, kv.Target{Key: key}, nil)
		say("delete %s: %v", key, err)
	case 10:
		pause := []time.Duration{10 * time.Minute, 50 * time.Minute, 3 * time.Hour, 25 * time.Hour}[d.random.IntN(4)]
		d.now = d.now.Add(pause)
		say("%v pass", pause)
	case 11:
		_, err := d.through().Run(ctx, d.by("collector"))
		say("collect: %v", err)
	}
}

// sendTo sends a body to a presigned URL and returns the status; 0 if the server
// closed the connection.
func sendTo(ctx context.Context, put artifact.Put, body []byte) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, put.URL, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	for name, value := range put.Headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// TestWhatIsStoredIsCountedAtEveryStep lets clients, attackers and the collector
// act in any order, over a network that fails. They announce, send late and again,
// complete, abort, delete, and let time pass. At every step, all bytes in the
// bucket must be counted. At the end, nothing may be counted that does not exist.
func TestWhatIsStoredIsCountedAtEveryStep(t *testing.T) {
	t.Parallel()
	for seed := range uint64(storagetest.Sample(24, 3)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			d := &day{rig: newRig(t), random: rand.New(rand.NewPCG(seed, 7)), now: time.Now(), bodies: map[string][]byte{}}
			for range 60 {
				d.step(t.Context())
				if stored, counted := d.stored(t), d.counted(t); stored > counted {
					t.Fatalf("%d bytes are stored, %d counted, after\n%s", stored, counted, strings.Join(d.did, "\n"))
				}
			}
			d.now = d.now.Add(30 * time.Hour)
			for range 3 {
				if _, err := d.Run(t.Context(), d.by("collector")); err != nil {
					t.Fatal(err)
				}
				d.now = d.now.Add(30 * time.Hour)
			}
			d.exact(t)
			if stored, counted := d.stored(t), d.counted(t); stored != counted {
				t.Errorf("%d bytes are stored at the end, %d counted, after\n%s", stored, counted, strings.Join(d.did, "\n"))
			}
		})
	}
}

// TestBytesOfAnUploadThatIsOverAreCountedUntilTheyAreGone covers the ways in which
// an upload ends while its URLs still work.
func TestBytesOfAnUploadThatIsOverAreCountedUntilTheyAreGone(t *testing.T) {
	t.Parallel()
	const size = 101 << 20 // in two parts
	for name, tc := range map[string]struct {
		parts bool
		end   func(t *testing.T, r *rig, u artifact.Upload)
		// closed is the time from the upload's announcement until its bytes may be
		// removed.
		closed time.Duration
	}{
		"aborted, in one piece": {false, abort, artifact.PutLifetime},
		"aborted, in parts":     {true, abort, artifact.PutLifetime},
		"refused, in parts": {true, func(t *testing.T, r *rig, u artifact.Upload) {
			if _, err := r.files.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID); err == nil || !strings.Contains(err.Error(), "WRONG_HASH") {
				t.Errorf("complete: got %v, want WRONG_HASH", err)
			}
		}, artifact.PutLifetime},
		"left alone, in one piece": {false, func(*testing.T, *rig, artifact.Upload) {}, artifact.UploadLifetime},
		"left alone, in parts":     {true, func(*testing.T, *rig, artifact.Upload) {}, artifact.UploadLifetime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			body := []byte("body")
			if tc.parts {
				body = make([]byte, size)
			}
			file := fileOf(body)
			if tc.parts {
				file.SHA256 = strings.Repeat("0", 64) // the hash of another file
			}
			u, page, err := r.files.Create(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, artifact.New{Key: "k", Committed: true, File: file})
			if err != nil {
				t.Fatal(err)
			}
			sendAll := func() {
				if page.Put != nil {
					sendTo(t.Context(), *page.Put, body)
				}
				for _, p := range page.Parts {
					sendTo(t.Context(), *p.Put, body[p.Offset:p.Offset+p.Size])
				}
			}
			covered := func(when string) {
				t.Helper()
				if stored, counted := r.stored(t), r.counted(t); stored > counted || counted != int64(len(body)) {
					t.Errorf("%s: %d bytes are stored and %d counted; want %d counted", when, stored, counted, len(body))
				}
			}
			sendAll()
			covered("sent")
			tc.end(t, r, u)
			covered("over")
			sendAll()
			covered("sent again")
			r.collect(t, tc.closed+garbage.WriteRest-time.Minute)
			covered("before the last address has ended for long enough")
			sendAll()
			covered("sent once more")
			r.collect(t, tc.closed+garbage.WriteRest+time.Minute)
			if stored, counted := r.stored(t), r.counted(t); stored != 0 || counted != 0 {
				t.Errorf("%d bytes are stored, %d counted, once no more can come; want none", stored, counted)
			}
			r.exact(t)
		})
	}
}

func abort(t *testing.T, r *rig, u artifact.Upload) {
	if err := r.files.Abort(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID); err != nil {
		t.Error(err)
	}
}
