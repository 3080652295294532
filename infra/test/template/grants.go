package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/infra/test/iam"
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
	// Select are the values that a read may have of dynamodb:Select. Nil means any.
	Select []string
}

// Grants evaluates the text of a template. It returns what the roles of the functions allow, by
// function and in the order of the statements. It returns an error if a statement of a role
// does anything except allow actions under the conditions that Grant describes.
func Grants(yamlText []byte, o Options) ([]Grant, error) {
	d, r, err := read(yamlText, o)
	if err != nil {
		return nil, err
	}
	roles, err := d.roles(r)
	if err != nil {
		return nil, err
	}
	var all []Grant
	for _, id := range slices.Sorted(maps.Keys(roles)) {
		for _, s := range roles[id] {
			found, err := grants(id, s)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", id, s.Sid, err)
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// grants returns the grants of a statement of a function's role, one for each resource.
func grants(function string, s iam.Statement) ([]Grant, error) {
	if s.Effect != "Allow" {
		return nil, fmt.Errorf("not a plain permission")
	}
	g := Grant{Function: function, Sid: s.Sid, Actions: s.Action}
	for operator, conditions := range s.Condition {
		for key, values := range conditions {
			switch operator + " " + key {
			case "ForAllValues:StringLike dynamodb:LeadingKeys":
				g.LeadingKeys = values
			case "ForAllValues:StringLike dynamodb:Attributes":
				g.Attributes = values
			case "StringEqualsIfExists dynamodb:ReturnValues":
				g.ReturnValues = values
			case "StringEqualsIfExists dynamodb:Select":
				g.Select = values
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
