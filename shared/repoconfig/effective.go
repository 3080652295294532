package repoconfig

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// plain returns a value as encoding/json has it, without members that are null.
func (v *value) plain() any {
	switch v.kind {
	case object:
		made := make(map[string]any, len(v.members))
		for _, m := range v.members {
			if m.value.kind != null {
				made[m.name] = m.value.plain()
			}
		}
		return made
	case list:
		made := make([]any, len(v.elements))
		for i, e := range v.elements {
			made[i] = e.plain()
		}
		return made
	case number:
		if n := json.Number(v.text); json.Valid([]byte(n)) {
			return n
		}
		return v.text // such as .inf, which JSON does not have
	case boolean:
		return v.text == "true"
	case text:
		return v.text
	}
	return nil
}

// notForRunners are keys that the runner does not read.
var notForRunners = []string{"definitions", "version"}

// ForRunner returns the configuration as the runner gets it: a JSON object without nulls.
// The same configuration always gives the same bytes.
func (c *Config) ForRunner() (json.RawMessage, error) {
	all, _ := c.document.plain().(map[string]any)
	for _, name := range notForRunners {
		delete(all, name)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return text, nil
}

// Setting is a value of the effective configuration.
type Setting struct {
	// Path leads to the value, such as "workflows[0].engine.name".
	Path string
	// Value is the value for people, as JSON text. The value of a key that holds a secret
	// is "***".
	Value string
	// At is where it came from.
	At Position
}

// Settings returns every value of the configuration that a file sets, with its origin,
// and the top-level keys that no file sets, with their defaults. They are in the order
// of their paths.
func (c *Config) Settings() []Setting {
	var made []Setting
	collect(&made, "", c.document)
	for _, known := range schema().(keys) {
		if c.document.get(known.name) == nil && known.fallback != "" {
			made = append(made, Setting{Path: known.name, Value: known.fallback})
		}
	}
	slices.SortStableFunc(made, func(a, b Setting) int { return strings.Compare(a.Path, b.Path) })
	return made
}

// hidden takes the place of a secret, as JSON text.
const hidden = `"***"`

// holdsSecret reports whether the value of a key is not for everybody who reads comments.
// Besides the keys of storage.plans, people name variables like that.
func holdsSecret(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "_token") || slices.ContainsFunc([]string{"access_key", "api_key", "private_key", "secret", "password"}, func(part string) bool {
		return strings.Contains(name, part)
	})
}

func collect(into *[]Setting, path string, v *value) {
	switch {
	case v.kind == object && (len(v.members) > 0 || path == ""):
		for _, m := range v.members {
			if m.value.kind != object && m.value.kind != null && holdsSecret(m.name) {
				*into = append(*into, Setting{join(path, m.name), hidden, m.value.at})
				continue
			}
			collect(into, join(path, m.name), m.value)
		}
	case v.kind == list && len(v.elements) > 0:
		for i, e := range v.elements {
			collect(into, fmt.Sprintf("%s[%d]", path, i), e)
		}
	case v.kind != null:
		*into = append(*into, Setting{path, jsonText(v), v.at})
	}
}
