package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
)

func TestEvery(t *testing.T) {
	for expression, want := range map[string]time.Duration{
		"rate(1 minute)": time.Minute, "rate(5 minutes)": 5 * time.Minute, "rate(2 hours)": 2 * time.Hour, "rate(1 day)": 24 * time.Hour,
		"cron(0 12 * * ? *)": 0, "rate(0 minutes)": 0, "rate(1 week)": 0, "rate(x)": 0, "": 0,
	} {
		got, err := Every(expression)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: got %s, %v, want %s", expression, got, err, want)
		}
	}
}

type invoker func(event []byte) error

func (f invoker) Invoke(_ context.Context, event []byte) ([]byte, error) { return nil, f(event) }

func TestRunInvokesAndGoesOnAfterAFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reports, calls := 0, 0
	Run(ctx, template.Schedule{Name: "Tick"}, time.Millisecond, invoker(func(event []byte) error {
		var e struct {
			Source string    `json:"source"`
			Time   time.Time `json:"time"`
		}
		if err := json.Unmarshal(event, &e); err != nil || e.Source != "aws.events" || e.Time.IsZero() {
			t.Errorf("event: got %s, %v", event, err)
		}
		if calls++; calls == 3 {
			cancel()
		}
		return errors.New("no")
	}), func(string) { reports++ })
	if calls != 3 || reports < 2 {
		t.Errorf("got %d calls and %d reports, want 3 and at least 2", calls, reports)
	}
}

func TestInputOfTheTemplateIsTheEvent(t *testing.T) {
	got, err := Event(template.Schedule{Input: `{"job": 1}`}, time.Now())
	if err != nil || string(got) != `{"job": 1}` {
		t.Errorf("got %s, %v", got, err)
	}
}
