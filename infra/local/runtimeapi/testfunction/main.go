// Command testfunction is a Lambda function that does what its event says, for
// the tests of package runtimeapi.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do    string
	Sleep time.Duration
	Bytes int
}

func main() {
	if os.Getenv("FAIL_INIT") != "" {
		fmt.Println("no start today")
		os.Exit(3)
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, e event) (map[string]any, error) {
	time.Sleep(e.Sleep)
	deadline, _ := ctx.Deadline()
	lc, _ := lambdacontext.FromContext(ctx)
	answer := map[string]any{
		"pid": os.Getpid(), "left_ms": time.Until(deadline).Milliseconds(), "id": lc.AwsRequestID,
		"arn": lc.InvokedFunctionArn, "greeting": os.Getenv("GREETING"), "home": os.Getenv("HOME"),
	}
	switch e.Do {
	case "error":
		return nil, errors.New("no")
	case "panic":
		panic("at the disco")
	case "exit":
		os.Exit(7)
	case "fork":
		// A grandchild that ignores SIGTERM and keeps our output open.
		cmd := exec.Command("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		answer["child"] = cmd.Process.Pid
	case "bytes":
		answer["text"] = strings.Repeat("x", e.Bytes)
	}
	return answer, nil
}
