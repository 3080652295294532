package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"
)

// Handler is a Lambda handler in this process, called with one event as Lambda
// calls it: JSON in, JSON out, each invocation with an id of its own.
type Handler struct {
	handler lambda.Handler
	event   []byte
	want    []byte
}

// NewHandler makes a handler of a function that package lambda accepts and an
// event's file, in which each of the texts given (old, new, …) is replaced. An
// answer that went well has the text want in it.
func NewHandler(function any, want, file string, replace ...string) (*Handler, error) {
	event, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(replace); i += 2 {
		event = bytes.ReplaceAll(event, []byte(replace[i]), []byte(replace[i+1]))
	}
	return &Handler{lambda.NewHandler(function), event, []byte(want)}, nil
}

// OK stands in the answer to a request that went well.
const OK = `"statusCode":200`

// Invoke makes one call; another answer than the one wanted is an error.
func (h *Handler) Invoke() error {
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: uuid.NewString()})
	answer, err := h.handler.Invoke(ctx, h.event)
	if err != nil {
		return err
	}
	if !bytes.Contains(answer, h.want) {
		return fmt.Errorf("the handler answers %.300s", answer)
	}
	return nil
}
