package object_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/object"
)

func bucket(t *testing.T) object.Bucket {
	env := storagetest.New(t)
	return object.Bucket{Client: env.S3, Name: env.Bucket("RunsBucket")}
}

func put(t *testing.T, b object.Bucket, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := b.Put(t.Context(), name, []byte("body of "+name)); err != nil {
			t.Fatal(err)
		}
	}
}

// missing reports whether there is no object with a name. It fails the test if an object
// has another body than was written.
func missing(t *testing.T, b object.Bucket, name string) bool {
	t.Helper()
	body, err := b.Get(t.Context(), name)
	var gone *types.NoSuchKey
	if errors.As(err, &gone) {
		return true
	}
	if err != nil || string(body) != "body of "+name {
		t.Errorf("%s: got %q, %v", name, body, err)
	}
	return false
}

func TestObjectIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	b := bucket(t)
	put(t, b, "evaluations/github/42/7/a")
	if missing(t, b, "evaluations/github/42/7/a") {
		t.Error("the object is missing")
	}
	if !missing(t, b, "evaluations/github/42/7/b") {
		t.Error("an object is there that nobody has written")
	}
}

func TestRemovalTakesTheObjectsBelowANameInParts(t *testing.T) {
	t.Parallel()
	b := bucket(t)
	var names []string
	for n := range 5 {
		names = append(names, fmt.Sprintf("evaluations/github/42/7/%d", n))
	}
	other := "evaluations/github/42/70/0"
	put(t, b, append(names, other)...)
	calls := 0
	for more := true; more; calls++ {
		var err error
		if more, err = b.Remove(t.Context(), "evaluations/github/42/7/", 2); err != nil || calls > 5 {
			t.Fatalf("call %d: %v", calls, err)
		}
	}
	if calls != 3 {
		t.Errorf("%d calls remove five objects, want 3", calls)
	}
	for _, name := range names {
		if !missing(t, b, name) {
			t.Errorf("%s is left", name)
		}
	}
	if missing(t, b, other) {
		t.Error("an object of another repository was removed")
	}
	if more, err := b.Remove(t.Context(), "evaluations/github/42/7/", 2); more || err != nil {
		t.Errorf("where nothing is: %t, %v", more, err)
	}
}
