package main

import (
	"context"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/credential/signing"
)

// signer remembers the signing keys.
type signer struct {
	read func(context.Context) ([]signing.Key, error)

	mu     sync.Mutex // one reader at a time: the others use what it reads
	keys   []signing.Key
	readAt time.Time
}

// key returns the key to sign with at the time now. It reads the keys again if they
// were read signing.SignerAge ago or earlier. The age is measured by the wall
// clock, because the monotonic clock may stop while a function is frozen. If there
// is no key, that is a Busy fault and is not remembered.
func (s *signer) key(ctx context.Context, now time.Time) (signing.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := now.Round(0).Sub(s.readAt.Round(0))
	key, ok := signing.Pick(s.keys, now)
	if !ok || age < 0 || age >= signing.SignerAge {
		keys, err := s.read(ctx)
		if err != nil {
			return signing.Key{}, err
		}
		s.keys, s.readAt = keys, now
		key, ok = signing.Pick(keys, now)
	}
	if !ok {
		return signing.Key{}, fault.Busyf("NO_SIGNING_KEY",
			"this server has no signing key yet: its operator makes one with the admin command \"signing-key rotate\"")
	}
	return key, nil
}
