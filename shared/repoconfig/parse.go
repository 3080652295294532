package repoconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parse reads YAML. A file without a document is an empty object.
func parse(file File) (*value, Mistakes) {
	whole := Position{File: file.Name}
	if len(file.Text) > MaxBytes {
		return nil, Mistakes{{whole, "", fmt.Sprintf("the file has %d bytes; at most %d are possible", len(file.Text), MaxBytes)}}
	}
	if !utf8.Valid(file.Text) {
		return nil, Mistakes{{whole, "", "the file is not UTF-8 text"}}
	}
	p := parser{file: file.Name}
	d := yaml.NewDecoder(bytes.NewReader(file.Text))
	var document yaml.Node
	switch err := d.Decode(&document); {
	case errors.Is(err, io.EOF):
		return &value{kind: object, at: whole}, nil
	case err != nil:
		return nil, Mistakes{p.syntax(err)}
	}
	var second yaml.Node
	switch err := d.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, Mistakes{p.syntax(err)}
	default:
		return nil, Mistakes{{p.at(&second), "", "the file has a second document; write all keys into one, without ---"}}
	}
	root := p.value(&document, "", 0)
	if len(p.mistakes) > 0 {
		return nil, p.mistakes
	}
	if root.kind == null {
		root.kind = object
	}
	if root.kind != object {
		return nil, Mistakes{{root.at, "", "the file is " + root.kind.String() + "; it must be an object with keys such as workflows"}}
	}
	return root, nil
}

// parser makes values of YAML nodes.
type parser struct {
	file     string
	values   int
	stopped  bool
	mistakes Mistakes
}

func (p *parser) at(n *yaml.Node) Position { return Position{p.file, n.Line, n.Column} }

// lineOf finds the line in the messages of the YAML library.
var lineOf = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax returns the mistake of a text that is not YAML.
func (p *parser) syntax(err error) Mistake {
	at, problem := Position{File: p.file}, err.Error()
	if found := lineOf.FindStringSubmatch(problem); found != nil {
		at.Line, _ = strconv.Atoi(found[1])
		problem = found[2]
	}
	return Mistake{at, "", "this is not YAML: " + problem}
}

func (p *parser) mistake(at Position, path, format string, args ...any) *value {
	p.mistakes = append(p.mistakes, Mistake{at, path, fmt.Sprintf(format, args...)})
	return &value{at: at}
}

// value makes the value of a node. It resolves aliases.
func (p *parser) value(n *yaml.Node, path string, depth int) *value {
	at := p.at(n)
	if p.stopped {
		return &value{at: at}
	}
	if p.values++; p.values > maxValues || depth > maxDepth {
		p.stopped = true
		return p.mistake(at, path, "the file has more than %d values, or is nested more than %d deep; aliases count as what they repeat", maxValues, maxDepth)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return p.value(n.Content[0], path, depth)
	case yaml.AliasNode:
		return p.value(n.Alias, path, depth+1)
	case yaml.MappingNode:
		return p.object(n, path, depth)
	case yaml.SequenceNode:
		made := &value{kind: list, at: at, elements: make([]*value, len(n.Content))}
		for i, each := range n.Content {
			made.elements[i] = p.value(each, fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
		return made
	}
	switch n.ShortTag() {
	case "!!null":
		return &value{at: at}
	case "!!bool":
		var flag bool
		if n.Decode(&flag) != nil {
			return p.mistake(at, path, "%q is neither true nor false", n.Value)
		}
		return &value{kind: boolean, at: at, text: strconv.FormatBool(flag)}
	case "!!int", "!!float":
		return &value{kind: number, at: at, text: n.Value}
	case "!!str", "!!timestamp":
		return &value{kind: text, at: at, text: n.Value}
	}
	return p.mistake(at, path, "the YAML tag %s is not possible here", n.Tag)
}

// object makes an object. Members that a merge key (<<) brings stand behind its own.
func (p *parser) object(n *yaml.Node, path string, depth int) *value {
	made := &value{kind: object, at: p.at(n)}
	known, merged := map[string]int{}, []*value{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, of := n.Content[i], n.Content[i+1]
		at := p.at(name)
		if name.ShortTag() == "!!merge" {
			merged = append(merged, p.merged(of, path, depth+1)...)
			continue
		}
		for name.Kind == yaml.AliasNode {
			name = name.Alias
		}
		if name.Kind != yaml.ScalarNode {
			p.mistake(at, path, "a key must be a text")
			continue
		}
		if line, twice := known[name.Value]; twice {
			p.mistake(at, join(path, name.Value), "the key stands twice; the first one is in line %d", line)
			continue
		}
		known[name.Value] = at.Line
		made.members = append(made.members, member{name.Value, at, p.value(of, join(path, name.Value), depth+1)})
	}
	for _, more := range merged {
		for _, m := range more.members {
			if _, own := known[m.name]; !own {
				known[m.name] = m.at.Line
				made.members = append(made.members, m)
			}
		}
	}
	return made
}

// merged returns the objects that a merge key names.
func (p *parser) merged(n *yaml.Node, path string, depth int) []*value {
	of := p.value(n, path, depth)
	switch of.kind {
	case object:
		return []*value{of}
	case list:
		for _, each := range of.elements {
			if each.kind != object {
				p.mistake(each.at, path, "<< takes objects, and this is %s", each.kind)
			}
		}
		return of.elements
	}
	p.mistake(of.at, path, "<< takes an object, and this is %s", of.kind)
	return nil
}

// join returns the path of a member.
func join(path, name string) string {
	if plainName.MatchString(name) {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	return fmt.Sprintf("%s[%q]", path, name)
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
