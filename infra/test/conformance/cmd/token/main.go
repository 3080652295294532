// Command token prints an access token. It exchanges the API key CONFORMANCE_API_KEY at the
// server CONFORMANCE_URL. The conformance run is written in Python and takes its tokens from
// this command. So only one client implements the exchange and the rules for repeating it.
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
