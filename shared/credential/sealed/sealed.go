// Package sealed encrypts small secrets for storage: the tokens of users and groups
// at their hosts, and what a browser keeps for this server between two requests.
// Its invariant: a sealed text opens only in the place for which it was sealed, and
// any change of it is detected.
//
// The cipher is AES-256-GCM with a random nonce. Its key is derived from the
// server's secret by HKDF-SHA256. So the secret itself is not a cipher key, and may
// serve other purposes. GCM with random nonces is safe for 2^32 texts with one key
// (NIST SP 800-38D, 8.3), which is far more than the number of logins at a server.
package sealed

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// ErrUnsealable says that this server did not seal the text for this place. The
// text was changed or moved, or it was sealed with a secret value that the server
// no longer has.
var ErrUnsealable = errors.New("sealed text cannot be opened")

// MinSecret is the least length of a value of the server's secret, in bytes.
const MinSecret = 32

// Secrets returns the values of the server's secret, the newest first. The newest
// value seals, and every value opens. To rotate the secret, an operator puts a new
// value before the old one, and removes the old one when nothing that matters is
// sealed with it any more. The flag latest says that a text names a key that the
// known values do not give. Then Secrets should return the values as they are at
// this moment. But it may limit how often it reads them, because anonymous callers
// can invent such texts.
type Secrets func(ctx context.Context, latest bool) ([][]byte, error)

// Fixed returns secret values that never change, for tools and tests.
func Fixed(secrets ...[]byte) Secrets {
	return func(context.Context, bool) ([][]byte, error) { return secrets, nil }
}

// Box seals and opens.
type Box struct {
	secrets Secrets
}

// NewBox returns a box. It asks for the secrets on each use.
func NewBox(secrets Secrets) *Box { return &Box{secrets: secrets} }

// A sealed text consists of its form, the id of its key, the nonce and the
// encrypted text.
const (
	form     = 1
	keyID    = 8
	nonce    = 12
	overhead = 1 + keyID
)

// Labels of HKDF. Another use of the secret needs another label.
const (
	labelKey = "opsplane seal key 1"
	labelID  = "opsplane seal key id 1"
)

// key is a cipher and the id by which a sealed text names it.
type key struct {
	id     string
	cipher cipher.AEAD
}

func derive(secret []byte) (key, error) {
	if len(secret) < MinSecret {
		return key{}, fmt.Errorf("the server secret has %d bytes, fewer than %d", len(secret), MinSecret)
	}
	id, err := hkdf.Key(sha256.New, secret, nil, labelID, keyID)
	if err != nil {
		return key{}, fmt.Errorf("derive key id: %w", err)
	}
	raw, err := hkdf.Key(sha256.New, secret, nil, labelKey, 32)
	if err != nil {
		return key{}, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return key{id: string(id), cipher: aead}, err
}

// Seal encrypts text for a place, such as the key of the item that will hold it.
// Open needs the same place.
func (b *Box) Seal(ctx context.Context, place string, text []byte) ([]byte, error) {
	k, err := b.newest(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]byte, overhead+nonce, overhead+nonce+len(text)+k.cipher.Overhead())
	out[0] = form
	copy(out[1:], k.id)
	_, _ = rand.Read(out[overhead:]) // never fails: crypto/rand
	return k.cipher.Seal(out, out[overhead:], text, bound(out[:overhead], place)), nil
}

// newest returns the key that seals.
func (b *Box) newest(ctx context.Context) (key, error) {
	secrets, err := b.secrets(ctx, false)
	if err != nil {
		return key{}, fmt.Errorf("read server secret: %w", err)
	}
	if len(secrets) == 0 {
		return key{}, errors.New("there is no server secret")
	}
	return derive(secrets[0])
}

// Aged reports whether a sealed text was sealed with an older secret value than the
// newest. It must then be sealed again before the older value is removed.
func (b *Box) Aged(ctx context.Context, sealed []byte) (bool, error) {
	k, err := b.newest(ctx)
	return err == nil && k.id != id(sealed), err
}

// id returns the id of the key from the head of a sealed text. It is empty if the
// text is not a sealed text.
func id(sealed []byte) string {
	if len(sealed) < overhead+nonce || sealed[0] != form {
		return ""
	}
	return string(sealed[1:overhead])
}

// Open decrypts what Seal made for the place. It returns ErrUnsealable for anything
// else.
func (b *Box) Open(ctx context.Context, place string, sealed []byte) ([]byte, error) {
	if id(sealed) == "" {
		return nil, ErrUnsealable
	}
	// Another instance may have sealed with a secret value that this one has not
	// read yet.
	for _, latest := range []bool{false, true} {
		k, err := b.named(ctx, id(sealed), latest)
		if errors.Is(err, errNoKey) {
			continue
		}
		if err != nil {
			return nil, err
		}
		text, err := k.cipher.Open(nil, sealed[overhead:overhead+nonce], sealed[overhead+nonce:], bound(sealed[:overhead], place))
		if err != nil {
			return nil, ErrUnsealable
		}
		return text, nil
	}
	return nil, ErrUnsealable
}

// errNoKey says that no secret value gives the key with the id.
var errNoKey = errors.New("no secret has this id")

// named returns the key with an id, derived from one of the secret values.
func (b *Box) named(ctx context.Context, id string, latest bool) (key, error) {
	secrets, err := b.secrets(ctx, latest)
	if err != nil {
		return key{}, fmt.Errorf("read server secret: %w", err)
	}
	for _, secret := range secrets {
		k, err := derive(secret)
		if err != nil || k.id == id {
			return k, err
		}
	}
	return key{}, errNoKey
}

// bound returns the additional data of the cipher: the head of the sealed text, and
// the place.
func bound(head []byte, place string) []byte {
	return append(append(make([]byte, 0, len(head)+len(place)), head...), place...)
}
