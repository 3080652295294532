package run

import "fmt"

// Outcome says in the bits of one byte what came of one dirspace of a run. Zero
// means that nothing is known.
type Outcome byte

// The bits of an Outcome.
const (
	// HasResult says that the runner sent steps of the dirspace.
	HasResult Outcome = 1 << iota
	// Succeeded says that every step succeeded or may fail. It comes with HasResult.
	Succeeded
	// PlanStored says that the run stored a plan of the dirspace.
	PlanStored
	// HasChanges says that the plan changes something.
	HasChanges
	// Destroys says that the plan deletes something. It comes with HasChanges.
	Destroys

	allBits = HasResult | Succeeded | PlanStored | HasChanges | Destroys
)

// Has reports whether all of the bits are set.
func (o Outcome) Has(bits Outcome) bool { return o&bits == bits }

// Planned reports whether the outcome of a plan tells what it would change. Of a plan
// that failed before it was there, nobody knows it. Of an apply, HasChanges and Destroys
// say what it has done, which is no plan.
func (o Outcome) Planned() bool {
	return o.Has(HasResult) && o&(Succeeded|PlanStored|HasChanges) != 0
}

// valid reports whether the bits make sense together.
func (o Outcome) valid() bool {
	return o&^allBits == 0 && (!o.Has(Succeeded) || o.Has(HasResult)) && (!o.Has(Destroys) || o.Has(HasChanges))
}

// EncodeOutcomes returns one byte for each outcome. It refuses bits that do not make
// sense together.
func EncodeOutcomes(list []Outcome) ([]byte, error) {
	text := make([]byte, len(list))
	for i, o := range list {
		if !o.valid() {
			return nil, fmt.Errorf("outcome %d has the bits %05b, which do not belong together", i, byte(o))
		}
		text[i] = byte(o)
	}
	return text, nil
}

// DecodeOutcomes reads what EncodeOutcomes returned. It returns nil for no bytes.
func DecodeOutcomes(text []byte) []Outcome {
	if len(text) == 0 {
		return nil
	}
	list := make([]Outcome, len(text))
	for i, b := range text {
		list[i] = Outcome(b)
	}
	return list
}
