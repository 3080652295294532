// Package iam decides whether the policies of a role allow a request to DynamoDB, S3 or EventBridge. Local
// servers do not check policies. Without this package, a request that a role forbids would
// fail only on AWS.
//
// The package knows the part of IAM that the product's template uses, and some of what stands
// beside it. It returns an error for everything else: it never guesses that a request is
// allowed. It judges only the policies of a role. Policies of resources, such as those of
// buckets, are not judged, and one of them may deny what the role allows.
//
// The rules come from AWS's documentation: "Policy evaluation logic" and "IAM JSON policy
// elements" (IAM User Guide), "Using IAM policy conditions for fine-grained access control"
// (Amazon DynamoDB Developer Guide), "Required permissions for Amazon S3 API operations" (Amazon
// S3 User Guide), and the condition keys of each action in the Service Authorization Reference.
package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Policy holds all statements that apply to the requests of one role.
type Policy []Statement

// Statement is one statement of a policy.
type Statement struct {
	// Sid names the statement within its policy.
	Sid string `yaml:"Sid"`
	// Effect is Allow or Deny.
	Effect string `yaml:"Effect"`
	// Action holds patterns of actions, such as dynamodb:GetItem.
	Action List `yaml:"Action"`
	// Resource holds patterns of ARNs.
	Resource List `yaml:"Resource"`
	// Condition maps operators, such as ForAllValues:StringLike, to condition keys, and those
	// to the values of the policy. All entries must hold.
	Condition map[string]map[string]List `yaml:"Condition"`
	// Rest holds the elements that this package does not know, such as NotAction. A statement
	// with such an element is not valid.
	Rest map[string]any `yaml:",inline"`
}

// List is one text or a list of texts.
type List []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *List) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = List{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

// Validate returns an error if the statement has something that this package cannot evaluate.
func (s Statement) Validate() error {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return fmt.Errorf("the effect is %q", s.Effect)
	case len(s.Action) == 0 || len(s.Resource) == 0:
		return errors.New("it has no action or no resource")
	}
	for name := range s.Rest {
		return fmt.Errorf("the element %s is not supported", name)
	}
	for _, pattern := range slices.Concat(s.Action, s.Resource) {
		if strings.Contains(pattern, variable) {
			return fmt.Errorf("the policy variable in %q is not supported", pattern)
		}
	}
	for operator, keys := range s.Condition {
		if _, err := parseOperator(operator); err != nil {
			return err
		}
		for key, values := range keys {
			if !isKnown(key) {
				return fmt.Errorf("the condition key %s is not supported", key)
			}
			if len(values) == 0 {
				return fmt.Errorf("%s has no value", key)
			}
			for _, v := range values {
				if strings.Contains(v, variable) {
					return fmt.Errorf("%s: the policy variable in %q is not supported", key, v)
				}
			}
		}
	}
	return nil
}

// variable is the start of a policy variable.
const variable = "${"

// secureTransport is the condition key that says whether a request came over TLS. It is true
// in all requests, because the clients of functions use nothing else.
const secureTransport = "aws:SecureTransport"

// knownKeys are the condition keys that [Account.Requests] sets whenever AWS sets them. Any
// other key would seem to be absent from a request that has it on AWS.
var knownKeys = []string{
	secureTransport,
	"dynamodb:Attributes", "dynamodb:EnclosingOperation", "dynamodb:LeadingKeys", "dynamodb:ReturnConsumedCapacity",
	"dynamodb:ReturnValues", "dynamodb:Select",
	"s3:delimiter", "s3:max-keys", "s3:prefix",
}

// isKnown reports whether a condition key is one of knownKeys. Names of keys are not
// case-sensitive.
func isKnown(key string) bool {
	return slices.ContainsFunc(knownKeys, func(known string) bool { return strings.EqualFold(known, key) })
}

// Request is what one permission is needed for.
type Request struct {
	// Action is an action of IAM, such as dynamodb:GetItem.
	Action string
	// Resource is an ARN.
	Resource string
	// Context holds the values of condition keys. A key that does not exist in the request is
	// missing here.
	Context map[string][]string
}

// String names the action and the resource.
func (r Request) String() string { return r.Action + " on " + r.Resource }

// Check returns nil if the policy allows the request: at least one statement allows it, and no
// statement denies it. Otherwise the error names the action, the resource, and what in which
// statement does not apply. The statements must be valid.
func (p Policy) Check(r Request) error {
	allowed := false
	var reasons []string
	for _, s := range p {
		if !slices.ContainsFunc(s.Action, func(pattern string) bool { return like(strings.ToLower(pattern), strings.ToLower(r.Action)) }) {
			continue
		}
		if !slices.ContainsFunc(s.Resource, func(pattern string) bool { return like(pattern, r.Resource) }) {
			continue
		}
		reason, err := s.unmet(r)
		switch {
		case err != nil:
			return fmt.Errorf("%s: statement %s: %w", r, s.Sid, err)
		case s.Effect == "Deny" && reason == "":
			return fmt.Errorf("%s: statement %s denies it", r, s.Sid)
		case s.Effect == "Deny":
		case reason == "":
			allowed = true
		default:
			reasons = append(reasons, "statement "+s.Sid+": "+reason)
		}
	}
	switch {
	case allowed:
		return nil
	case len(reasons) == 0:
		return fmt.Errorf("%s: no statement allows this action on this resource", r)
	}
	return fmt.Errorf("%s: %s", r, strings.Join(reasons, "; "))
}

// unmet returns a description of a condition that does not hold, or "" if all hold.
func (s Statement) unmet(r Request) (string, error) {
	for name, keys := range s.Condition {
		operator, err := parseOperator(name)
		if err != nil {
			return "", err
		}
		for key, values := range keys {
			got, exists := r.value(key)
			holds, err := operator.holds(values, got, exists)
			if err != nil {
				return "", fmt.Errorf("%s %s: %w", name, key, err)
			}
			if !holds {
				return fmt.Sprintf("condition %s %s: the request has %q, the policy has %q", name, key, got, values), nil
			}
		}
	}
	return "", nil
}

// value returns the values of a condition key. Names of keys are not case-sensitive.
func (r Request) value(key string) (values []string, exists bool) {
	for name, values := range r.Context {
		if strings.EqualFold(name, key) {
			return values, true
		}
	}
	return nil, false
}

// like reports whether a text matches a pattern, in which * stands for any text and ? for any
// one character.
func like(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	star, again := -1, 0 // the last star, and where the text after it began
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, again = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			again++
			i, j = star+1, again
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
