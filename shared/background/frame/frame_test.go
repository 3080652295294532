package frame_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/background/frame"
)

func TestReserveIsKeptBackOfADeadlineAlone(t *testing.T) {
	end := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	own, cancelOwn := frame.KeepBack(ctx, 10*time.Minute)
	defer cancelOwn()
	if got, ok := own.Deadline(); !ok || !got.Equal(end.Add(-10*time.Minute)) {
		t.Errorf("got deadline %v, %t", got, ok)
	}
	free, cancelFree := frame.KeepBack(t.Context(), time.Minute)
	defer cancelFree()
	if got, ok := free.Deadline(); ok {
		t.Errorf("got deadline %v where there was none", got)
	}
}

func TestPanicBecomesAnErrorWithItsStack(t *testing.T) {
	work := func(p any) (err error) {
		defer frame.Guard(&err)
		if p != nil {
			panic(p)
		}
		return nil
	}
	if err := work("odd"); err == nil || !strings.Contains(err.Error(), "panic: odd") || !strings.Contains(err.Error(), "frame_test.go") {
		t.Errorf("got %v", err)
	}
	if err := work(nil); err != nil {
		t.Error(err)
	}
}

func TestLineHasCountsAndTheMetricsAmongThem(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	line := frame.Line{
		Message: "tasks", Request: "r1", Details: []slog.Attr{slog.String("why", "w")},
		Counts: []frame.Count{{"done", frame.Things, 2}, {"quietly", "", 3}, {"lag_ms", frame.Milliseconds, 4}},
	}
	line.Write(t.Context(), log, time.UnixMilli(1_750_000_000_123), errors.New("refused"))
	var got struct {
		Level, Msg, Why, Error string
		Request                string `json:"request_id"`
		Done, Quietly          int
		AWS                    struct {
			Timestamp         int64
			CloudWatchMetrics []struct{ Metrics []struct{ Name, Unit string } }
		} `json:"_aws"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	metrics := got.AWS.CloudWatchMetrics[0].Metrics
	if got.Level != "ERROR" || got.Msg != "tasks" || got.Why != "w" || got.Error != "refused" || got.Request != "r1" || got.Done != 2 || got.Quietly != 3 ||
		got.AWS.Timestamp != 1_750_000_000_123 || len(metrics) != 2 || metrics[0].Name != "done" || metrics[1].Unit != "Milliseconds" {
		t.Errorf("got %s", out.Bytes())
	}
}

func TestQuietLineIsLeftOutWhereNothingWasDone(t *testing.T) {
	for name, c := range map[string]struct {
		line frame.Line
		err  error
		want bool
	}{
		"nothing":         {frame.Line{Quiet: true, Counts: []frame.Count{{"done", frame.Things, 0}, {"lag_ms", frame.Milliseconds, 7}}}, nil, false},
		"something":       {frame.Line{Quiet: true, Counts: []frame.Count{{"done", frame.Things, 1}}}, nil, true},
		"only in the log": {frame.Line{Quiet: true, Counts: []frame.Count{{"dismissed", "", 1}}}, nil, true},
		"an error":        {frame.Line{Quiet: true}, errors.New("refused"), true},
		"never quiet":     {frame.Line{}, nil, true},
	} {
		var out bytes.Buffer
		c.line.Write(t.Context(), slog.New(slog.NewJSONHandler(&out, nil)), time.Now(), c.err)
		if got := out.Len() > 0; got != c.want {
			t.Errorf("%s: got a line: %t", name, got)
		}
	}
}
