package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"
)

// Handler is a Lambda handler in this process. It is called with one event as Lambda calls it:
// JSON in, JSON out, and a new id for each invocation.
type Handler struct {
	handler lambda.Handler
	event   []byte
	want    []byte
}

// NewHandler makes a handler from what package lambda accepts as a handler and from the file of
// an event. In the event, each old text of replace (old, new, …) is replaced by the new one.
// The response to a successful call contains the text want.
func NewHandler(handler any, want, file string, replace ...string) (*Handler, error) {
	event, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(replace); i += 2 {
		event = bytes.ReplaceAll(event, []byte(replace[i]), []byte(replace[i+1]))
	}
	var compact bytes.Buffer // Lambda sends no spaces between members
	if err := json.Compact(&compact, event); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Handler{lambda.NewHandler(handler), compact.Bytes(), []byte(want)}, nil
}

// NewEventHandler is like NewHandler, with an event instead of its file.
func NewEventHandler(handler any, want string, event any) (*Handler, error) {
	text, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return &Handler{lambda.NewHandler(handler), text, []byte(want)}, nil
}

// OK is a part of the response to a successful request.
const OK = `"statusCode":200`

// Invoke makes one call. It returns an error if the response is not the wanted one.
func (h *Handler) Invoke() error {
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: uuid.NewString()})
	response, err := h.handler.Invoke(ctx, h.event)
	if err != nil {
		return err
	}
	if !bytes.Contains(response, h.want) {
		return fmt.Errorf("the handler returned %.300s", response)
	}
	return nil
}
