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
	var names []string
	for id, resource := range d.Resources {
		m, _ := resource.(map[string]any)
		if text(m["Type"]) != typeFunction {
			continue
		}
		name, err := d.roleOf(r, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		if roles[id], err = d.role(r, name); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		names = append(names, name)
	}
	return roles, d.noOtherPolicies(r, names)
}

// noOtherPolicies returns an error if a resource of the template attaches a policy to one of
// the roles, which are given by their logical ids.
func (d *document) noOtherPolicies(r *resolver, roles []string) error {
	var names []string // by which other resources can refer to the roles
	for _, id := range roles {
		role, _ := d.Resources[id].(map[string]any)
		properties, _ := role["Properties"].(map[string]any)
		name, err := r.resolve(properties["RoleName"])
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		names = append(names, r.name(id), text(name))
	}
	for id, resource := range d.Resources {
		m, _ := resource.(map[string]any)
		if !slices.Contains([]string{"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"}, text(m["Type"])) {
			continue
		}
		properties, _ := m["Properties"].(map[string]any)
		named, err := r.resolve([]any{properties["Roles"], properties["RoleName"]})
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		for _, name := range leaves(named) {
			if name != "" && slices.Contains(names, name) {
				return fmt.Errorf("%s adds a policy to the role %s; write it in the role", id, name)
			}
		}
	}
	return nil
}

// leaves returns the texts of a value and of the lists in it.
func leaves(value any) []string {
	list, ok := value.([]any)
	if !ok {
		return []string{text(value)}
	}
	var all []string
	for _, v := range list {
		all = append(all, leaves(v)...)
	}
	return all
}

// roleOf returns the logical id of a function's role.
func (d *document) roleOf(r *resolver, function map[string]any) (string, error) {
	properties, _ := function["Properties"].(map[string]any)
	if properties["Policies"] != nil {
		return "", fmt.Errorf("it has policies of its own beside its role")
	}
	arn, err := r.resolve(properties["Role"])
	if err != nil {
		return "", err
	}
	name, _, ok := attribute(text(arn))
	if !ok || d.Resources[name] == nil {
		return "", fmt.Errorf("it has no role of the template")
	}
	return name, nil
}

// role returns the statements of a role.
func (d *document) role(r *resolver, name string) (iam.Policy, error) {
	role, _ := d.Resources[name].(map[string]any)
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
