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

// visit is the browser's way from the page to GitHub and back.
type visit struct {
	Creation
	// host is the address of the page, and path where on it the page is: nobody
	// else on this machine knows.
	host, path string
	// state proves that the browser comes back from where it was sent.
	state string
	begun chan struct{} // has one when the code is exchanged
	done  chan outcome
}

func (v *visit) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+v.path, v.page)
	mux.HandleFunc("GET "+v.path+"/created", v.created)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A site whose name points here would be asked for by that name.
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
	// Another site may send the browser here, with a code of an App of its own.
	if subtle.ConstantTimeCompare([]byte(r.FormValue("state")), []byte(v.state)) != 1 || r.FormValue("code") == "" {
		http.Error(w, "this is not the App that you began to create here", http.StatusBadRequest)
		return
	}
	select {
	case v.begun <- struct{}{}:
	default: // GitHub takes a code once, and the first is in work
		http.Error(w, "the App is being stored: the terminal says how that goes", http.StatusConflict)
		return
	}
	// Who interrupts the command, or closes the browser, must not lose the secrets of an App that is there.
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

// interrupted is the outcome when the command is to end: no App, unless one is
// just being stored, for which it waits.
func (v *visit) interrupted() outcome {
	select {
	case v.begun <- struct{}{}: // from now on none is
		return outcome{err: errors.New("interrupted: no secrets are stored. If GitHub has made an App, delete it there, then start again")}
	default:
		return <-v.done
	}
}
