package apiclient

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// Upload says where the API wants a file to be sent: an address in the bucket that
// the API has signed, and the headers that belong to the signature.
type Upload struct {
	// URL is the address. It contains a signature, so it is a secret.
	URL string
	// Headers are sent with the file.
	Headers map[string]string
}

// errNotURL does not show the address, which may hold a signature.
var errNotURL = errors.New("the address of the file is not a URL")

// PutFile sends a file of size bytes to the bucket, once. It sends no token to the
// bucket. A response with any status is not an error.
func PutFile(ctx context.Context, via *http.Client, to Upload, file io.Reader, size int64) (Response, error) {
	if size == 0 {
		file = http.NoBody // otherwise the length would be unknown
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to.URL, file)
	if err != nil {
		return Response{}, errNotURL
	}
	req.ContentLength = size
	for name, value := range to.Headers {
		req.Header.Set(name, value)
	}
	return Send(via, req)
}

// GetFile gets a file from an address that the API has signed: the header Location
// of a redirect. It sends no token to the bucket. The file may have at most 10 MB.
// A response with any status is not an error.
func GetFile(ctx context.Context, via *http.Client, from string) (Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return Response{}, errNotURL
	}
	return Send(via, req)
}
