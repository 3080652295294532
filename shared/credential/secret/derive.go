package secret

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// KeySize is the size of a derived key, in bytes.
const KeySize = 32

// Derive makes the key of a purpose from a word of the server's secret (HKDF, RFC 5869,
// with SHA-256). Keys of different purposes tell nothing of each other.
func Derive(server, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(server), nil, "opsplane/"+purpose, KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}
