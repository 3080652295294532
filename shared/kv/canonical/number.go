package canonical

import (
	"bytes"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// number reads a number and writes it as PostgreSQL writes a numeric. It keeps all
// digits and writes no exponent. It writes as many decimal places as the text has;
// an exponent moves them. Zero has no sign.
func (p *parser) number() error {
	start := p.at
	negative := p.peek() == '-'
	if negative {
		p.at++
	}
	whole := p.digits()
	if len(whole) == 0 {
		return p.syntax("a number needs digits")
	}
	if len(whole) > 1 && whole[0] == '0' {
		return p.syntax("a number may not begin with 0")
	}
	var fraction []byte
	if p.peek() == '.' {
		p.at++
		if fraction = p.digits(); len(fraction) == 0 {
			return p.syntax("a number needs digits after the point")
		}
	}
	if len(whole)+len(fraction) > MaxDigits {
		return numberTooLong(start)
	}
	if c := p.peek(); c != 'e' && c != 'E' && !negative {
		p.out = append(p.out, p.in[start:p.at]...)
		return nil
	}
	exponent, err := p.exponent()
	if err != nil {
		return err
	}

	digits := make([]byte, 0, 64)
	digits = append(append(digits, whole...), fraction...)
	point := len(whole) + exponent             // number of digits before the point; may be negative or beyond the digits
	places := max(0, len(fraction)-exponent)   // number of decimal places
	significant := bytes.TrimLeft(digits, "0") // empty for zero
	point -= len(digits) - len(significant)    // the point is now counted from the first significant digit
	if len(significant) == 0 {
		point, negative = 0, false
	}
	if max(1, point)+places > MaxDigits {
		return numberTooLong(start)
	}
	if negative {
		p.out = append(p.out, '-')
	}
	if point <= 0 {
		p.out = append(p.out, '0')
	}
	p.out = appendPlaces(p.out, significant, 0, point)
	if places > 0 {
		p.out = append(p.out, '.')
		p.out = appendPlaces(p.out, significant, point, point+places)
	}
	return nil
}

// appendPlaces appends the digits from place from up to, but without, place to.
// Place 0 is the first of digits. Places before and after digits are zeros.
func appendPlaces(out, digits []byte, from, to int) []byte {
	for i := from; i < to; i++ {
		if i >= 0 && i < len(digits) {
			out = append(out, digits[i])
		} else {
			out = append(out, '0')
		}
	}
	return out
}

// digits reads zero or more digits.
func (p *parser) digits() []byte {
	start := p.at
	for p.at < len(p.in) && p.in[p.at] >= '0' && p.in[p.at] <= '9' {
		p.at++
	}
	return p.in[start:p.at]
}

// exponent reads the exponent; 0 if there is none. A very large exponent is reduced
// to a value that still exceeds the limit on digits for any number.
func (p *parser) exponent() (int, error) {
	if c := p.peek(); c != 'e' && c != 'E' {
		return 0, nil
	}
	p.at++
	negative := p.peek() == '-'
	if negative || p.peek() == '+' {
		p.at++
	}
	digits := p.digits()
	if len(digits) == 0 {
		return 0, p.syntax("a number needs digits in its exponent")
	}
	const beyond = 4 * MaxDigits
	n := 0
	for _, c := range digits {
		n = min(beyond, n*10+int(c-'0'))
	}
	if negative {
		n = -n
	}
	return n, nil
}

func numberTooLong(at int) error {
	return fault.Invalidf("NUMBER_TOO_LONG",
		"the number at byte %d of the value has more than %d digits when written without an exponent; send it as a string", at, MaxDigits)
}
