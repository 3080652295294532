package awsclient_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/awsclient"
)

// slowAfterSending is a connection whose sender sleeps after each write until the
// server's response has begun, as on a loaded machine.
type slowAfterSending struct {
	net.Conn
	begun <-chan struct{}
}

func (c slowAfterSending) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if len(b) > 4<<10 { // the body; the headers went before it
		select {
		case <-c.begun:
			time.Sleep(20 * time.Millisecond) // until the client has seen it
		case <-time.After(5 * time.Second): // the server waits for more
		}
	}
	return n, err
}

func TestAnswerIsReadWholeThoughTheSenderSleeps(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_ = http.NewResponseController(w).Flush()
		close(begun)
		time.Sleep(200 * time.Millisecond) // a connection that fails is closed by now
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return slowAfterSending{conn, begun}, err
	}}
	defer transport.CloseIdleConnections()
	db := dynamodb.New(dynamodb.Options{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		BaseEndpoint: aws.String(server.URL), Retryer: aws.NopRetryer{},
		HTTPClient: awsclient.WithPlainBodies(&http.Client{Transport: transport}),
	})
	_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("t"),
		Item:      map[string]types.AttributeValue{"v": &types.AttributeValueMemberS{Value: strings.Repeat("v", 16<<10)}},
	})
	if err != nil {
		t.Error(err)
	}
}
