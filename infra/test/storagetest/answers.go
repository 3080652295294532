//go:build unix

package storagetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// answer returns the response that AWS sends for a kind of failure.
func answer(r *http.Request, kind Kind) (*http.Response, error) {
	defer func() {
		if r.Body != nil {
			_ = r.Body.Close()
		}
	}()
	op := operation(r)
	if strings.HasPrefix(op, "s3:") {
		if kind == Throttle {
			return reply(r, http.StatusServiceUnavailable, "application/xml", s3Error("SlowDown")), nil
		}
		return reply(r, http.StatusInternalServerError, "application/xml", s3Error("InternalError")), nil
	}
	status := http.StatusBadRequest
	var body map[string]any
	switch kind {
	case Throttle:
		body = dynamoError("ProvisionedThroughputExceededException", "throughput exceeded")
	case Conflict:
		body = dynamoError("TransactionConflictException", "transaction is ongoing for the item")
		if op == "TransactWriteItems" {
			items, err := transactItems(r)
			if err != nil {
				return nil, err
			}
			body = cancelled(items)
		}
	default:
		status, body = http.StatusInternalServerError, dynamoError("InternalServerError", "internal server error")
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return reply(r, status, "application/x-amz-json-1.0", string(text)), nil
}

func dynamoError(name, message string) map[string]any {
	return map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + name, "message": message}
}

// cancelled returns how a transaction of n items reports a conflict on its first item.
func cancelled(n int) map[string]any {
	reasons := make([]map[string]string, n)
	for i := range reasons {
		reasons[i] = map[string]string{"Code": "None"}
	}
	if n > 0 {
		reasons[0] = map[string]string{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
	}
	body := dynamoError("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons")
	body["Message"], body["CancellationReasons"] = body["message"], reasons
	delete(body, "message")
	return body
}

func transactItems(r *http.Request) (int, error) {
	var request struct{ TransactItems []json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return 0, fmt.Errorf("read the transaction to be refused: %w", err)
	}
	return len(request.TransactItems), nil
}

func s3Error(code string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code><Message>injected</Message></Error>`
}

func reply(r *http.Request, status int, mediaType, body string) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {mediaType}, "X-Amzn-Requestid": {"injected"}},
		Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}
