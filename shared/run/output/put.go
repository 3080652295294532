package output

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Stored says where the outputs of a result are. The completion of the run stores it
// in the run's item; until then nobody reads the outputs.
type Stored struct {
	// Payload and Gates are the names of objects: those of run.Result. They are
	// empty if there are no steps or no gates.
	Payload, Gates string
	// Steps is the number of steps.
	Steps int
}

// Put stores the steps, the payloads and the gates of a result. It may be called
// again, also at the same time: the same result has the same names and the same
// content. The index has expires as its time to live; the zero time keeps it for
// ever. The objects expire by the lifecycle of the bucket.
func (s *Store) Put(ctx context.Context, id run.ID, r *result.Result, expires time.Time) (Stored, error) {
	chunks, err := chunksOf(r)
	if err != nil {
		return Stored{}, err
	}
	gates, err := json.Marshal(r.Gates)
	if err != nil {
		return Stored{}, err
	}
	sum := sumOfAll(chunks, gates, r.Payloads)
	stored := Stored{Steps: len(r.Steps)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	if len(r.Steps) > 0 {
		stored.Payload = payloadsName(id, sum)
		group.Go(func() error { return s.putObject(ctx, stored.Payload, r.Payloads) })
	}
	if len(r.Gates) > 0 {
		stored.Gates = gatesName(id, sum)
		group.Go(func() error { return s.putObject(ctx, stored.Gates, gates) })
	}
	for n, text := range chunks {
		group.Go(func() error {
			packed, err := pack(text)
			if err != nil {
				return err
			}
			first := n * chunkSteps
			item := chunkKey(id, sum, first)
			item[attrEntries], item[attrOffset] = attr.Bytes(packed), attr.Int(int64(r.Steps[first].Offset))
			if !expires.IsZero() {
				item["ttl"] = attr.Time(expires)
			}
			if err := s.table.Put(ctx, item); err != nil {
				return fmt.Errorf("put steps: %w", err)
			}
			return nil
		})
	}
	return stored, group.Wait()
}

// chunksOf returns the texts of the chunks.
func chunksOf(r *result.Result) ([][]byte, error) {
	chunks := make([][]byte, 0, (len(r.Steps)+chunkSteps-1)/chunkSteps)
	entries := make([]entry, 0, chunkSteps)
	for n, step := range r.Steps {
		entries = append(entries, newEntry(step, r.Payload(step)))
		if len(entries) < chunkSteps && n < len(r.Steps)-1 {
			continue
		}
		text, err := json.Marshal(entries)
		if err != nil {
			return nil, err
		}
		chunks, entries = append(chunks, text), entries[:0]
	}
	return chunks, nil
}

// sumOfAll returns the SHA-256 of all that is stored, in hexadecimal. It is not the
// hash of the body: that would let somebody who guesses a sensitive value see that
// the guess is right.
func sumOfAll(chunks [][]byte, gates, payloads []byte) string {
	h := sha256.New()
	for _, part := range append(chunks[:len(chunks):len(chunks)], gates, payloads) {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Store) putObject(ctx context.Context, name string, content []byte) error {
	_, err := s.objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &name, Body: bytes.NewReader(content), ContentType: aws.String("application/octet-stream"),
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

// Gates reads the gates of a completed run.
func (s *Store) Gates(ctx context.Context, of run.Result) ([]result.Gate, error) {
	if of.Gates == "" {
		return nil, nil
	}
	text, err := s.getObject(ctx, of.Gates, "")
	if err != nil {
		return nil, err
	}
	var gates []result.Gate
	if err := json.Unmarshal(text, &gates); err != nil {
		return nil, fmt.Errorf("read gates: %w", err)
	}
	return gates, nil
}
