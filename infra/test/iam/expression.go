package iam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// token matches a part of an expression of DynamoDB: a name (of an attribute, a function, a
// keyword, or a placeholder), the placeholder of a value, or one other character.
var token = regexp.MustCompile(`#?[A-Za-z_0-9][A-Za-z_0-9]*|:[A-Za-z_0-9]+|\S`)

// keywords are the words of expressions that are not names of attributes. They are reserved,
// except REMOVE, which no expression here uses as a name.
var keywords = []string{"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"}

// attributesOf returns the names of the top-level attributes that an expression mentions.
// aliases are the expression's placeholders.
func attributesOf(expression string, aliases map[string]string) ([]string, error) {
	var found []string
	parts := token.FindAllString(expression, -1)
	for i, part := range parts {
		switch {
		case !isName(part):
			continue
		case i > 0 && (parts[i-1] == "." || parts[i-1] == "["): // below an attribute
			continue
		case i+1 < len(parts) && parts[i+1] == "(" && !slices.Contains(keywords, strings.ToUpper(part)): // a function
			continue
		case slices.Contains(keywords, strings.ToUpper(part)):
			continue
		}
		if strings.HasPrefix(part, "#") {
			name, ok := aliases[part]
			if !ok {
				return nil, fmt.Errorf("the expression %q has no name for %s", expression, part)
			}
			part = name
		}
		found = append(found, part)
	}
	return found, nil
}

func isName(part string) bool {
	first := part[0]
	return first == '#' || first == '_' || 'a' <= first && first <= 'z' || 'A' <= first && first <= 'Z'
}

// equality matches a comparison for equality in a key condition.
var equality = regexp.MustCompile(`([#\w]+)\s*=\s*(:\w+)`)

// valueOf returns the placeholder of the value that an attribute must equal in a key
// condition.
func valueOf(condition, attribute string, aliases map[string]string) (string, bool) {
	for _, match := range equality.FindAllStringSubmatch(condition, -1) {
		name := match[1]
		if alias, ok := aliases[name]; ok {
			name = alias
		}
		if name == attribute {
			return match[2], true
		}
	}
	return "", false
}
