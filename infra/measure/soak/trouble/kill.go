package trouble

import (
	"context"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/opsplane/opsplane/infra/test/journey"
)

// Kill kills processes of a stack with a signal that they cannot see coming,
// one group at a time after pauses of at most the given length, until ctx ends:
// the functions that work on keys and on tokens, the authorizer, the database
// and the bucket. The stack starts them again.
func Kill(ctx context.Context, s *journey.Stack, longest time.Duration, random *rand.Rand, counts *Counts) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(longest/4 + time.Duration(random.Int64N(int64(longest)*3/4))):
		}
		all, err := s.Processes()
		if err != nil {
			return err
		}
		victim := victims[random.IntN(len(victims))]
		for _, p := range all {
			if role(p) == victim && syscall.Kill(p.PID, syscall.SIGKILL) == nil {
				counts.Add("killed " + victim)
			}
		}
	}
}

// The roles that are killed. The functions of keys come more often: a write is
// cut off between two of its steps.
const (
	dynamoDB = "DynamoDB"
	s3       = "S3"
)

var victims = []string{"kv", "kv", "kv", "authorizer", "tokens", dynamoDB, s3}

// role names what a process of a stack is: its function, or its server; empty
// for one that only starts others.
func role(p journey.Process) string {
	words := strings.Fields(p.Command)
	if len(words) == 0 {
		return ""
	}
	program := path.Base(words[0])
	switch {
	case program == "bootstrap":
		return path.Base(path.Dir(path.Dir(words[0])))
	case program == "dynoxide":
		return dynamoDB
	case slices.Contains(words, "serve-s3"):
		return s3
	}
	return ""
}
