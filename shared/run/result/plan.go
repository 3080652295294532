package result

import (
	"bytes"
	"encoding/json"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/api/jsonobject"
)

// Counts are numbers of resources that a plan would change, or that an apply has
// changed, as the program itself sums them up.
type Counts struct {
	// Add, Change and Destroy are the resources that are added, changed in place
	// and destroyed. A replacement counts as both added and destroyed.
	Add, Change, Destroy int
	// Replace are the replacements; nil for an apply, whose text does not number
	// them.
	Replace *int
}

// learn takes from a step what queries ask for. A step that failed says nothing
// that can be relied on.
func (d *Dirspace) learn(step Step, payload []byte) {
	planned, applied := strings.HasSuffix(step.Name, "/plan"), strings.HasSuffix(step.Name, "/apply")
	if !planned && !applied || !step.Success {
		return
	}
	var changes *bool
	var text, diff json.RawMessage
	for name, value := range jsonobject.Members(payload) {
		switch {
		case name == "text" && kind(value) == "a string":
			text = value
		case name == "plan" && kind(value) == "a string":
			diff = value
		case name == "has_changes" && kind(value) == "a boolean" && planned:
			changes = both(nil, string(value) == "true")
		case name == "outputs" && kind(value) == "an object" && applied:
			d.Outputs = value
		}
	}
	if text == nil {
		text = diff // of a body in the old form
	}
	d.Counts = sum(text, planned)
	if !planned {
		return
	}
	d.HasChanges = changes
	if d.Counts == nil && changes != nil && !*changes {
		d.Counts = &Counts{Replace: new(int)}
	}
}

// The sentences that sum up a plan or an apply. Each stands at the beginning of
// its line. Values of resources are indented there, so that no text in a
// repository can pass for one of them.
var (
	// Terragrunt may put the time, the unit and the program in front.
	planSum  = regexp.MustCompile(prefix + `Plan: ` + numbers)
	applySum = regexp.MustCompile(prefix + `(?:Apply|Destroy) complete! Resources: ` + numbers)
	// Terraform says one of these instead of numbers.
	nothing = regexp.MustCompile(prefix + `(?:No changes\.|You can apply this plan to save these new output values)`)

	replacement = regexp.MustCompile(prefix + `(?:-/\+|\+/-) resource "`)
	colour      = regexp.MustCompile("\x1b\\[[0-9;]*m")

	// Pulumi lists one number on a line, below the line "Resources:".
	pulumiSum = regexp.MustCompile(`^    (?:[-+~>=]|\+-|\+\+|--) ?([0-9]{1,9}) ((?:to )?[a-z]+)$`)
)

const (
	prefix  = `^(?:(?:[0-9:.]+ )?(?:STDOUT|INFO) +(?:\[[^\]]*\] +)?[a-z]+: |\[[^\]]*\] +)?`
	numbers = `([0-9]{1,9} (?:to )?[a-z]+(?:, [0-9]{1,9} (?:to )?[a-z]+)*)`
)

// sum reads the numbers from the text of a plan or an apply, which is a JSON
// string. A text with several summaries, as of a stack of Terragrunt units, has
// their sum. Without any, the numbers are not known.
func sum(text json.RawMessage, planned bool) *Counts {
	if len(text) < 2 {
		return nil
	}
	var c Counts
	found, pulumi, replaced := false, false, 0
	for raw := range lines(text[1 : len(text)-1]) {
		if pulumi = pulumi && bytes.HasPrefix(raw, []byte("    ")); !pulumi && !interesting(raw) {
			continue
		}
		line := plainLine(raw)
		switch numbers := pulumiSum.FindStringSubmatch(line); {
		case line == "Resources:":
			pulumi = true
			continue
		case pulumi && numbers != nil:
			found = c.add(numbers[1], numbers[2], planned, &replaced) || found
			continue
		}
		pulumi = false
		form := applySum
		if planned {
			form = planSum
		}
		if match := form.FindStringSubmatch(line); match != nil {
			found = true
			for part := range strings.SplitSeq(match[1], ", ") {
				number, verb, _ := strings.Cut(part, " ")
				c.add(number, verb, planned, &replaced)
			}
		}
		found = found || planned && nothing.MatchString(line)
		if planned && replacement.MatchString(line) {
			replaced++
		}
	}
	switch {
	case !found:
		return nil
	case planned && replaced <= min(c.Add, c.Destroy):
		c.Replace = &replaced
	}
	return &c
}

// add adds a number of resources, and reports whether it knows the verb.
func (c *Counts) add(number, verb string, planned bool, replaced *int) bool {
	verb, future := strings.CutPrefix(verb, "to ")
	n, err := strconv.Atoi(number)
	if err != nil || future != planned {
		return false
	}
	switch verb {
	case "add", "added", "create", "created":
		c.Add += n
	case "change", "changed", "update", "updated":
		c.Change += n
	case "destroy", "destroyed", "delete", "deleted":
		c.Destroy += n
	case "replace", "replaced":
		c.Add, c.Destroy = c.Add+n, c.Destroy+n
		*replaced += n
	default: // import, forget, unchanged and others
		return false
	}
	return true
}

// interesting reports whether a line may sum something up. Most lines do not, and
// need not be decoded.
func interesting(raw []byte) bool {
	for _, part := range []string{"Plan:", "complete!", "No changes.", "can apply this plan", "Resources:"} {
		if bytes.Contains(raw, []byte(part)) {
			return true
		}
	}
	// A replacement is -/+ or +/-, perhaps with colours between the characters.
	if before, _, ok := bytes.Cut(raw, []byte("resource ")); ok && bytes.IndexByte(before, '/') >= 0 {
		return true
	}
	return false
}

// plainLine decodes a line and takes the colours off.
func plainLine(raw []byte) string {
	var line string
	_ = json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &line) // a part of a valid string
	return strings.TrimRight(colour.ReplaceAllString(line, ""), "\r ")
}

// lines yields the lines of a JSON string without its quotes. They are still
// escaped, so that a text of megabytes is not copied.
func lines(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		from, at := 0, 0
		for {
			next := bytes.Index(raw[at:], []byte(`\n`))
			if next < 0 {
				yield(raw[from:])
				return
			}
			at += next
			escapes := 0
			for escapes < at-from && raw[at-1-escapes] == '\\' {
				escapes++
			}
			if escapes%2 == 1 { // a backslash and an n
				at++
				continue
			}
			if !yield(raw[from:at]) {
				return
			}
			at += len(`\n`)
			from = at
		}
	}
}
