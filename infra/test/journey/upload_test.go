//go:build unix

package journey

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// How real clients store files: chunks of 100 KiB, ten in flight.
const (
	chunkSize = 100 << 10
	inFlight  = 10
)

// chunk is the data of one row of a file.
type chunk struct {
	Chk  string `json:"chk"`
	Data string `json:"data"`
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// upload writes content as drafts, in any order. It only inserts.
func upload(c *Client, in Installation, key string, content []byte) error {
	var writers errgroup.Group
	writers.SetLimit(inFlight)
	for idx := 0; idx*chunkSize < len(content); idx++ {
		piece := content[idx*chunkSize : min((idx+1)*chunkSize, len(content))]
		writers.Go(func() error {
			text := base64.StdEncoding.EncodeToString(piece)
			data, err := json.Marshal(chunk{Chk: checksum(text), Data: text})
			if err != nil {
				return err
			}
			resp, err := c.Try("PUT", in.Path("cas/key", key), fmt.Sprintf(`{"idx":%d,"committed":false,"data":%s}`, idx, data))
			if err == nil && resp.Status != 200 {
				err = fmt.Errorf("write chunk %d: got %v, want 200", idx, resp)
			}
			return err
		})
	}
	return writers.Wait()
}

// errEnd is the 404 after the last chunk.
var errEnd = fmt.Errorf("no such chunk")

// readChunk reads one chunk and verifies it.
func readChunk(c *Client, in Installation, key string, idx int) ([]byte, error) {
	resp, err := c.Try("GET", fmt.Sprintf("%s?idx=%d", in.Path("key", key), idx), "")
	switch {
	case err != nil:
		return nil, err
	case resp.Status == 404:
		return nil, errEnd
	case resp.Status != 200:
		return nil, fmt.Errorf("read chunk %d: got %v, want 200 or 404", idx, resp)
	}
	var got struct{ Data chunk }
	if err := json.Unmarshal(resp.Body, &got); err != nil {
		return nil, err
	}
	if sum := checksum(got.Data.Data); sum != got.Data.Chk {
		return nil, fmt.Errorf("chunk %d: got checksum %s, want %s", idx, sum, got.Data.Chk)
	}
	return base64.StdEncoding.DecodeString(got.Data.Data)
}

// download reads chunks, ten ahead, until the first 404 in order.
func download(c *Client, in Installation, key string) ([]byte, error) {
	type answer struct {
		piece []byte
		err   error
	}
	ahead := make(chan chan answer, inFlight-1)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for idx := 0; ; idx++ {
			slot := make(chan answer, 1)
			select {
			case ahead <- slot:
			case <-done:
				return
			}
			go func() {
				piece, err := readChunk(c, in, key, idx)
				slot <- answer{piece, err}
			}()
		}
	}()
	var content []byte
	for slot := range ahead {
		a := <-slot
		if a.err == errEnd {
			return content, nil
		}
		if a.err != nil {
			return nil, a.err
		}
		content = append(content, a.piece...)
	}
	return content, nil
}

func TestFileUploadedInChunksAppearsWithItsCommitAndComesBackTheSame(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	for name, size := range map[string]int{"1 B": 1, "100 KiB - 1": chunkSize - 1, "100 KiB": chunkSize, "100 KiB + 1": chunkSize + 1, "50 MB": 50_000_000} {
		t.Run(name, func(t *testing.T) {
			content := make([]byte, size)
			random := rand.NewChaCha8([32]byte([]byte("the same file for each run of it")))
			_, _ = random.Read(content)
			key := in.Path("key", name)
			publish := fmt.Sprintf(`{"keys":[{"key":%q}]}`, name)
			// An earlier and longer file under the same key must not leave any chunk.
			if err := upload(c, in, name, make([]byte, 3*chunkSize)); err != nil {
				t.Fatal(err)
			}
			c.Do(t, "POST", in.Base()+"/commit", publish).Want(t, 200)
			start := time.Now()
			c.Do(t, "DELETE", key, "").WantBody(t, `{"result":true}`)
			watch, stop := make(chan error, 1), make(chan struct{})
			go func() { watch <- nothingSeen(c, in, name, stop) }()
			if err := upload(c, in, name, content); err != nil {
				t.Fatal(err)
			}
			close(stop)
			if err := <-watch; err != nil {
				t.Error(err)
			}
			uploaded := time.Now()
			chunks := (size + chunkSize - 1) / chunkSize
			var changed struct{ Keys []struct{ Idx int } }
			c.Do(t, "POST", in.Base()+"/commit", publish).Want(t, 200).Read(t, &changed)
			if len(changed.Keys) != chunks {
				t.Errorf("commit: got %d rows, want %d", len(changed.Keys), chunks)
			}
			c.Do(t, "GET", in.Path("count/key", name), "").WantBody(t, fmt.Sprintf(`{"count":%d,"max_idx":%d}`, chunks, chunks-1))
			committed := time.Now()
			got, err := download(c, in, name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, content) {
				t.Errorf("got %d bytes back that differ from the %d written", len(got), len(content))
			}
			t.Logf("upload %v, commit and count %v, download %v", uploaded.Sub(start).Round(time.Millisecond),
				committed.Sub(uploaded).Round(time.Millisecond), time.Since(committed).Round(time.Millisecond))
		})
	}
}

// nothingSeen reads during an upload of drafts. It returns an error if it sees any of them.
func nothingSeen(c *Client, in Installation, key string, stop <-chan struct{}) error {
	for {
		for _, target := range []string{in.Path("key", key), in.Path("count/key", key)} {
			resp, err := c.Try("GET", target, "")
			if err != nil {
				return err
			}
			if resp.Status != 404 {
				return fmt.Errorf("before the commit: got %v, want 404", resp)
			}
		}
		select {
		case <-stop:
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestOfManyConcurrentInsertsAndUpdatesExactlyOneWins(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	for round, condition := range []string{"", `,"version":0`, `,"version":1`} {
		outcomes := make([]Response, inFlight)
		var writers errgroup.Group
		for i := range outcomes {
			writers.Go(func() (err error) {
				outcomes[i], err = c.Try("PUT", in.Path("cas/key", "race"), fmt.Sprintf(`{"data":%d%s}`, i, condition))
				return err
			})
		}
		if err := writers.Wait(); err != nil {
			t.Fatal(err)
		}
		won := -1
		for i, resp := range outcomes {
			resp.Validate(t)
			switch {
			case resp.Status == 200 && won < 0:
				won = i
			case resp.Status != 400 || len(resp.Body) != 0:
				t.Errorf("round %d: got %v, want one winner and empty 400s", round, resp)
			}
		}
		var got record
		c.Do(t, "GET", in.Path("key", "race"), "").Want(t, 200).Read(t, &got)
		if string(got.Data) != fmt.Sprint(won) || got.Version != round {
			t.Errorf("round %d: got %s at version %d, want %d at %d", round, got.Data, got.Version, won, round)
		}
	}
}
