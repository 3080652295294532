package eventschema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/opsplane/opsplane/infra/test/template"
)

// rule is a rule of EventBridge in a template. Values that the template's parameters give are
// their defaults here.
type rule struct {
	pattern map[string]any
	paths   map[string]string // of the targets' input
}

// rules reads the rules of the templates of the guide.
func rules(t *testing.T) map[string]rule {
	t.Helper()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "docs/events/templates/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	found := map[string]rule{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document struct {
			Parameters map[string]struct {
				Default string `yaml:"Default"`
			} `yaml:"Parameters"`
			Resources map[string]struct {
				Type       string    `yaml:"Type"`
				Properties yaml.Node `yaml:"Properties"`
			} `yaml:"Resources"`
		}
		if err := yaml.Unmarshal(text, &document); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, r := range document.Resources {
			if r.Type != "AWS::Events::Rule" {
				continue
			}
			refer(&r.Properties, func(name string) string { return document.Parameters[name].Default })
			var properties struct {
				EventPattern map[string]any `yaml:"EventPattern"`
				Targets      []struct {
					InputTransformer struct {
						InputPathsMap map[string]string `yaml:"InputPathsMap"`
					} `yaml:"InputTransformer"`
				} `yaml:"Targets"`
			}
			if err := r.Properties.Decode(&properties); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			found[filepath.Base(file)] = rule{properties.EventPattern, properties.Targets[0].InputTransformer.InputPathsMap}
		}
	}
	return found
}

// refer replaces "!Ref name" by a text. Other functions of CloudFormation stay as they are.
func refer(n *yaml.Node, value func(string) string) {
	if n.Tag == "!Ref" {
		n.Tag, n.Value = "!!str", value(n.Value)
	}
	for _, child := range n.Content {
		refer(child, value)
	}
}

// matches reports whether a value matches a pattern of EventBridge with texts, numbers and
// prefixes ("Amazon EventBridge event patterns", User Guide).
func matches(pattern, value any) bool {
	switch p := pattern.(type) {
	case map[string]any:
		object, ok := value.(map[string]any)
		for name, member := range p {
			ok = ok && matches(member, object[name])
		}
		return ok
	case []any:
		return slices.ContainsFunc(p, func(one any) bool {
			if object, ok := one.(map[string]any); ok {
				prefix, _ := object["prefix"].(string)
				text, isText := value.(string)
				return isText && strings.HasPrefix(text, prefix)
			}
			if n, ok := one.(int); ok {
				return value == float64(n)
			}
			return one == value
		})
	}
	return false
}

// onBus returns the examples of a schema as the bus hands them to rules, each with changed data.
func onBus(t *testing.T, of string, change map[string]any) []map[string]any {
	t.Helper()
	var list []map[string]any
	for _, detail := range Examples(t, of+".v1.json") {
		var object map[string]any
		if err := json.Unmarshal(detail, &object); err != nil {
			t.Fatal(err)
		}
		for name, v := range change {
			object["data"].(map[string]any)[name] = v
		}
		list = append(list, map[string]any{"source": "opsplane", "detail-type": of, "detail": object})
	}
	return list
}

// TestRulesOfTheGuideMatchTheEventsThatTheyAreFor checks the rules against the examples of the
// schemas, which are themselves checked against real events.
func TestRulesOfTheGuideMatchTheEventsThatTheyAreFor(t *testing.T) {
	t.Parallel()
	all := rules(t)
	for _, c := range []struct {
		file, of string
		change   map[string]any
		want     bool
	}{
		{"chat.yaml", "run.finished", nil, true},
		{"chat.yaml", "run.finished", map[string]any{"outcome": "success"}, false},
		{"chat.yaml", "run.finished", map[string]any{"environment": "staging"}, false},
		{"chat.yaml", "run.finished", map[string]any{"run_type": "plan"}, false},
		{"chat.yaml", "run.started", nil, false},
		{"build.yaml", "artifact.committed", nil, true},
		{"build.yaml", "artifact.committed", map[string]any{"key": "plan/1"}, false},
		{"build.yaml", "key.committed", nil, false},
	} {
		r, ok := all[c.file]
		if !ok {
			t.Fatalf("%s has no rule", c.file)
		}
		for _, e := range onBus(t, c.of, c.change) {
			if got := matches(r.pattern, e); got != c.want {
				t.Errorf("%s and %s with %v: matches %t", c.file, c.of, c.change, got)
			}
			if !c.want {
				continue
			}
			for name, path := range r.paths {
				if at(e, path) == nil {
					t.Errorf("%s: %s is %s, which the event does not have", c.file, name, path)
				}
			}
		}
	}
}

// at returns the value of a path such as $.detail.data.key, or nil.
func at(event map[string]any, path string) any {
	var v any = event
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "$."), ".") {
		object, _ := v.(map[string]any)
		v = object[part]
	}
	return v
}
