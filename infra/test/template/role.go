package template

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/infra/test/iam"
)

// Roles evaluates the text of a template. It returns the policies of the functions' roles by
// the logical ids of the functions. The ARNs of tables and buckets are those of [Table.ARN]
// and [Bucket.ARN]. It returns an error if a statement has something that package iam cannot evaluate.
func Roles(yamlText []byte, o Options) (map[string]iam.Policy, error) {
	d, r, err := read(yamlText, o)
	if err != nil {
		return nil, err
	}
	roles, err := d.roles(r)
	if err != nil {
		return nil, err
	}
	for _, policy := range roles {
		for _, s := range policy {
			for i, resource := range s.Resource {
				s.Resource[i] = d.arn(r, resource)
			}
		}
	}
	return roles, nil
}

// ARN returns the ARN of the table, in the account and the region of the pseudo parameters.
func (t Table) ARN() string { return "arn:aws:dynamodb:us-east-1:000000000000:table/" + t.Name }

// ARN returns the ARN of the bucket.
func (b Bucket) ARN() string { return "arn:aws:s3:::" + b.Name }

// arn replaces the placeholder of a table or a bucket at the start of a resource by its ARN.
func (d *document) arn(r *resolver, resource string) string {
	id, rest, ok := attribute(resource)
	of, _ := d.Resources[id].(map[string]any)
	behind, isARN := strings.CutPrefix(rest, "Arn")
	if !ok || !isARN {
		return resource
	}
	switch text(of["Type"]) {
	case typeTable:
		return Table{Name: r.name(id)}.ARN() + behind
	case typeBucket:
		return Bucket{Name: r.name(id)}.ARN() + behind
	}
	return resource
}

// roles returns the statements of the roles of all functions.
func (d *document) roles(r *resolver) (map[string]iam.Policy, error) {
	roles := map[string]iam.Policy{}
	for id, resource := range d.Resources {
		m, _ := resource.(map[string]any)
		if text(m["Type"]) != typeFunction {
			continue
		}
		policy, err := d.role(r, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		roles[id] = policy
	}
	return roles, nil
}

// role returns the statements of one function's role.
func (d *document) role(r *resolver, function map[string]any) (iam.Policy, error) {
	properties, _ := function["Properties"].(map[string]any)
	if properties["Policies"] != nil {
		return nil, fmt.Errorf("it has policies of its own beside its role")
	}
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
		Boundary any   `yaml:"PermissionsBoundary"`
		Policies []struct {
			Document struct {
				Statement iam.Policy `yaml:"Statement"`
			} `yaml:"PolicyDocument"`
		} `yaml:"Policies"`
	}
	if err := decode(resolved, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(p.Managed) > 0 || p.Boundary != nil {
		return nil, fmt.Errorf("%s has managed policies, which are not written here", name)
	}
	var policy iam.Policy
	for _, one := range p.Policies {
		for _, s := range one.Document.Statement {
			if err := s.Validate(); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, s.Sid, err)
			}
			policy = append(policy, s)
		}
	}
	return slices.Clip(policy), nil
}
