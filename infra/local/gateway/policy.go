//go:build unix

package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// verdict is an authorizer's response.
type verdict struct {
	PrincipalID    string `json:"principalId"`
	PolicyDocument struct {
		Statement []statement `json:"Statement"`
	} `json:"policyDocument"`
	Context map[string]any `json:"context"`
}

type statement struct {
	Effect   string `json:"Effect"`
	Action   words  `json:"Action"`
	Resource words  `json:"Resource"`
}

// words is one string or a list of them.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(w))
}

func parseVerdict(answer []byte) (*verdict, error) {
	var v verdict
	if err := json.Unmarshal(answer, &v); err != nil {
		return nil, fmt.Errorf("the authorizer's answer: %w", err)
	}
	if v.PrincipalID == "" {
		return nil, errors.New("the authorizer's answer has no principalId")
	}
	for _, s := range v.PolicyDocument.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" {
			return nil, fmt.Errorf("the authorizer's policy has the effect %q", s.Effect)
		}
	}
	return &v, nil
}

// allows evaluates the policy as IAM does: a matching Deny wins, and without a matching Allow
// it returns false.
func (v *verdict) allows(methodARN string) bool {
	allowed := false
	for _, s := range v.PolicyDocument.Statement {
		if !s.Action.match("execute-api:Invoke") || !s.Resource.match(methodARN) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func (w words) match(value string) bool {
	for _, pattern := range w {
		if wildcard(pattern, value) {
			return true
		}
	}
	return false
}

// wildcard reports whether value matches pattern. A * matches any text, slashes included, and a
// ? matches one byte.
func wildcard(pattern, value string) bool {
	star, retry := -1, 0
	p, v := 0, 0
	for v < len(value) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, v
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == value[v]):
			p++
			v++
		case star >= 0:
			retry++
			p, v = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// values returns the authorizer's values that the function sees. Each value is text, because
// the gateway passes them as text.
func (v *verdict) values() (map[string]any, error) {
	out := map[string]any{"principalId": v.PrincipalID}
	for name, value := range v.Context {
		switch value := value.(type) {
		case string:
			out[name] = value
		case bool:
			out[name] = strconv.FormatBool(value)
		case float64:
			out[name] = strconv.FormatFloat(value, 'f', -1, 64)
		default:
			return nil, fmt.Errorf("the authorizer's context value %s is neither text nor number nor boolean", name)
		}
	}
	return out, nil
}
