// Command token prints an access token of the server CONFORMANCE_URL, in
// exchange for the API key CONFORMANCE_API_KEY. The conformance run, which is
// written in Python, takes its tokens from it, so that one client alone knows
// how an exchange is made and when it may be repeated.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/opsplane/opsplane/infra/apiclient"
)

func main() {
	c := apiclient.Client{BaseURL: os.Getenv("CONFORMANCE_URL"), HTTP: apiclient.NewHTTPClient(1), Retry: apiclient.DefaultRetry}
	token, err := c.Exchange(context.Background(), os.Getenv("CONFORMANCE_API_KEY"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "token:", err)
		os.Exit(1)
	}
	fmt.Println(token)
}
