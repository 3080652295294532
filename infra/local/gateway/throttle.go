//go:build unix

package gateway

import (
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
)

// limit admits requests by a token bucket: up to burst requests at once, and rate requests a
// second in the long run.
type limit struct {
	rate, burst float64

	mu   sync.Mutex
	left float64
	at   time.Time // the time at which left was counted
}

// admits takes a token and reports whether there was one. A nil limit admits everything.
func (l *limit) admits(now time.Time) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if passed := now.Sub(l.at); passed > 0 {
		l.left = min(l.burst, l.left+passed.Seconds()*l.rate)
		l.at = now
	}
	if l.left < 1 {
		return false
	}
	l.left--
	return true
}

// Throttle makes the gateway enforce the template's method settings from now on. A setting for
// all methods limits each method separately: API Gateway applies the settings of a stage method
// by method ("Throttle requests to your REST APIs", Amazon API Gateway Developer Guide). Call
// it before the first request.
func (g *Gateway) Throttle() {
	for _, r := range g.routes {
		for name, m := range r.methods {
			if s, ok := setting(g.api.MethodSettings, r.path, name); ok {
				m.limit = &limit{rate: s.RateLimit, burst: float64(s.BurstLimit), left: float64(s.BurstLimit), at: time.Now()}
				r.methods[name] = m
			}
		}
	}
}

// setting returns the limits of a method: the method's own setting, or else the setting for all
// methods.
func setting(settings []template.MethodSetting, path, method string) (found template.MethodSetting, ok bool) {
	for _, s := range settings {
		switch {
		case s.RateLimit == 0:
		case s.Path == path && s.Method == method:
			return s, true
		case s.Path == "*" && s.Method == "*":
			found, ok = s, true
		}
	}
	return found, ok
}
