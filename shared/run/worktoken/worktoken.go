// Package worktoken makes and reads the work tokens of runs. The host gives the work
// token of a run to its CI job, and the runner names the run by it in the path of each
// request. The request for the work has no other credential (runner protocol, 4.1). So
// a work token is not the id of the run, which every reader of runs sees.
//
// A work token is the id, encrypted as one block of AES-256, in the form of a UUID.
// The key is derived from the server's secret. A block cipher is a permutation: each
// id has one work token, each work token stands for one id, and without the key
// neither leads to the other. So nothing has to be stored.
package worktoken

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
)

// The key is derived from a value of the server's secret by HKDF-SHA256 (RFC 5869), for
// AES-256. Another use of the secret has another label.
const (
	label   = "opsplane work token key 1"
	keySize = 32 // bytes
)

// Tokens makes and reads work tokens.
type Tokens struct {
	secrets sealed.Secrets
}

// New returns Tokens of a server's secret. It asks for the secret on each use.
func New(secrets sealed.Secrets) Tokens { return Tokens{secrets} }

// block returns the cipher of a value of the server's secret.
func block(value []byte) (cipher.Block, error) {
	if len(value) < sealed.MinSecret {
		return nil, fmt.Errorf("the server secret has %d bytes, fewer than %d", len(value), sealed.MinSecret)
	}
	key, err := hkdf.Key(sha256.New, value, nil, label, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return aes.NewCipher(key)
}

// Of returns the work token of a run: a lower-case UUID. The newest value of the
// server's secret makes it.
func (t Tokens) Of(ctx context.Context, id run.ID) (string, error) {
	plain, err := uuid.Parse(string(id))
	if err != nil {
		return "", fmt.Errorf("make work token: %w", err)
	}
	values, err := t.secrets(ctx, false)
	if err != nil {
		return "", fmt.Errorf("read server secret: %w", err)
	}
	if len(values) == 0 {
		return "", errors.New("there is no server secret")
	}
	b, err := block(values[0])
	if err != nil {
		return "", fmt.Errorf("make work token: %w", err)
	}
	var token uuid.UUID
	b.Encrypt(token[:], plain[:])
	return token.String(), nil
}

// Runs returns the ids that a text stands for as a work token: one for each value of
// the server's secret, the newest first. The caller tries them in turn, and at most
// one is the id of a run. A text that is no UUID stands for none. After the values
// that are known, Runs reads the secret again, because another instance may have used
// a value that this one has not read yet.
func (t Tokens) Runs(ctx context.Context, text string) iter.Seq2[run.ID, error] {
	return func(yield func(run.ID, error) bool) {
		token, err := run.ParseID(text) // the same form as an id
		if err != nil {
			return
		}
		sent := uuid.MustParse(string(token))
		var tried [][]byte
		for _, latest := range []bool{false, true} {
			values, err := t.secrets(ctx, latest)
			if err != nil {
				yield("", fmt.Errorf("read server secret: %w", err))
				return
			}
			for _, value := range values {
				if slices.ContainsFunc(tried, func(v []byte) bool { return string(v) == string(value) }) {
					continue
				}
				tried = append(tried, value)
				b, err := block(value)
				if err != nil {
					yield("", fmt.Errorf("read work token: %w", err))
					return
				}
				var id uuid.UUID
				b.Decrypt(id[:], sent[:])
				if !yield(run.ID(id.String()), nil) {
					return
				}
			}
		}
	}
}

// Names reports whether a text is the work token of a run.
func (t Tokens) Names(ctx context.Context, text string, id run.ID) (bool, error) {
	for found, err := range t.Runs(ctx, text) {
		if err != nil {
			return false, err
		}
		if found == id {
			return true, nil
		}
	}
	return false, nil
}
