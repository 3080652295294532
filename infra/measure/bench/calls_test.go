package bench

import (
	"errors"
	"testing"
	"time"
)

func TestCallsThatOverlapCountOnce(t *testing.T) {
	t.Parallel()
	var c Calls
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	c.begin(at(1))
	c.begin(at(2))
	c.end(at(3))
	c.end(at(5))
	c.begin(at(7))
	c.end(at(8))
	if got := c.take(); got != 5*time.Second {
		t.Errorf("got %s, want 5s", got)
	}
	if got := c.take(); got != 0 {
		t.Errorf("got %s after the time was taken", got)
	}
}

func TestOnlyCallsOfTheOperationCount(t *testing.T) {
	t.Parallel()
	var c Calls
	call := func(took time.Duration) func() error {
		return func() error {
			c.begin(time.Unix(0, 0))
			c.end(time.Unix(0, 0).Add(took))
			return nil
		}
	}
	operations, calls, err := Operation{Before: call(time.Hour), Do: call(time.Minute), Calls: &c, Samples: 3}.run()
	if err != nil || len(operations) != 3 || len(calls) != 3 || calls[0] != time.Minute || calls[2] != time.Minute {
		t.Errorf("got %v and %v, %v; want three samples, each with the calls of a minute", operations, calls, err)
	}
	cause := errors.New("no table")
	if _, _, err := (Operation{Do: func() error { return cause }, Calls: &c, Samples: 1}).run(); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}
