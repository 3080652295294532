package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/opsplane/opsplane/shared/oauth"
)

// secretAge is how long a secret that was read is used.
const secretAge = 5 * time.Minute

// secrets reads secrets by their references: file:/path, else the name or ARN of
// a secret of AWS Secrets Manager. One call of its API does not need the SDK's
// package, which every start of the function would pay for.
type secrets struct {
	config aws.Config
	now    func() time.Time

	mu   sync.Mutex
	read map[string]remembered
}

type remembered struct {
	value string
	at    time.Time
}

// text answers a secret without the white space around it.
func (s *secrets) text(reference string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if m, ok := s.read[reference]; ok && s.now().Sub(m.at) < secretAge {
			return m.value, nil
		}
		value, err := s.fetch(ctx, reference)
		if err != nil {
			return "", err
		}
		if s.read == nil {
			s.read = map[string]remembered{}
		}
		value = strings.TrimSpace(value)
		s.read[reference] = remembered{value, s.now()}
		return value, nil
	}
}

// list answers the words of a secret, the newest first: the server's secret is
// rotated by writing a new one before it.
func (s *secrets) list(reference string) func(context.Context) ([][]byte, error) {
	text := s.text(reference)
	return func(ctx context.Context) ([][]byte, error) {
		value, err := text(ctx)
		return bytes.Fields([]byte(value)), err
	}
}

func (s *secrets) fetch(ctx context.Context, reference string) (string, error) {
	if reference == "" {
		return "", errors.New("no secret is configured")
	}
	if path, ok := strings.CutPrefix(reference, "file:"); ok {
		b, err := os.ReadFile(path)
		return string(b), err
	}
	body, err := json.Marshal(map[string]string{"SecretId": reference})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://secretsmanager."+s.config.Region+".amazonaws.com/", bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	who, err := s.config.Credentials.Retrieve(ctx)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, who, req, hex.EncodeToString(sum[:]), "secretsmanager", s.config.Region, s.now()); err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	resp, err := (&http.Client{Timeout: oauth.Timeout}).Do(req)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("read secret: status %d", resp.StatusCode)
	}
	var answer struct{ SecretString string }
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer)
	return answer.SecretString, err
}
