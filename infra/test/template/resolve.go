package template

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// absent stands for AWS::NoValue: a property with this value is left out.
type absent struct{}

// attributePrefix is the start of the placeholder for an attribute that only AWS knows.
const attributePrefix = "arn:aws:local:us-east-1:000000000000:"

// resolver evaluates intrinsic functions. The caller names the resources. An attribute becomes
// a placeholder text that [attribute] can parse.
type resolver struct {
	values     map[string]any // parameters and pseudo parameters
	resources  map[string]any
	conditions map[string]any
	mappings   map[string]any
	name       func(logicalID string) string
}

// attribute parses the placeholder of a resource's attribute.
func attribute(value string) (logicalID, name string, ok bool) {
	rest, ok := strings.CutPrefix(value, attributePrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ".")
}

func (r *resolver) resolve(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 1 {
			for fn, arg := range v {
				if fn == "Ref" || strings.HasPrefix(fn, "Fn::") {
					return r.call(fn, arg)
				}
			}
		}
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			value, err := r.resolve(v[key])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			if value != (absent{}) {
				out[key] = value
			}
		}
		return out, nil
	case []any:
		out := make([]any, 0, len(v))
		for i, item := range v {
			value, err := r.resolve(item)
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", i, err)
			}
			if value != (absent{}) {
				out = append(out, value)
			}
		}
		return out, nil
	}
	return v, nil
}

func (r *resolver) call(fn string, arg any) (any, error) {
	switch fn {
	case "Ref":
		return r.ref(text(arg))
	case "Fn::If":
		return r.choose(arg)
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not":
		return r.condition(map[string]any{fn: arg})
	case "Fn::FindInMap", "Fn::GetAtt", "Fn::Join", "Fn::Select", "Fn::Split":
		args, err := r.list(fn, arg, 2)
		if err != nil {
			return nil, err
		}
		return r.apply(fn, args)
	case "Fn::Sub":
		return r.sub(arg)
	case "Fn::GetAZs":
		return []any{"us-east-1a", "us-east-1b"}, nil
	}
	return nil, fmt.Errorf("%s is not supported", fn)
}

func (r *resolver) apply(fn string, args []any) (any, error) {
	switch fn {
	case "Fn::GetAtt":
		return r.getAtt(text(args[0]), text(args[1]))
	case "Fn::Join":
		items, _ := args[1].([]any)
		words := make([]string, len(items))
		for i, item := range items {
			words[i] = text(item)
		}
		return strings.Join(words, text(args[0])), nil
	case "Fn::Select":
		i, err := strconv.Atoi(text(args[0]))
		items, _ := args[1].([]any)
		if err != nil || i < 0 || i >= len(items) {
			return nil, fmt.Errorf("Fn::Select: no item %v", args[0])
		}
		return items[i], nil
	case "Fn::Split":
		var out []any
		for word := range strings.SplitSeq(text(args[1]), text(args[0])) {
			out = append(out, word)
		}
		return out, nil
	}
	var value any = r.mappings
	for _, key := range args {
		m, _ := value.(map[string]any)
		if value = m[text(key)]; value == nil {
			return nil, fmt.Errorf("Fn::FindInMap: no entry %v", args)
		}
	}
	return value, nil
}

// list resolves the arguments of a function that needs at least n of them.
func (r *resolver) list(fn string, arg any, n int) ([]any, error) {
	value, err := r.resolve(arg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fn, err)
	}
	args, ok := value.([]any)
	if !ok || len(args) < n {
		return nil, fmt.Errorf("%s wants at least %d arguments", fn, n)
	}
	return args, nil
}

func (r *resolver) ref(name string) (any, error) {
	if value, ok := r.values[name]; ok {
		return value, nil
	}
	if _, ok := r.resources[name]; ok {
		return r.name(name), nil
	}
	return nil, fmt.Errorf("!Ref %s: no such parameter or resource", name)
}

func (r *resolver) getAtt(resource, attr string) (any, error) {
	if _, ok := r.resources[resource]; !ok {
		return nil, fmt.Errorf("Fn::GetAtt %s.%s: no such resource", resource, attr)
	}
	return attributePrefix + resource + "." + attr, nil
}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

func (r *resolver) sub(arg any) (any, error) {
	pattern, local := text(arg), map[string]any{}
	if list, ok := arg.([]any); ok {
		args, err := r.list("Fn::Sub", list, 2)
		if err != nil {
			return nil, err
		}
		pattern = text(args[0])
		local, _ = args[1].(map[string]any)
	}
	var failed error
	out := placeholder.ReplaceAllStringFunc(pattern, func(found string) string {
		name := strings.TrimSpace(found[2 : len(found)-1])
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		if value, ok := local[name]; ok {
			return text(value)
		}
		var value any
		var err error
		if resource, attr, ok := strings.Cut(name, "."); ok {
			value, err = r.getAtt(resource, attr)
		} else {
			value, err = r.ref(name)
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("Fn::Sub: %w", err)
		}
		return text(value)
	})
	return out, failed
}

func text(v any) string {
	switch v := v.(type) {
	case nil, absent:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}
