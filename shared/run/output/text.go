package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
)

const (
	// MaxText is the longest text that Text returns itself, in bytes. As base64 it
	// fits into a response of Lambda, whatever it holds.
	MaxText = 4 << 20
	// TextLifetime is how long the address of a longer text works. The transfer has
	// to begin in this time.
	TextLifetime = 5 * time.Minute

	textType = "text/plain; charset=utf-8"
)

// Text is what steps printed. It has either the text or an address.
type Text struct {
	// Body is the text in UTF-8, with its colours. It is nil if URL is set.
	Body []byte
	// URL is an address at which S3 serves exactly the text, for TextLifetime.
	URL string
}

// StepText returns what one step printed. It returns ErrNoStep if the run has no
// such step.
func (s *Store) StepText(ctx context.Context, id run.ID, of run.Result, idx int) (Text, error) {
	if idx < 0 || idx >= of.Steps {
		return Text{}, ErrNoStep
	}
	var at found
	before := idx - 1
	err := s.walk(ctx, id, of, Request{From: &before, Limit: 1}, func(f found) bool {
		at = f
		return false
	})
	if err != nil {
		return Text{}, err
	}
	name, err := textName(id, of, fmt.Sprint(idx))
	if err != nil {
		return Text{}, err
	}
	return s.text(ctx, name, at.Length, func() ([]byte, error) {
		payload, err := s.getObject(ctx, of.Payload, fmt.Sprintf("bytes=%d-%d", at.offset, at.offset+at.Length-1))
		if err != nil {
			return nil, err
		}
		return []byte(result.Text(payload)), nil
	})
}

// ErrNoStep is returned for an idx that a run does not have.
var ErrNoStep = errors.New("the run has no such step")

// RunText returns what all steps of a run printed, each below a line that names it.
func (s *Store) RunText(ctx context.Context, id run.ID, of run.Result) (Text, error) {
	if of.Steps == 0 {
		return Text{Body: []byte{}}, nil
	}
	var entries []found
	err := s.walk(ctx, id, of, Request{Limit: of.Steps}, func(f found) bool {
		entries = append(entries, f)
		return true
	})
	if err != nil {
		return Text{}, err
	}
	name, err := textName(id, of, "all")
	if err != nil {
		return Text{}, err
	}
	last := entries[len(entries)-1]
	return s.text(ctx, name, last.offset+last.Length, func() ([]byte, error) {
		payloads, err := s.getObject(ctx, of.Payload, "")
		if err != nil {
			return nil, err
		}
		if len(payloads) != last.offset+last.Length {
			return nil, fmt.Errorf("%s has %d bytes, want %d", of.Payload, len(payloads), last.offset+last.Length)
		}
		var b bytes.Buffer
		for _, e := range entries {
			writeStep(&b, e, result.Text(payloads[e.offset:e.offset+e.Length]))
		}
		return b.Bytes(), nil
	})
}

// writeStep writes a step as people read it.
func writeStep(b *bytes.Buffer, e found, text string) {
	where := e.Type
	switch e.Type {
	case result.ScopeDirspace:
		where = e.Dir + " (" + e.Workspace + ")"
	case result.ScopeRun:
		where = e.Flow + " " + e.Subflow
	}
	fmt.Fprintf(b, "==> %d %s, %s: %s <==\n%s", e.idx, e.Name, where, state(e.Success), text)
	if text != "" && text[len(text)-1] != '\n' {
		b.WriteByte('\n')
	}
}

// textName returns the name of the object that holds a text.
func textName(id run.ID, of run.Result, what string) (string, error) {
	sum, err := sumOf(of.Payload)
	return path.Join(textsPrefix, string(id), sum, what), err
}

// text makes a text. payloads is the length of the payloads that it comes from. If
// the text is too long for a response, it becomes an object of its own, so that its
// address leads to exactly it: an address for a range of an object would work only
// for clients that send the range too. The object always has the same content and
// expires after a day.
func (s *Store) text(ctx context.Context, name string, payloads int, read func() ([]byte, error)) (Text, error) {
	if payloads > MaxText {
		if made, err := s.exists(ctx, name); err != nil || made {
			return s.address(ctx, name, err)
		}
	}
	text, err := read()
	if err != nil || len(text) <= MaxText {
		return Text{Body: text}, err
	}
	return s.address(ctx, name, s.putObject(ctx, name, text))
}

// reuse is how old a text may be that is used again. It then exists for longer than
// an address works.
const reuse = 12 * time.Hour

// exists reports whether there is an object that can be used again.
func (s *Store) exists(ctx context.Context, name string) (bool, error) {
	out, err := s.objects.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &name})
	var missing *types.NotFound
	if errors.As(err, &missing) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("head %s: %w", name, err)
	}
	return out.LastModified != nil && time.Since(*out.LastModified) < reuse, nil
}

// address signs an address of an object, if there was no error.
func (s *Store) address(ctx context.Context, name string, err error) (Text, error) {
	if err != nil {
		return Text{}, err
	}
	signed, err := s.signer.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: &name, ResponseContentType: aws.String(textType), ResponseCacheControl: aws.String("private, no-store"),
	}, s3.WithPresignExpires(TextLifetime))
	if err != nil {
		return Text{}, fmt.Errorf("sign %s: %w", name, err)
	}
	return Text{URL: signed.URL}, nil
}
