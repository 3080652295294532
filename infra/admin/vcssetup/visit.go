package vcssetup

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
)

// outcome is how a creation ended.
type outcome struct {
	app Created
	err error
}

// visit is the way of the browser from the page to GitHub and back.
type visit struct {
	Creation
	// host is the address of the page, and path is where the page is at that
	// address. Nobody else on this machine knows the path.
	host, path string
	// state proves that the browser comes back from the place to which it was sent.
	state string
	begun chan struct{} // holds one item while the code is exchanged, and after that
	done  chan outcome
}

func (v *visit) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+v.path, v.page)
	mux.HandleFunc("GET "+v.path+"/created", v.created)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// If the name of another site points to this address, the browser sends
		// that name as the host.
		if r.Host != v.host {
			http.Error(w, "this page has another address", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	})
}

func (v *visit) page(w http.ResponseWriter, _ *http.Request) {
	text, err := v.App.manifest("http://" + v.host + v.path + "/created")
	if err != nil {
		http.Error(w, "the manifest could not be written", http.StatusInternalServerError)
		return
	}
	_ = page.Execute(w, map[string]string{"Action": v.form(v.state), "Manifest": text})
}

func (v *visit) created(w http.ResponseWriter, r *http.Request) {
	// Another site may send the browser here with a code of its own App.
	if subtle.ConstantTimeCompare([]byte(r.FormValue("state")), []byte(v.state)) != 1 || r.FormValue("code") == "" {
		http.Error(w, "this is not the App that you began to create here", http.StatusBadRequest)
		return
	}
	select {
	case v.begun <- struct{}{}:
	default: // GitHub accepts a code once, and the first one is being exchanged
		http.Error(w, "the App is being stored: the terminal says how that goes", http.StatusConflict)
		return
	}
	// If somebody interrupts the command or closes the browser, the secrets of an
	// App that exists must not be lost.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), exchangeTime)
	defer cancel()
	app, err := v.finish(ctx, r.FormValue("code"))
	if err != nil {
		http.Error(w, "The App could not be stored. The terminal says why.", http.StatusBadGateway)
	} else {
		fmt.Fprintln(w, "The GitHub App is created, and its secrets are stored. Go on in the terminal.")
	}
	v.done <- outcome{app, err}
}

// interrupted returns the outcome if the command is interrupted: no App. If an App
// is being stored at that moment, it waits for that and returns its outcome.
func (v *visit) interrupted() outcome {
	select {
	case v.begun <- struct{}{}: // from now on no App is stored
		return outcome{err: errors.New("interrupted: no secrets are stored. If GitHub has made an App, delete it there, then start again")}
	default:
		return <-v.done
	}
}
