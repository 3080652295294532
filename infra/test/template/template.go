// Package template reads the product's SAM template into typed values. So the local stack, the
// tests and the tools take routes, functions, tables and buckets from the same place as AWS.
//
// It understands the part of CloudFormation that the template uses, and returns an error for
// anything else. It never guesses and never drops anything silently.
package template

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// Template is the content of the product's template. Its intrinsic functions are evaluated for
// one set of parameters.
type Template struct {
	API       API
	Functions []Function // by logical id
	Tables    []Table    // by logical id
	Buckets   []Bucket   // by logical id
	// Defaults are the default values of the parameters, as text.
	Defaults map[string]string
}

// Options say with which parameters and names a template is evaluated.
type Options struct {
	// Parameters replace the template's defaults. A name that the template does not declare is
	// an error.
	Parameters map[string]string
	// Name returns the physical name of a resource, such as the name of a table. Ref evaluates
	// to it. If Name is nil, Ref evaluates to the logical id.
	Name func(logicalID string) string
}

// Bucket is an object store that the template declares.
type Bucket struct {
	LogicalID string
	Name      string
}

// Function returns the function with a logical id, or nil.
func (t *Template) Function(logicalID string) *Function {
	for i := range t.Functions {
		if t.Functions[i].LogicalID == logicalID {
			return &t.Functions[i]
		}
	}
	return nil
}

// Table returns the table with a logical id, or nil.
func (t *Template) Table(logicalID string) *Table {
	for i := range t.Tables {
		if t.Tables[i].LogicalID == logicalID {
			return &t.Tables[i]
		}
	}
	return nil
}

// Root returns the repository that contains dir: the nearest folder upwards that has the
// product's template.yaml and go.mod.
func Root(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		_, errTemplate := os.Stat(filepath.Join(at, "template.yaml"))
		_, errModule := os.Stat(filepath.Join(at, "go.mod"))
		if errTemplate == nil && errModule == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no template.yaml beside a go.mod in %s or above it", dir)
		}
	}
}

// Load reads and evaluates a template file.
func Load(path string, o Options) (*Template, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := Parse(text, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

type document struct {
	Globals    map[string]any `yaml:"Globals"`
	Parameters map[string]struct {
		Type    string `yaml:"Type"`
		Default any    `yaml:"Default"`
	} `yaml:"Parameters"`
	Mappings   map[string]any `yaml:"Mappings"`
	Conditions map[string]any `yaml:"Conditions"`
	Resources  map[string]any `yaml:"Resources"`
}

type resource struct {
	Type       string
	Properties any
}

// read decodes the text of a template, and makes the resolver of its intrinsic functions.
func read(yamlText []byte, o Options) (*document, *resolver, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(yamlText, &node); err != nil {
		return nil, nil, err
	}
	if node.Kind == 0 {
		return nil, nil, fmt.Errorf("the template is empty")
	}
	tree, err := plain(&node)
	if err != nil {
		return nil, nil, err
	}
	var d document
	if err := decode(tree, &d); err != nil {
		return nil, nil, err
	}
	r, err := d.resolver(o)
	return &d, r, err
}

// Parse evaluates the text of a template.
func Parse(yamlText []byte, o Options) (*Template, error) {
	d, r, err := read(yamlText, o)
	if err != nil {
		return nil, err
	}
	resources, err := d.resolved(r)
	if err != nil {
		return nil, err
	}
	return d.build(r, resources)
}

func (d *document) resolver(o Options) (*resolver, error) {
	r := &resolver{
		values: map[string]any{
			"AWS::AccountId": "000000000000", "AWS::NoValue": absent{}, "AWS::Partition": "aws", "AWS::Region": "us-east-1",
			"AWS::StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/local/0", "AWS::StackName": "local", "AWS::URLSuffix": "amazonaws.com",
		},
		resources: d.Resources, conditions: d.Conditions, mappings: d.Mappings, name: o.Name,
	}
	if r.name == nil {
		r.name = func(logicalID string) string { return logicalID }
	}
	for name := range o.Parameters {
		if _, ok := d.Parameters[name]; !ok {
			return nil, fmt.Errorf("the template has no parameter %s", name)
		}
	}
	for name, p := range d.Parameters {
		value := p.Default
		if given, ok := o.Parameters[name]; ok {
			value = given
		}
		if value == nil {
			value = ""
		}
		if s, ok := value.(string); ok && p.Type == "Number" {
			n, err := strconv.Atoi(s)
			if err != nil {
				return nil, fmt.Errorf("parameter %s: %q is not a number", name, s)
			}
			value = n
		}
		r.values[name] = value
	}
	return r, nil
}

// resolved returns the resources whose condition is true. It evaluates only the types that
// build reads. Other types, such as policies and alarms, do not matter here.
func (d *document) resolved(r *resolver) (map[string]resource, error) {
	out := map[string]resource{}
	for id, raw := range d.Resources {
		m, _ := raw.(map[string]any)
		if name, ok := m["Condition"].(string); ok {
			yes, err := r.holds(name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", id, err)
			}
			if !yes {
				continue
			}
		}
		kind := text(m["Type"])
		if !slices.Contains([]string{typeAPI, typeBucket, typeFunction, typeTable}, kind) {
			continue
		}
		properties, err := r.resolve(m["Properties"])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		out[id] = resource{Type: kind, Properties: properties}
	}
	return out, nil
}

const (
	typeAPI      = "AWS::Serverless::Api"
	typeBucket   = "AWS::S3::Bucket"
	typeFunction = "AWS::Serverless::Function"
	typeTable    = "AWS::DynamoDB::Table"
)

func (d *document) build(r *resolver, resources map[string]resource) (*Template, error) {
	globals, err := r.resolve(d.Globals)
	if err != nil {
		return nil, fmt.Errorf("in Globals: %w", err)
	}
	t := Template{Defaults: map[string]string{}}
	for name, p := range d.Parameters {
		t.Defaults[name] = ""
		if p.Default != nil {
			t.Defaults[name] = fmt.Sprint(p.Default)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		var err error
		switch res := resources[id]; res.Type {
		case typeAPI:
			if t.API.LogicalID != "" {
				return nil, fmt.Errorf("%s: a second API beside %s", id, t.API.LogicalID)
			}
			t.API, err = parseAPI(id, globals, res.Properties)
		case typeFunction:
			var f Function
			f, err = parseFunction(id, globals, res.Properties)
			t.Functions = append(t.Functions, f)
		case typeTable:
			var table Table
			table, err = parseTable(id, r.name(id), res.Properties)
			t.Tables = append(t.Tables, table)
		case typeBucket:
			t.Buckets = append(t.Buckets, Bucket{LogicalID: id, Name: r.name(id)})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
	}
	return &t, t.authorize()
}
