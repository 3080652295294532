package vcstest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// App is the configuration of the stand-in's App.
type App struct {
	Slug, ClientID string
	Permissions    map[string]string
	Events         []string
	// HookURL and HookType are the webhook's address and content type.
	HookURL, HookType string
	// Deliveries are the statuses of the last deliveries, the newest first.
	Deliveries []int
}

// SetApp replaces the App's configuration.
func (g *GitHub) SetApp(app App) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.app = app
}

// Accept sets the permissions that the installations have accepted. Until it is called, these
// are the App's permissions.
func (g *GitHub) Accept(permissions map[string]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accepted = permissions
}

// Code makes a code that the conversion of a manifest accepts once.
func (g *GitHub) Code() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	code := rand.Text()
	g.codes = append(g.codes, code)
	return code
}

// WebhookSecret and ClientSecret are the secrets of an App that was made from a manifest.
const (
	WebhookSecret = "webhook-secret-of-the-new-app"
	ClientSecret  = "client-secret-of-the-new-app"
)

// appRoutes are the endpoints about the App itself.
func (g *GitHub) appRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/v3/app-manifests/{code}/conversions", g.convert)
	mux.HandleFunc("GET /api/v3/repos/{owner}/{name}/installation", g.asApp(g.installationOf))
	mux.HandleFunc("GET /api/v3/app", g.asApp(func(*http.Request) any {
		return map[string]any{
			"id": AppID, "slug": g.app.Slug, "client_id": g.app.ClientID, "html_url": "https://github.example.com/apps/" + g.app.Slug,
			"permissions": g.app.Permissions, "events": g.app.Events,
		}
	}))
	mux.HandleFunc("GET /api/v3/app/hook/config", g.asApp(func(*http.Request) any {
		return map[string]any{"url": g.app.HookURL, "content_type": g.app.HookType, "insecure_ssl": "0"}
	}))
	mux.HandleFunc("GET /api/v3/app/hook/deliveries", g.asApp(func(*http.Request) any {
		list := []any{}
		for i, status := range g.app.Deliveries {
			list = append(list, map[string]any{
				"id": i + 1, "guid": rand.Text(), "delivered_at": time.Now().UTC().Format(time.RFC3339), "status_code": status, "event": "push",
			})
		}
		return list
	}))
	mux.HandleFunc("GET /api/v3/app/installations", g.asApp(func(*http.Request) any {
		list := []any{}
		for id := range g.installations {
			n, _ := strconv.ParseInt(id, 10, 64)
			one := map[string]any{"id": n, "account": map[string]any{"login": "account-" + id}, "permissions": g.app.Permissions}
			if g.accepted != nil {
				one["permissions"] = g.accepted
			}
			if g.suspended[id] {
				one["suspended_at"] = time.Now().UTC().Format(time.RFC3339)
			}
			list = append(list, one)
		}
		return list
	}))
}

// signed reports whether a request has a valid signature of the App.
func (g *GitHub) signed(r *http.Request) bool {
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	claims := jwt.RegisteredClaims{}
	_, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return g.public, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(strconv.Itoa(AppID)), jwt.WithExpirationRequired())
	return err == nil && !claims.ExpiresAt.After(time.Now().Add(10*time.Minute+time.Second))
}

func (g *GitHub) asApp(answer func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !g.signed(r) {
			refuse(w, http.StatusUnauthorized, "A JSON web token could not be decoded")
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		found := answer(r)
		if found == nil {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(found)
	}
}

// convert returns the App for a code. A code works once.
func (g *GitHub) convert(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, code := range g.codes {
		if code != r.PathValue("code") {
			continue
		}
		g.codes = append(g.codes[:i], g.codes[i+1:]...)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": AppID, "slug": "opsplane", "client_id": "Iv1.new", "html_url": "https://github.example.com/apps/opsplane",
			"client_secret": ClientSecret, "webhook_secret": WebhookSecret, "pem": g.Key,
		})
		return
	}
	refuse(w, http.StatusNotFound, "Not Found")
}
