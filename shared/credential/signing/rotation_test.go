package signing_test

import (
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/signing"
)

// The test runs instances of the signing function and of the verifying function,
// each with a view as old as it may be. During an hour of fake time there is a
// rotation about every minute. No token may be refused while it is valid.
func TestNoTokenIsRefusedWhileKeysRotate(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	h := newRig(t)
	at := now
	h.rotate(t, signing.Planned, at)

	type signer struct {
		keys   []signing.Key
		readAt time.Time
	}
	var signers [3]signer
	var verifiers [2]signing.Authority
	type minted struct {
		token string
		until time.Time
	}
	var alive []minted
	domain := accesstoken.Domain{Issuer: "i", Audience: "a"}
	caller := access.Caller{User: uuid.NewString(), Key: uuid.NewString()}
	kids, rotations := map[string]bool{}, 0
	for range 250 {
		at = at.Add(time.Duration(random.Int64N(int64(15 * time.Second))))
		if random.IntN(8) == 0 {
			h.rotate(t, signing.Planned, at)
			rotations++
		}
		s := &signers[random.IntN(len(signers))]
		if at.Sub(s.readAt) >= signing.SignerAge {
			keys, err := h.Keys(ctx)
			if err != nil {
				t.Fatal(err)
			}
			s.keys, s.readAt = keys, at
		}
		key, ok := signing.Pick(s.keys, at)
		if !ok {
			t.Fatalf("at %v there is no key to sign with", at)
		}
		kids[key.ID] = true
		token, err := domain.Mint(key.ID, key.Private, caller, at)
		if err != nil {
			t.Fatal(err)
		}
		alive = append(alive, minted{token, at.Truncate(time.Second).Add(accesstoken.Lifetime)})
		for i := range verifiers {
			if !verifiers[i].FreshAt(at) {
				if verifiers[i], err = h.Authority(ctx, at); err != nil {
					t.Fatal(err)
				}
			}
			for _, m := range alive {
				if !at.Before(m.until) {
					continue
				}
				_, err := domain.Verify(m.token, at, func(kid string) (ed25519.PublicKey, error) {
					public, ok := verifiers[i].Key(kid, at)
					if !ok {
						return nil, errors.New("unknown key")
					}
					return public, nil
				})
				if err != nil {
					t.Fatalf("at %v, with %v left: %v", at, m.until.Sub(at), err)
				}
			}
		}
		if len(alive) > 20 {
			alive = alive[len(alive)-20:]
		}
	}
	if len(kids) < 5 {
		t.Errorf("got tokens of %d keys in %d rotations: this shows little", len(kids), rotations)
	}
}
