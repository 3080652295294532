package secret

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// KeySize is the size of a derived key, in bytes.
const KeySize = 32

// Derive makes the key for a purpose from one value of the server's secret (HKDF,
// RFC 5869, with SHA-256). A key of one purpose discloses nothing about a key of
// another.
func Derive(server, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(server), nil, "opsplane/"+purpose, KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}
