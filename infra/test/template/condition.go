package template

import "fmt"

// choose evaluates only the chosen branch. The other branch may name something that does not
// exist with these parameters.
func (r *resolver) choose(arg any) (any, error) {
	args, ok := arg.([]any)
	if !ok || len(args) != 3 {
		return nil, fmt.Errorf("Fn::If wants a condition and two values")
	}
	yes, err := r.holds(text(args[0]))
	if err != nil {
		return nil, err
	}
	if yes {
		return r.resolve(args[1])
	}
	return r.resolve(args[2])
}

// holds reports whether the named condition of the template is true.
func (r *resolver) holds(name string) (bool, error) {
	expression, ok := r.conditions[name]
	if !ok {
		return false, fmt.Errorf("no condition %s", name)
	}
	yes, err := r.condition(expression)
	if err != nil {
		return false, fmt.Errorf("condition %s: %w", name, err)
	}
	return yes, nil
}

func (r *resolver) condition(expression any) (bool, error) {
	m, ok := expression.(map[string]any)
	if !ok || len(m) != 1 {
		return false, fmt.Errorf("not a condition: %v", expression)
	}
	for fn, arg := range m {
		switch fn {
		case "Condition":
			return r.holds(text(arg))
		case "Fn::Equals":
			args, err := r.list(fn, arg, 2)
			if err != nil {
				return false, err
			}
			return text(args[0]) == text(args[1]), nil
		case "Fn::Not", "Fn::And", "Fn::Or":
			return r.combine(fn, arg)
		}
	}
	return false, fmt.Errorf("not a condition: %v", expression)
}

func (r *resolver) combine(fn string, arg any) (bool, error) {
	terms, ok := arg.([]any)
	if !ok || len(terms) == 0 {
		return false, fmt.Errorf("%s wants a list", fn)
	}
	for _, term := range terms {
		yes, err := r.condition(term)
		switch {
		case err != nil:
			return false, err
		case fn == "Fn::Not":
			return !yes, nil
		case fn == "Fn::And" && !yes:
			return false, nil
		case fn == "Fn::Or" && yes:
			return true, nil
		}
	}
	return fn == "Fn::And", nil
}
