//go:build unix

package journey

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/signing"
)

// Authority makes access tokens with the stack's own signing key. It reads the key from the
// stack's storage, which only the owner of the stack can do. Tests need it for tokens that the
// API would not make. For example, without it a test would wait a minute for an expired token.
type Authority struct {
	// Domain is the domain for which the stack's tokens are valid.
	Domain accesstoken.Domain
	// Kid and Private are the id and the private part of the current signing key.
	Kid     string
	Private ed25519.PrivateKey
}

// Authority reads the signing key. token is any access token of the stack.
func (s *Stack) Authority(t testing.TB, token string) Authority {
	t.Helper()
	store, err := s.signingKeys()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := store.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, ok := signing.Pick(keys, time.Now())
	if !ok {
		t.Fatalf("got %d signing keys, want one that signs", len(keys))
	}
	c := Read(t, token)
	return Authority{Domain: accesstoken.Domain{Issuer: c.Issuer, Audience: c.Audience[0]}, Kid: key.ID, Private: key.Private}
}

// Mint signs a token for the caller, as if the time were now.
func (a Authority) Mint(t testing.TB, caller access.Caller, now time.Time) string {
	t.Helper()
	token, err := a.Domain.Mint(a.Kid, a.Private, caller, now)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Claims is the readable content of a token. Clients must not depend on it, but tests do.
type Claims struct {
	Kid      string   `json:"kid"`
	Issuer   string   `json:"iss"`
	Audience []string `json:"aud"`
	Expires  int64    `json:"exp"`
	User     string   `json:"sub"`
	Key      string   `json:"key"`
}

// Read decodes a token without verifying it.
func Read(t testing.TB, token string) Claims {
	t.Helper()
	var c Claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got a token of %d parts, want 3", len(parts))
	}
	for _, part := range parts[:2] {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err != nil {
			t.Fatalf("decode token: %v", err)
		}
	}
	return c
}

// signingKeys opens the store of the stack's signing keys. The stack's description says where
// it is.
func (s *Stack) signingKeys() (*signing.Store, error) {
	db, tables, err := s.storage()
	if err != nil {
		return nil, err
	}
	return &signing.Store{DB: db, KeysTable: tables["SigningKeysTable"], TokensTable: tables["TokensTable"]}, nil
}

// storage opens the stack's database and returns the names of its tables by their logical ids.
// The stack's description says where they are.
func (s *Stack) storage() (*dynamodb.Client, map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(s.State, "stack.json"))
	if err != nil {
		return nil, nil, err
	}
	var at struct {
		DynamoDB string            `json:"dynamodb_url"`
		Tables   map[string]string `json:"tables"`
	}
	if err := json.Unmarshal(b, &at); err != nil {
		return nil, nil, fmt.Errorf("stack.json: %w", err)
	}
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(at.DynamoDB),
		Credentials: credentials.NewStaticCredentialsProvider("local", "localsecret", ""),
	}), at.Tables, nil
}
