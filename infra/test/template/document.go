package template

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// plain turns a YAML node into maps, lists and scalars. It rewrites every short tag of
// CloudFormation to the long form, so that the resolver sees only one form (!Ref X becomes
// {"Ref": "X"}).
func plain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.AliasNode:
		return plain(n.Alias)
	}
	value, err := content(n)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return value, nil
	}
	name := strings.TrimPrefix(n.Tag, "!")
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: value}, nil
	case "GetAtt":
		if s, ok := value.(string); ok {
			resource, attribute, found := strings.Cut(s, ".")
			if !found {
				return nil, fmt.Errorf("line %d: !GetAtt %s names no attribute", n.Line, s)
			}
			value = []any{resource, attribute}
		}
	}
	return map[string]any{"Fn::" + name: value}, nil
}

func content(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			v, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[n.Content[i].Value] = v
		}
		return m, nil
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := plain(c)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.ScalarNode:
		switch n.Tag {
		case "!!int", "!!float", "!!bool", "!!null":
			var v any
			err := n.Decode(&v)
			return v, err
		}
		// A date stays text: a policy's Version must not become a time.
		return n.Value, nil
	}
	return nil, fmt.Errorf("line %d: unexpected YAML node", n.Line)
}

// decode converts a resolved value to a typed struct by its YAML form. As in CloudFormation, a
// number is accepted where a string is needed.
func decode(value, into any) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, into)
}
