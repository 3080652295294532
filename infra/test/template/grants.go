package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Grant is what one statement of a policy lets a function's role do with one resource.
type Grant struct {
	// Function is the logical id of the function.
	Function string
	// Sid names the statement within the role.
	Sid string
	// Actions are actions of IAM, such as dynamodb:GetItem.
	Actions []string
	// Resource is the logical id of a resource of the template, or the name of the parameter
	// that names a resource, with the text after its ARN: TokensTable/index/by_name,
	// OperationsTable.StreamArn, KvBucket/github/*. "*" means every resource.
	Resource string
	// LeadingKeys are patterns of the partition keys that a request may name. Nil means any
	// key.
	LeadingKeys []string
	// Attributes are the attributes that a request may name. Nil means any attribute.
	Attributes []string
	// ReturnValues are the values that a write may request to get back. Nil means any.
	ReturnValues []string
}

type statement struct {
	Sid       string                    `yaml:"Sid"`
	Effect    string                    `yaml:"Effect"`
	Action    oneOrMore                 `yaml:"Action"`
	Resource  oneOrMore                 `yaml:"Resource"`
	Condition map[string]map[string]any `yaml:"Condition"`
	Rest      map[string]any            `yaml:",inline"`
}

// oneOrMore is one text or a list of texts.
type oneOrMore []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

// Grants evaluates the text of a template. It returns what the roles of the functions allow, by
// function and in the order of the statements. It returns an error if a statement of a role
// does anything except allow actions under the conditions that Grant describes.
func Grants(yamlText []byte, o Options) ([]Grant, error) {
	d, r, err := read(yamlText, o)
	if err != nil {
		return nil, err
	}
	var all []Grant
	for _, id := range slices.Sorted(maps.Keys(d.Resources)) {
		m, _ := d.Resources[id].(map[string]any)
		if text(m["Type"]) != typeFunction {
			continue
		}
		grants, err := d.granted(r, id, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		all = append(all, grants...)
	}
	return all, nil
}

// granted returns what the role of one function allows.
func (d *document) granted(r *resolver, id string, function map[string]any) ([]Grant, error) {
	properties, _ := function["Properties"].(map[string]any)
	arn, err := r.resolve(properties["Role"])
	if err != nil {
		return nil, err
	}
	name, _, ok := attribute(text(arn))
	role, _ := d.Resources[name].(map[string]any)
	if !ok || role == nil {
		return nil, fmt.Errorf("it has no role of the template")
	}
	resolved, err := r.resolve(role["Properties"])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var p struct {
		Managed  []any `yaml:"ManagedPolicyArns"`
		Policies []struct {
			Document struct {
				Statement []statement `yaml:"Statement"`
			} `yaml:"PolicyDocument"`
		} `yaml:"Policies"`
	}
	if err := decode(resolved, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(p.Managed) > 0 {
		return nil, fmt.Errorf("%s has managed policies, which are not written here", name)
	}
	var grants []Grant
	for _, policy := range p.Policies {
		for _, s := range policy.Document.Statement {
			found, err := s.grants(id)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, s.Sid, err)
			}
			grants = append(grants, found...)
		}
	}
	return grants, nil
}

// grants returns the grants of a statement, one for each resource.
func (s statement) grants(function string) ([]Grant, error) {
	if s.Effect != "Allow" || len(s.Rest) > 0 || len(s.Action) == 0 || len(s.Resource) == 0 {
		return nil, fmt.Errorf("not a plain permission")
	}
	g := Grant{Function: function, Sid: s.Sid, Actions: s.Action}
	for operator, conditions := range s.Condition {
		for key, value := range conditions {
			values, ok := value.([]any)
			if !ok {
				return nil, fmt.Errorf("condition %s is no list", key)
			}
			var texts []string
			for _, v := range values {
				texts = append(texts, text(v))
			}
			switch operator + " " + key {
			case "ForAllValues:StringLike dynamodb:LeadingKeys":
				g.LeadingKeys = texts
			case "ForAllValues:StringLike dynamodb:Attributes":
				g.Attributes = texts
			case "StringEqualsIfExists dynamodb:ReturnValues":
				g.ReturnValues = texts
			default:
				return nil, fmt.Errorf("condition %s of %s is not understood", operator, key)
			}
		}
	}
	var grants []Grant
	for _, resource := range s.Resource {
		g.Resource = named(resource)
		grants = append(grants, g)
	}
	return grants, nil
}

// named returns the name of a resource of a policy in the form of Grant.Resource.
func named(resource string) string {
	if rest, ok := strings.CutPrefix(resource, attributePrefix); ok {
		id, behind, _ := strings.Cut(rest, ".")
		return id + strings.TrimPrefix("."+behind, ".Arn")
	}
	// A secret that a parameter names. Secrets Manager adds six characters to the ARN.
	if _, name, ok := strings.Cut(resource, ":secret:"); ok {
		return strings.TrimSuffix(name, "-??????")
	}
	return resource
}
