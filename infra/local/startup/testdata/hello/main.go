// Command hello is the smallest possible Lambda function in Go.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

type request struct {
	Name string `json:"name"`
}

type response struct {
	Greeting string `json:"greeting"`
}

func hello(_ context.Context, r request) (response, error) {
	return response{Greeting: "hello " + r.Name}, nil
}

func main() { lambda.Start(hello) }
