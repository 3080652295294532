package result

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// place says where in a payload a value stands, and so what may be kept of it.
type place int

const (
	// whole is a value that is kept as it is: not a payload.
	whole place = iota
	// plain is a value of a payload outside of outputs.
	plain
	// outputs is the value of a member named outputs: an object of outputs by their
	// names.
	outputs
	// output is one output. It is kept only if it is an object that says that it is
	// not sensitive. An output that says nothing is treated as sensitive: Terraform
	// and OpenTofu always say it, and what another program prints may be a secret.
	// A value that was shown by mistake cannot be taken back.
	output
	// inside is a value inside an output that is not sensitive. An object that says
	// there that it is sensitive is treated as an output.
	inside
)

// appendValue adds a JSON value to out in the form in which it is kept: without
// white space, without the values of sensitive outputs, and with texts that every
// JSON reader can read. The value must be valid JSON.
func appendValue(out []byte, value json.RawMessage, at place) ([]byte, error) {
	w := writer{in: value, out: out}
	err := w.value(1, at)
	return w.out, err
}

// writer copies a JSON value in one pass.
type writer struct {
	in  []byte
	at  int
	out []byte
}

func (w *writer) value(depth int, at place) error {
	from := len(w.out)
	switch c := w.next(); {
	case depth > MaxDepth && (c == '{' || c == '['):
		return problemf("", "has arrays and objects that are nested more than %d deep", MaxDepth)
	case c == '{':
		return w.object(depth, at)
	case c == '[' && at != output:
		return w.array(depth, at)
	case c == '[':
		if err := w.array(depth, inside); err != nil {
			return err
		}
	case c == '"':
		w.text()
	default:
		w.literal()
	}
	switch at {
	case outputs:
		w.out = append(w.out[:from], "null"...)
	case output:
		w.out = append(w.out[:from], hidden...)
	}
	return nil
}

// hidden is what remains of an output whose type is not known.
const hidden = `{"sensitive":true}`

// next returns the first byte of what follows, behind white space.
func (w *writer) next() byte {
	for bytes.IndexByte([]byte(" \t\r\n"), w.in[w.at]) >= 0 {
		w.at++
	}
	return w.in[w.at]
}

// literal copies a number, true, false or null.
func (w *writer) literal() {
	for w.at < len(w.in) && bytes.IndexByte([]byte(" \t\r\n,]}"), w.in[w.at]) < 0 {
		w.out = append(w.out, w.in[w.at])
		w.at++
	}
}

// symbol copies one byte.
func (w *writer) symbol() {
	w.out = append(w.out, w.in[w.at])
	w.at++
}

func (w *writer) array(depth int, at place) error {
	if at == outputs {
		at = output
	}
	w.symbol()
	for c := w.next(); c != ']'; c = w.next() {
		if c == ',' {
			w.symbol()
		}
		if err := w.value(depth+1, at); err != nil {
			return err
		}
	}
	w.symbol()
	return nil
}

func (w *writer) object(depth int, at place) error {
	from := len(w.out)
	said, public := false, true // whether it says that it is sensitive, and that it is not
	var kept []byte             // the type
	w.symbol()
	for c := w.next(); c != '}'; c = w.next() {
		if c == ',' {
			w.symbol()
			w.next()
		}
		start := len(w.out)
		w.text()
		name := memberName(w.out[start:])
		w.next()
		w.symbol() // the colon
		start = len(w.out)
		if err := w.value(depth+1, below(at, name)); err != nil {
			return err
		}
		switch value := w.out[start:]; {
		case at != output && at != inside:
		case name == "sensitive":
			said, public = true, public && string(value) == "false"
		case name == "type":
			kept = slices.Clone(value)
		}
	}
	w.symbol()
	if at == output && !(said && public) || at == inside && said && !public {
		w.out = append(w.out[:from], `{"sensitive":true`...)
		if kept != nil && isType(kept) {
			w.out = append(append(w.out, `,"type":`...), kept...)
		}
		w.out = append(w.out, '}')
	}
	return nil
}

// below returns the place of a member of an object.
func below(at place, name string) place {
	switch {
	case at == plain && name == "outputs":
		return outputs
	case at == outputs:
		return output
	case at == output:
		return inside
	}
	return at
}

// memberName returns the name of a member.
func memberName(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	text, _ := decodeText(quoted)
	return text
}

// text copies a string. NUL characters, which many JSON readers refuse, become the
// visible symbol U+2400. Half of a surrogate pair and bytes that are not UTF-8
// become U+FFFD.
func (w *writer) text() {
	end := w.at + 1
	for w.in[end] != '"' {
		if w.in[end] == '\\' {
			end++
		}
		end++
	}
	s := w.in[w.at : end+1]
	w.at = end + 1
	if bytes.IndexByte(s, '\\') < 0 && utf8.Valid(s) {
		w.out = append(w.out, s...)
		return
	}
	from := 0 // of what is not yet copied
	for n := 0; n < len(s); {
		length, instead := 1, ""
		switch c := s[n]; {
		case c == '\\' && s[n+1] != 'u':
			length = 2
		case c == '\\':
			length, instead = escape(s[n:])
		case c >= utf8.RuneSelf:
			var r rune
			if r, length = utf8.DecodeRune(s[n:]); r == utf8.RuneError && length == 1 {
				instead = "\uFFFD"
			}
		}
		if instead != "" {
			w.out = append(append(w.out, s[from:n]...), instead...)
			from = n + length
		}
		n += length
	}
	w.out = append(w.out, s[from:]...)
}

// escape returns the length of the escaped character with which s begins, and what
// is kept instead of it; empty if it is kept.
func escape(s []byte) (length int, instead string) {
	const one = len(`\u0000`)
	switch r := unhex(s); {
	case r == 0:
		return one, `\u2400`
	case !utf16.IsSurrogate(r):
		return one, ""
	case len(s) >= 2*one && s[one] == '\\' && s[one+1] == 'u' && utf16.DecodeRune(r, unhex(s[one:])) != utf8.RuneError:
		return 2 * one, ""
	}
	return one, `\ufffd`
}

// unhex returns the number of an escape.
func unhex(s []byte) rune {
	var r rune
	for _, c := range s[2:6] {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}

// isType reports whether a JSON text is a type as Terraform writes it: "string",
// ["list","string"], ["object",{"name":"string"}] and so on. Another text could
// hold anything.
func isType(text []byte) bool {
	var t any
	return json.Unmarshal(text, &t) == nil && typed(t)
}

func typed(t any) bool {
	switch t := t.(type) {
	case string:
		return slices.Contains([]string{"string", "number", "bool", "dynamic"}, t)
	case []any:
		if len(t) != 2 {
			return false
		}
		switch t[0] {
		case "list", "set", "map":
			return typed(t[1])
		case "tuple":
			elements, ok := t[1].([]any)
			return ok && !slices.ContainsFunc(elements, func(e any) bool { return !typed(e) })
		case "object":
			members, ok := t[1].(map[string]any)
			for _, member := range members {
				ok = ok && typed(member)
			}
			return ok
		}
	}
	return false
}
