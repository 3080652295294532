package dispatch

// OneByOne returns a dispatcher whose sweeps do one thing after the other.
func (d Dispatcher) OneByOne() Dispatcher {
	d.oneByOne = true
	return d
}
