//go:build unix

package costs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/opsplane/opsplane/infra/test/template"
)

// Table is one table of the document. Each row maps the name of a column to a cell.
type Table []map[string]string

// Document is the content of docs/costs.md.
type Document struct {
	text string
	// Template is the product's template.
	Template *template.Template
}

// Read reads the document and the template of the repository that contains the working
// directory. It reads them once in a process.
var Read = sync.OnceValues(read)

func read() (*Document, error) {
	root, err := template.Root(".")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "costs.md"))
	if err != nil {
		return nil, err
	}
	loaded, err := template.Load(filepath.Join(root, "template.yaml"), template.Options{})
	return &Document{string(text), loaded}, err
}

// Table returns the first table below a heading.
func (d *Document) Table(heading string) (Table, error) {
	_, below, found := cutHeading(d.text, heading)
	if !found {
		return nil, fmt.Errorf("costs.md has no heading %q", heading)
	}
	var columns []string
	var table Table
	for line := range strings.Lines(below) {
		if !strings.HasPrefix(line, "|") {
			if columns != nil {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case columns == nil:
			columns = cells
		case strings.Trim(cells[0], "-:") == "":
		case len(cells) != len(columns):
			return nil, fmt.Errorf("costs.md, %s: %q has %d cells of %d", heading, cells[0], len(cells), len(columns))
		default:
			row := map[string]string{}
			for i, name := range columns {
				row[name] = cells[i]
			}
			table = append(table, row)
		}
	}
	if len(table) == 0 {
		return nil, fmt.Errorf("costs.md has no table below %q", heading)
	}
	return table, nil
}

func cutHeading(text, heading string) (before, after string, found bool) {
	for _, level := range []string{"\n## ", "\n### "} {
		if before, after, found = strings.Cut(text, level+heading+"\n"); found {
			return before, after, found
		}
	}
	return "", "", false
}

// OperationHeading is the heading of the part of the document in which every section has a
// table of operations.
const OperationHeading = "What an operation uses"

// Sections returns the headings of the tables of operations.
func (d *Document) Sections() []string {
	_, below, _ := cutHeading(d.text, OperationHeading)
	below, _, _ = strings.Cut(below, "\n## ")
	var list []string
	for line := range strings.Lines(below) {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			list = append(list, strings.TrimSpace(name))
		}
	}
	return list
}

// Operations returns the rows of a section by their names.
func (d *Document) Operations(section string) (map[string]Row, error) {
	table, err := d.Table(section)
	if err != nil {
		return nil, err
	}
	rows := map[string]Row{}
	for _, cells := range table {
		name := cells["Operation"]
		if _, twice := rows[name]; twice || name == "" {
			return nil, fmt.Errorf("costs.md, %s: %q stands there twice, or is empty", section, name)
		}
		row := Row{cells: cells}
		for _, part := range []struct {
			column string
			into   *map[string]int
		}{{"DynamoDB", &row.Use.DynamoDB}, {"S3", &row.Use.S3}, {"Lambda", &row.Use.Lambda}} {
			if *part.into, err = counts(cells[part.column]); err != nil {
				return nil, fmt.Errorf("costs.md, %s, %s: %w", section, name, err)
			}
		}
		for column, into := range map[string]*float64{"Read units": &row.Use.Reads, "Write units": &row.Use.Writes} {
			if *into, err = number(cells[column]); err != nil {
				return nil, fmt.Errorf("costs.md, %s, %s: %w", section, name, err)
			}
		}
		rows[name] = row
	}
	return rows, nil
}

// Row is one operation of the document.
type Row struct {
	// Use is what the operation uses, as the document says.
	Use   Use
	cells map[string]string
}

// counts parses a list such as "2 GetItem, UpdateItem".
func counts(cell string) (map[string]int, error) {
	list := map[string]int{}
	if cell == "" {
		return list, nil
	}
	for part := range strings.SplitSeq(cell, ", ") {
		first, name, many := strings.Cut(part, " ")
		n := 1
		if !many {
			name = first
		} else {
			f, err := number(first)
			if err != nil {
				return nil, err
			}
			n = int(f)
		}
		list[name] += n
	}
	return list, nil
}

// list formats counts as the document does, ordered by name.
func list(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] == 1 {
			parts = append(parts, name)
		} else if counts[name] != 0 {
			parts = append(parts, fmt.Sprint(counts[name], " ", name))
		}
	}
	return strings.Join(parts, ", ")
}

var figure = regexp.MustCompile(`^\$?[0-9][0-9,]*(\.[0-9]+)?$`)

// number parses a number such as 1,234.5 or $0.13. An empty cell is 0.
func number(cell string) (float64, error) {
	if cell == "" {
		return 0, nil
	}
	if !figure.MatchString(cell) {
		return 0, fmt.Errorf("%q is not a number", cell)
	}
	return strconv.ParseFloat(strings.NewReplacer("$", "", ",", "").Replace(cell), 64)
}
