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

// Kill kills processes of a stack with a signal that they cannot catch, until ctx ends. It
// kills one group at a time, after pauses of at most longest. The groups are the functions that
// work on keys and on tokens, the authorizer, the database and the bucket. The stack starts the
// processes again.
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

// The roles that are killed. The functions of keys are killed more often, so that writes are
// interrupted between two of their steps.
const (
	dynamoDB = "DynamoDB"
	s3       = "S3"
)

var victims = []string{"kv", "kv", "kv", "authorizer", "tokens", dynamoDB, s3}

// role returns the role of a process of a stack: its function or its server. It is empty for a
// process that only starts others.
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
