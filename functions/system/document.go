package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/opsplane/opsplane/docs"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// document is the API document as it is sent: without white space between its
// tokens. It is made at the first request for it, and not when the function starts.
var document = sync.OnceValues(func() ([]byte, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, docs.OpenAPI); err != nil {
		return nil, fmt.Errorf("API document: %w", err)
	}
	return compact.Bytes(), nil
})

// documentTag returns the entity tag of the document: the hash of its text.
func documentTag(context.Context, httpapi.Call, struct{}) (httpapi.Tag, error) {
	text, err := document()
	sum := sha256.Sum256(text)
	return httpapi.NewTag(hex.EncodeToString(sum[:])), err
}

func apiDocument(context.Context, httpapi.Call, struct{}) (httpapi.File, error) {
	text, err := document()
	return httpapi.File{ContentType: "application/json", Body: text}, err
}
