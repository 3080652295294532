// Command echo is a Lambda function without dependencies. The path of a request says what it
// does.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

const version = "v1"

type event struct {
	PathParameters map[string]string `json:"pathParameters"`
	Records        []json.RawMessage
}

func main() {
	signal.Ignore(syscall.SIGTERM) // a function that ignores signals must not keep the stack from ending
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		response, err := http.Get(api + "next")
		if err != nil {
			os.Exit(1)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		var e event
		_ = json.Unmarshal(text, &e)
		answer, _ := json.Marshal(map[string]any{"statusCode": 200, "body": handle(e)})
		response, err = http.Post(api+response.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", bytes.NewReader(answer))
		if err == nil {
			_ = response.Body.Close()
		}
	}
}

func handle(e event) string {
	if len(e.Records) > 0 {
		fmt.Printf("%d changes\n", len(e.Records))
		return ""
	}
	switch e.PathParameters["do"] {
	case "crash":
		fmt.Println("about to crash")
		os.Exit(9)
	case "hang":
		fmt.Println("hanging")
		select {}
	case "environment":
		return os.Getenv("TABLE") + " " + os.Getenv("URL") + " " + os.Getenv("AWS_ENDPOINT_URL_DYNAMODB") + " " + os.Getenv("AWS_ENDPOINT_URL_S3")
	}
	return version
}
