package tagquery

import "strings"

// kind is the kind of a token.
type kind int

const (
	end kind = iota
	tag
	opening
	closing
	and
	or
	not
	in
)

var keywords = map[string]kind{"and": and, "or": or, "not": not, "in": in}

func isKeyword(text string) bool {
	_, ok := keywords[strings.ToLower(text)]
	return ok
}

type token struct {
	kind kind
	text string
	at   int // byte
}

// lex splits a text into tokens; the last one is the end.
func lex(text string) ([]token, error) {
	var tokens []token
	for at := 0; at < len(text); {
		switch c := text[at]; c {
		case ' ', '\t', '\r', '\n':
			at++
		case '(', ')':
			kind := opening
			if c == ')' {
				kind = closing
			}
			tokens = append(tokens, token{kind, string(c), at})
			at++
		case '\'', '"':
			value, length, ok := unquote(text[at:])
			if !ok {
				return nil, &ParseError{at, "the quote is not closed"}
			}
			tokens = append(tokens, token{tag, value, at})
			at += length
		default:
			length := strings.IndexAny(text[at:], special)
			if length < 0 {
				length = len(text) - at
			}
			word := text[at : at+length]
			kind, keyword := keywords[strings.ToLower(word)]
			if !keyword {
				kind = tag
			}
			tokens = append(tokens, token{kind, word, at})
			at += length
		}
	}
	return append(tokens, token{end, "", len(text)}), nil
}

// unquote reads the quoted text at the beginning of text. length counts the
// quotes too.
func unquote(text string) (value string, length int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == text[0]:
			return b.String(), i + 1, true
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '\\':
			return "", 0, false
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}
