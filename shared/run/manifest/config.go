package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/opsplane/opsplane/shared/run/plancommand"
)

// config is a repository configuration. Numbers keep their text.
type config map[string]any

// parseConfig reads a configuration and removes every null: the runner crashes on
// some, and null means that nothing is set.
func parseConfig(text json.RawMessage) (config, error) {
	if len(text) == 0 {
		return config{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("the configuration is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the configuration is followed by something else")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("the configuration must be a JSON object")
	}
	workflows, _ := object["workflows"].([]any)
	for n, workflow := range workflows {
		if workflow == nil { // without it, others would have another place
			return nil, fmt.Errorf("config.workflows[%d] is null, but dirspaces name workflows by their place", n)
		}
	}
	return config(withoutNulls(object).(map[string]any)), nil
}

// withoutNulls removes the members and elements that are null, at every level.
func withoutNulls(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if member == nil {
				delete(value, name)
				continue
			}
			value[name] = withoutNulls(member)
		}
		return value
	case []any:
		kept := make([]any, 0, len(value))
		for _, element := range value {
			if element != nil {
				kept = append(kept, withoutNulls(element))
			}
		}
		return kept
	}
	return value
}

// workflows returns the number of workflows.
func (c config) workflows() int {
	workflows, _ := c["workflows"].([]any)
	return len(workflows)
}

// estimateCosts says explicitly whether the runner estimates costs. Its own default
// is that it does.
func (c config) estimateCosts(proxy bool) error {
	given, ok := c["cost_estimation"]
	if !ok {
		given = map[string]any{}
	}
	estimation, ok := given.(map[string]any)
	if !ok {
		return errors.New("config.cost_estimation must be an object")
	}
	enabled, ok := estimation["enabled"].(bool)
	if _, is := estimation["enabled"]; is && !ok {
		return errors.New("config.cost_estimation.enabled must be a boolean")
	}
	estimation["enabled"] = enabled && proxy
	c["cost_estimation"] = estimation
	return nil
}

// uploadPlans makes the runner upload plans to this server, unless the configuration says
// how plans are kept. api is the address at which runners reach this server.
func (c config) uploadPlans(api string) error {
	given, ok := c["storage"]
	if !ok {
		given = map[string]any{}
	}
	storage, ok := given.(map[string]any)
	if !ok {
		return errors.New("config.storage must be an object")
	}
	if _, ok := storage["plans"]; !ok {
		storage["plans"] = plancommand.Storage(api)
	}
	c["storage"] = storage
	return nil
}

// needBuilder returns an error if the configuration lacks what a builder needs. The
// runner would crash without a result.
func (c config) needBuilder(name string) error {
	builder, _ := c[name].(map[string]any)
	if enabled, _ := builder["enabled"].(bool); !enabled {
		return fmt.Errorf("config.%s.enabled must be true", name)
	}
	if script, _ := builder["script"].(string); script == "" {
		return fmt.Errorf("config.%s.script is missing", name)
	}
	return nil
}
