//go:build unix

package costs

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Prices holds the document's prices and assumptions.
type Prices struct {
	document *Document
	each     map[string]float64 // dollars for one unit
	assumed  map[string]float64 // ms, bytes
	rows     map[string]Row     // of every section
}

// Prices reads the tables "Prices" and "Assumptions", and every operation.
func (d *Document) Prices() (*Prices, error) {
	p := &Prices{d, map[string]float64{}, map[string]float64{}, map[string]Row{}}
	for heading, into := range map[string]map[string]float64{"Prices": p.each, "Assumptions": p.assumed} {
		table, err := d.Table(heading)
		if err != nil {
			return nil, err
		}
		for _, cells := range table {
			figure, unit, _ := strings.Cut(cells["Figure"], " ")
			n, err := number(figure)
			if err != nil {
				return nil, fmt.Errorf("costs.md, %s: %w", heading, err)
			}
			if strings.HasPrefix(unit, "a million") {
				n /= 1e6
			}
			into[cells["What"]] = n
		}
	}
	for _, section := range d.Sections() {
		rows, err := d.Operations(section)
		if err != nil {
			return nil, err
		}
		for name, row := range rows {
			if _, twice := p.rows[name]; twice {
				return nil, fmt.Errorf("costs.md: the operation %q stands in two sections", name)
			}
			p.rows[name] = row
		}
	}
	return p, nil
}

// price returns the price of one unit.
func (p *Prices) price(name string) float64 { return named(p.each, name) }

func named(list map[string]float64, name string) float64 {
	n, ok := list[name]
	if !ok {
		return math.NaN() // equals nothing that the document says
	}
	return n
}

// storage returns the price of storage for one operation, in dollars.
func (p *Prices) storage(u Use) float64 {
	return u.Reads*p.price("DynamoDB read unit") + u.Writes*p.price("DynamoDB write unit") +
		float64(u.S3["PUT"])*p.price("S3 PUT") + float64(u.S3["GET"])*p.price("S3 GET")
}

// all returns the whole price of one operation, in dollars: storage, gateway, functions and
// logs.
func (p *Prices) all(u Use) float64 {
	sum := p.storage(u)
	requests := 0
	for _, function := range p.document.Template.Functions {
		n := u.Lambda[function.Group]
		if n == 0 {
			continue
		}
		ms := named(p.assumed, "time of the authorizer")
		if function.Group != "authorizer" {
			ms = p.time(u)
		}
		sum += float64(n) * (p.price("Lambda invocation") + ms/1000*float64(function.MemoryMB)/1024*p.price("Lambda GB-second"))
		if len(function.Routes) > 0 {
			requests += n
		}
	}
	return sum + float64(requests)*(p.price("gateway request")+named(p.assumed, "log of a request")/1e9*p.price("log GB"))
}

// time returns how long a function takes, in milliseconds, if it makes its calls one after the
// other.
func (p *Prices) time(u Use) float64 {
	ms := named(p.assumed, "time of a function itself")
	for _, n := range u.DynamoDB {
		ms += float64(n) * named(p.assumed, "time of a DynamoDB call")
	}
	for _, n := range u.S3 {
		ms += float64(n) * named(p.assumed, "time of an S3 request")
	}
	return ms
}

// Wrong lists the operations' prices that do not follow from their units.
func (p *Prices) Wrong() []string {
	var wrong []string
	for name, row := range p.rows {
		for column, want := range map[string]float64{"Storage": p.storage(row.Use) * 1e6, "In all": p.all(row.Use) * 1e6} {
			if cell, ok := row.cells[column]; ok && !says(cell, want) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is %s, computed $%.4f a million", name, column, cell, want))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// part matches one part of a sum: "10,486 × *set, chunk*".
var part = regexp.MustCompile(`([0-9.,]+) × \*([^*]+)\*`)

// WrongSums lists the sums of a table that do not follow from their parts. A part is an
// operation or a price.
func (p *Prices) WrongSums(heading string) ([]string, error) {
	table, err := p.document.Table(heading)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for _, cells := range table {
		storage, all := 0.0, 0.0
		for _, found := range part.FindAllStringSubmatch(cells["Made of"], -1) {
			n, err := number(found[1])
			if err != nil {
				return nil, fmt.Errorf("costs.md, %s: %w", heading, err)
			}
			row, isRow := p.rows[found[2]]
			price, isPrice := p.each[found[2]]
			switch {
			case isRow:
				storage += n * p.storage(row.Use)
				all += n * p.all(row.Use)
			case isPrice:
				storage += n * price
				all += n * price
			default:
				wrong = append(wrong, fmt.Sprintf("%s: made of %q, which is no operation and no price", cells["What"], found[2]))
			}
		}
		if !says(cells["Storage"], storage) || !says(cells["In all"], all) {
			wrong = append(wrong, fmt.Sprintf("%s: %s and %s, computed $%.6f and $%.6f", cells["What"], cells["Storage"], cells["In all"], storage, all))
		}
	}
	return wrong, nil
}

// says reports whether a cell states this number of dollars, rounded to the cell's number of
// decimals.
func says(cell string, dollars float64) bool {
	cell = strings.ReplaceAll(cell, "**", "")
	n, err := number(cell)
	if err != nil || !strings.HasPrefix(cell, "$") {
		return false
	}
	_, decimals, _ := strings.Cut(cell, ".")
	scale := math.Pow10(len(decimals))
	return math.Abs(math.Round(dollars*scale+1e-6)-math.Round(n*scale)) < 0.5
}
