// Package webhook checks that deliveries come from VCS hosts and are not forged.
// Its invariants: it compares texts in constant time, and it stores nothing of a
// secret.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Signed reports whether a signature is that of a body. The signature is the value
// of GitHub's header X-Hub-Signature-256: "sha256=" and the HMAC-SHA256 of the
// bytes as they were sent, in hexadecimal ("Validating webhook deliveries", GitHub
// documentation). The older SHA-1 is not accepted.
func Signed(secret string, body []byte, signature string) bool {
	text, ok := strings.CutPrefix(signature, "sha256=")
	sum, err := hex.DecodeString(text)
	if !ok || err != nil || secret == "" {
		return false
	}
	return hmac.Equal(sum, mac([]byte(secret), body))
}

// Purpose is the purpose for which the key of GitLab's webhook tokens is derived
// (secret.Derive).
const Purpose = "gitlab-webhook"

// Token returns the secret token of a GitLab installation's webhook: 64 hexadecimal
// digits. The first 16 are the installation, and the others are an HMAC of it. So a
// token names its installation, and no table of tokens is needed. key is derived
// from the secret of these tokens. installation must be a positive 63-bit number;
// for another text Token returns false.
func Token(key []byte, installation vcs.ID) (string, bool) {
	id, err := strconv.ParseInt(string(installation), 10, 64)
	if err != nil || id <= 0 {
		return "", false
	}
	token := binary.BigEndian.AppendUint64(nil, uint64(id))
	token = append(token, mac(key, token)[:sha256.Size-len(token)]...)
	return hex.EncodeToString(token), true
}

// Installation returns the installation that a token belongs to. The token is the
// value of GitLab's header X-Gitlab-Token. It returns false for a token that Token
// has not made with the key.
func Installation(key []byte, token string) (vcs.ID, bool) {
	const idSize = 8
	raw, err := hex.DecodeString(token)
	if err != nil || len(raw) != sha256.Size || len(key) == 0 {
		return "", false
	}
	if !hmac.Equal(raw[idSize:], mac(key, raw[:idSize])[:sha256.Size-idSize]) {
		return "", false
	}
	return vcs.ID(strconv.FormatUint(binary.BigEndian.Uint64(raw), 10)), true
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}
