package canonical

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// plain reports whether a canonical string contains c without an escape. This holds
// for every byte but the quote, the backslash and the control characters.
func plain(c byte) bool { return c >= 0x20 && c != '"' && c != '\\' }

// string reads a string. It copies runs without escapes unchanged.
func (p *parser) string() error {
	p.at++
	p.out = append(p.out, '"')
	for {
		start := p.at
		ascii := true
		for p.at < len(p.in) && plain(p.in[p.at]) {
			ascii = ascii && p.in[p.at] < utf8.RuneSelf
			p.at++
		}
		run := p.in[start:p.at]
		if !ascii && !utf8.Valid(run) {
			return p.syntax("a string is not valid UTF-8")
		}
		p.out = append(p.out, run...)
		if p.at == len(p.in) {
			return p.syntax("a string has no end")
		}
		switch c := p.in[p.at]; {
		case c == '"':
			p.at++
			p.out = append(p.out, '"')
			return nil
		case c < 0x20:
			return p.syntax("a control character in a string must be escaped")
		}
		if err := p.escape(); err != nil {
			return err
		}
	}
}

// escape reads one escape, or both escapes of a surrogate pair.
func (p *parser) escape() error {
	if p.at+1 == len(p.in) {
		return p.syntax("a string has no end")
	}
	c := p.in[p.at+1]
	if c != 'u' {
		r, ok := shortEscapes[c]
		if !ok {
			return p.syntax("unknown escape in a string")
		}
		p.at += 2
		p.out = appendEscaped(p.out, r)
		return nil
	}
	r, ok := p.unicode()
	if !ok {
		return p.syntax(`\u needs four hexadecimal digits`)
	}
	if utf16.IsSurrogate(r) {
		low, ok := p.unicode()
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return fault.Invalidf("INVALID_JSON",
				"a string holds half of a surrogate pair (before byte %d): it stands for no character", p.at)
		}
	}
	if r == 0 && !p.nul {
		return fault.Invalidf("INVALID_JSON", `a string holds \u0000 (before byte %d), which cannot be stored`, p.at)
	}
	if r < utf8.RuneSelf {
		p.out = appendEscaped(p.out, byte(r))
		return nil
	}
	p.out = utf8.AppendRune(p.out, r)
	return nil
}

// unicode reads the \uXXXX at the present position.
func (p *parser) unicode() (rune, bool) {
	const length = len(`\uXXXX`)
	if len(p.in)-p.at < length || p.in[p.at] != '\\' || p.in[p.at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range p.in[p.at+2 : p.at+length] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	p.at += length
	return r, true
}

// shortEscapes maps the second character of each two-character escape to its
// meaning.
var shortEscapes = map[byte]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// appendEscaped writes an ASCII character in the form of a canonical string.
func appendEscaped(out []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(out, '\\', c)
	case '\b':
		return append(out, '\\', 'b')
	case '\f':
		return append(out, '\\', 'f')
	case '\n':
		return append(out, '\\', 'n')
	case '\r':
		return append(out, '\\', 'r')
	case '\t':
		return append(out, '\\', 't')
	}
	if c >= 0x20 {
		return append(out, c)
	}
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// AppendString appends s to out as a canonical JSON string with its quotes. s must
// be valid UTF-8.
func AppendString(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		if plain(s[i]) {
			out = append(out, s[i])
		} else {
			out = appendEscaped(out, s[i])
		}
	}
	return append(out, '"')
}

// DecodeString returns the text that a JSON string stands for. If an escape stands
// for no character, DecodeString refuses the string; encoding/json puts U+FFFD in
// its place. So two different texts never become one string by mistake.
// DecodeString returns an Invalid fault if text is not a string.
func DecodeString(text []byte) (string, error) {
	p := parser{in: text, nul: true}
	p.space()
	if p.peek() != '"' {
		return "", p.syntax("expected a string")
	}
	if err := p.string(); err != nil {
		return "", err
	}
	p.space()
	if p.at < len(p.in) {
		return "", p.syntax("nothing may follow the string")
	}
	return string(appendDecoded(nil, p.out[1:len(p.out)-1])), nil
}

// appendDecoded appends the text that the inside of a canonical string stands for.
func appendDecoded(out, inside []byte) []byte {
	for i := 0; i < len(inside); i++ {
		c := inside[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++
		if inside[i] != 'u' {
			out = append(out, shortEscapes[inside[i]])
			continue
		}
		n, err := strconv.ParseUint(string(inside[i+1:i+5]), 16, 8)
		if err != nil {
			panic("canonical: " + err.Error()) // appendEscaped writes no other escapes
		}
		out = append(out, byte(n))
		i += 4
	}
	return out
}
