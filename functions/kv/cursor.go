package main

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
)

// cursorText encodes a cursor as text. A cursor is two bytes of idx, then the key.
// Callers must not interpret it. It needs no escape in a URL.
var cursorText = base64.RawURLEncoding.Strict()

func encodeCursor(p kv.Position) string {
	b := binary.BigEndian.AppendUint16(nil, uint16(p.Idx-kv.MinIdx))
	return cursorText.EncodeToString(append(b, p.Key...))
}

func decodeCursor(text string) (*kv.Position, error) {
	b, err := cursorText.DecodeString(text)
	const idxBytes = 2
	// The decoder ignores line breaks, so they are refused here.
	if err != nil || strings.ContainsAny(text, "\r\n") || len(b) < idxBytes || len(b) > idxBytes+kv.MaxKeyBytes || !utf8.Valid(b[idxBytes:]) {
		return nil, fault.Invalidf("INVALID_CURSOR", "the cursor does not come from an iteration: use the address in the header Link unchanged, or send the cursor of the response")
	}
	return &kv.Position{Key: string(b[idxBytes:]), Idx: int(binary.BigEndian.Uint16(b)) + kv.MinIdx}, nil
}
