package vcstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// GitHubDelivery returns the headers of a delivery of GitHub: id is that of the delivery, and
// secret is that of the App's webhook, with which it is signed.
func GitHubDelivery(event, id, secret string, body []byte) http.Header {
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write(body)
	header := http.Header{"Content-Type": {"application/json"}}
	header.Set("X-GitHub-Event", event)
	header.Set("X-GitHub-Delivery", id)
	header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum.Sum(nil)))
	return header
}

// GitLabDelivery returns the headers of a delivery of GitLab: token is that of the group's
// webhook.
func GitLabDelivery(event, id, token string) http.Header {
	header := http.Header{"Content-Type": {"application/json"}}
	header.Set("X-Gitlab-Event", event)
	header.Set("X-Gitlab-Token", token)
	header.Set("Idempotency-Key", id)
	return header
}

// Paths at which this product takes the deliveries of its hosts.
const (
	GitHubEvents = "/api/github/v1/events"
	GitLabEvents = "/api/v1/gitlab/events"
)
