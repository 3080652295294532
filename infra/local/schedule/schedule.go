// Package schedule invokes functions at the times that a template states. It supports rates. It
// refuses a cron expression instead of ignoring it.
package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/template"
)

// Invoker delivers an event to a function and returns its response.
type Invoker interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Every returns the time between two events of a rate expression such as rate(5 minutes).
func Every(expression string) (time.Duration, error) {
	inner, ok := strings.CutPrefix(expression, "rate(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed {
		return 0, fmt.Errorf("schedule %q is not run here: only rate(...) is", expression)
	}
	number, unit, _ := strings.Cut(strings.TrimSpace(inner), " ")
	n, err := strconv.Atoi(number)
	units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	length, known := units[strings.TrimSuffix(unit, "s")]
	if err != nil || n < 1 || !known {
		return 0, fmt.Errorf("schedule %q is not a rate", expression)
	}
	return time.Duration(n) * length, nil
}

// Run invokes the function after each period, until ctx ends. It reports a failure, and tries
// again after the next period.
func Run(ctx context.Context, s template.Schedule, every time.Duration, function Invoker, report func(line string)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-ticker.C:
			payload, err := Event(s, at)
			if err == nil {
				_, err = function.Invoke(ctx, payload)
			}
			if err != nil && ctx.Err() == nil {
				report(fmt.Sprintf("schedule %s: %v", s.Name, err))
			}
		}
	}
}

// Event returns the event for the function: the input that the template declares, or else
// EventBridge's own event.
func Event(s template.Schedule, at time.Time) ([]byte, error) {
	if s.Input != "" {
		return []byte(s.Input), nil
	}
	return json.Marshal(map[string]any{
		"version": "0", "id": uuid.NewString(), "detail-type": "Scheduled Event", "source": "aws.events",
		"account": "000000000000", "region": "us-east-1", "time": at.UTC().Format(time.RFC3339),
		"resources": []string{"arn:aws:events:us-east-1:000000000000:rule/" + s.Name}, "detail": map[string]any{},
	})
}
