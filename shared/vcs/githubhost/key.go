package githubhost

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// hint says what to do about a key that cannot be read.
const hint = "store the .pem file that GitHub gives for a new private key, whole"

// ReadKey reads a private key in any form in which it may be stored: the PEM file
// that GitHub gives, or a form that other tools make of it and that is not
// ambiguous. Such a form has "\n" as two characters in place of line ends, is in
// one line, is in quotation marks, or is in base64 (the file, or only the key).
// ReadKey returns a vcshost.KeyError for anything else.
func ReadKey(text string) (*rsa.PrivateKey, error) {
	text = plain(text)
	if text == "" {
		return nil, bad("it is empty")
	}
	if strings.HasPrefix(text, "{") {
		return nil, bad("it is a JSON object: store the key itself as the secret's text, not as one of its fields")
	}
	if !strings.Contains(text, "-----") {
		decoded, err := unbase64(text)
		if err != nil {
			return nil, bad("it is neither PEM nor a key in base64: %s", hint)
		}
		if !bytes.Contains(decoded, []byte("-----BEGIN")) {
			return parse(decoded, "neither PEM nor a key in base64")
		}
		text = plain(string(decoded))
	}
	return readPEM(text)
}

func bad(format string, args ...any) error {
	return &vcshost.KeyError{Why: fmt.Sprintf(format, args...)}
}

// plain removes quotation marks and restores line ends.
func plain(text string) string {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	var unquoted string
	if json.Unmarshal([]byte(text), &unquoted) == nil {
		text = unquoted
	}
	if n := len(text); n > 1 && text[0] == text[n-1] && strings.ContainsRune("\"'`", rune(text[0])) {
		text = text[1 : n-1]
	}
	return strings.TrimSpace(strings.NewReplacer(`\r`, "", `\n`, "\n", "\r", "").Replace(text))
}

// block matches a PEM block, with anything in place of its line ends.
var block = regexp.MustCompile(`(?s)-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END [A-Z0-9 ]+-----`)

func readPEM(text string) (*rsa.PrivateKey, error) {
	blocks := block.FindAllStringSubmatch(text, -1)
	switch {
	case len(blocks) == 0 && strings.Contains(text, "-----BEGIN"):
		return nil, bad("its end is missing: %s", hint)
	case len(blocks) == 0:
		return nil, bad("its beginning is missing: %s", hint)
	case len(blocks) > 1:
		return nil, bad("there are %d keys or certificates in it: store the private key alone", len(blocks))
	}
	kind, body := blocks[0][1], blocks[0][2]
	switch {
	case kind == "RSA PRIVATE KEY" && strings.Contains(body, "ENCRYPTED"), kind == "ENCRYPTED PRIVATE KEY":
		return nil, bad("it is encrypted with a password: %s", hint)
	case kind != "RSA PRIVATE KEY" && kind != "PRIVATE KEY":
		return nil, bad("it is a %s, not an RSA private key: %s", kind, hint)
	}
	if whole, _ := pem.Decode([]byte(text)); whole != nil {
		return parse(whole.Bytes, damaged)
	}
	der, err := unbase64(body)
	if err != nil {
		return nil, bad("what stands between its first and last line is no base64: %s", hint)
	}
	return parse(der, damaged)
}

// damaged describes a PEM block that holds no key.
const damaged = "damaged, or not whole"

// parse reads both forms of a key in DER. otherwise describes the text in the error
// if the key has neither form.
func parse(der []byte, otherwise string) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, bad("it is %s: %s", otherwise, hint)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, bad("it is no RSA key: %s", hint)
	}
	return private, nil
}

// unbase64 decodes base64 of both alphabets, with white space, with or without
// padding.
func unbase64(text string) ([]byte, error) {
	text = strings.Join(strings.Fields(text), "")
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
	return base64.RawStdEncoding.DecodeString(text)
}
