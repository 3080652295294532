package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"

	"github.com/google/uuid"
)

// The text of a key has these parts: the prefix; then the user's id, the key's id
// and the secret as one number of 64 bytes in base 62; then the CRC-32 (IEEE) of
// everything before it in base 62. Both numbers have a fixed width. The text has
// only letters, digits and one underscore. So a double click selects all of it, and
// a scanner can find it and can distinguish a real key from an invented one
// offline.
const (
	// Prefix begins every API key.
	Prefix = "opk_"
	// Length is the length of every API key, in bytes.
	Length = len(Prefix) + bodyWidth + checksumWidth

	bodyWidth     = 86 // 62^86 > 2^512
	checksumWidth = 6  // 62^6 > 2^32
	idSize        = 16
	secretSize    = 32
	bodySize      = 2*idSize + secretSize
	digits        = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// ErrMalformed refuses a text that is not an API key: it has another form, or
// its checksum is wrong.
var ErrMalformed = errors.New("malformed API key")

// Secret is what the text of a key holds. It must never be stored or logged.
type Secret struct {
	// User and ID are the owner and the key that the text names, as lower-case
	// UUIDs. They are not verified.
	User, ID string
	secret   [secretSize]byte
}

// newSecret makes a key for the user, from 256 random bits.
func newSecret(user string) (Secret, error) {
	owner, err := uuid.Parse(user)
	if err != nil {
		return Secret{}, fmt.Errorf("user id: %w", err)
	}
	s := Secret{User: owner.String(), ID: uuid.NewString()}
	_, err = rand.Read(s.secret[:])
	return s, err
}

// Parse reads the text of a key offline. It does not check whether such a key
// exists.
func Parse(text string) (Secret, error) {
	if len(text) != Length || !strings.HasPrefix(text, Prefix) {
		return Secret{}, ErrMalformed
	}
	body, sum := text[:Length-checksumWidth], text[Length-checksumWidth:]
	if checksum(body) != sum {
		return Secret{}, ErrMalformed
	}
	raw, ok := decode(body[len(Prefix):])
	if !ok {
		return Secret{}, ErrMalformed
	}
	s := Secret{
		User:   uuid.UUID(raw[:idSize]).String(),
		ID:     uuid.UUID(raw[idSize : 2*idSize]).String(),
		secret: [secretSize]byte(raw[2*idSize:]),
	}
	return s, nil
}

// text returns the text of a key. It is the inverse of Parse.
func (s Secret) text() string {
	user, id := uuid.MustParse(s.User), uuid.MustParse(s.ID)
	raw := append(append(user[:], id[:]...), s.secret[:]...)
	body := Prefix + encode(new(big.Int).SetBytes(raw), bodyWidth)
	return body + checksum(body)
}

// hash returns what is stored of the secret. One round of SHA-256 is enough,
// because nobody can guess 256 random bits.
func (s Secret) hash() []byte {
	h := sha256.Sum256(s.secret[:])
	return h[:]
}

// Matches reports whether k, as read from storage, is the key of this secret. The
// time that it takes does not depend on how much of the secret is right. For the
// zero Key it returns false, after the same work.
func (s Secret) Matches(k Key) bool {
	stored := k.hash
	if len(stored) != sha256.Size {
		stored = make([]byte, sha256.Size)
	}
	same := subtle.ConstantTimeCompare(s.hash(), stored) == 1
	return same && len(k.hash) == sha256.Size && k.User == s.User && k.ID == s.ID
}

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	return encode(new(big.Int).SetUint64(uint64(sum)), checksumWidth)
}

// encode writes n in base 62 with leading zeros.
func encode(n *big.Int, width int) string {
	out, base, digit := make([]byte, width), big.NewInt(int64(len(digits))), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.QuoRem(n, base, digit)
		out[i] = digits[digit.Int64()]
	}
	return string(out)
}

// decode reads the body. It refuses a number that 64 bytes cannot hold, so that
// each key has only one text.
func decode(body string) ([]byte, bool) {
	n, base := new(big.Int), big.NewInt(int64(len(digits)))
	for _, c := range []byte(body) {
		i := strings.IndexByte(digits, c)
		if i < 0 {
			return nil, false
		}
		n.Add(n.Mul(n, base), big.NewInt(int64(i)))
	}
	if n.BitLen() > 8*bodySize {
		return nil, false
	}
	return n.FillBytes(make([]byte, bodySize)), true
}
