package changeset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps change sets in RunsTable, and large ones in RunsBucket.
type Store struct {
	DB      *dynamodb.Client
	Objects *s3.Client
	// Table and Bucket are the physical names.
	Table, Bucket string
	// Keep is how long a set is kept after its evaluation, in whole seconds. Objects
	// expire by the lifecycle of the bucket. Only Write needs it.
	Keep time.Duration
}

// Prefix is the beginning of the names of all objects of change sets.
const Prefix = "changes/"

// maxInline is the largest size of stacks inside the item, compressed, in bytes. 500
// dirspaces are about 4 KB.
const maxInline = 16 << 10

// The attributes of a set's item, besides its key.
const (
	attrBase   = "base_ref"
	attrHead   = "branch_ref"
	attrMerged = "merged_ref"
	attrAt     = "at"     // Unix milliseconds
	attrStacks = "stacks" // as encode returned them
	attrObject = "object" // the name of the object that has them
	attrTTL    = "ttl"
)

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// partition is that of the change sets of an installation.
func partition(of vcs.Installation) table.Value {
	return attr.String(fmt.Sprintf("CHANGES#%s#%s", of.VCS, of.ID))
}

// ofRepository is the beginning of the sort keys of the sets of a repository.
func ofRepository(id vcs.ID) string { return string(id) + "#" }

func key(of vcs.Repository, number int64) attr.Item {
	return attr.Item{"pk": partition(of.Installation), "sk": attr.String(fmt.Sprintf("%s%d", ofRepository(of.ID), number))}
}

// folder is the beginning of the names of the objects of an installation.
func folder(of vcs.Installation) string { return fmt.Sprintf("%s%s/%s/", Prefix, of.VCS, of.ID) }

// folderOf is that of the objects of a repository.
func folderOf(r vcs.Repository) string { return fmt.Sprintf("%s%s/", folder(r.Installation), r.ID) }

// Write returns the write that makes a set the one of its pull request. It belongs in
// the transaction that stores what the evaluation decided. It cancels the transaction
// if a newer evaluation has stored a set. A large set is stored as an object first,
// which counts for nothing until the transaction has taken effect.
func (s Store) Write(ctx context.Context, set Set) (table.Write, error) {
	if err := set.Validate(); err != nil {
		return table.Write{}, err
	}
	text, err := encode(set.Stacks)
	if err != nil {
		return table.Write{}, err
	}
	item := key(set.Repository, set.Number)
	item[attrBase], item[attrHead] = attr.String(set.Base), attr.String(set.Head)
	if set.Merged != "" {
		item[attrMerged] = attr.String(set.Merged)
	}
	at := attr.Int(set.At.UnixMilli())
	item[attrAt], item[attrTTL] = at, attr.Time(set.At.Add(s.Keep))
	if len(text) <= maxInline {
		item[attrStacks] = attr.Bytes(text)
	} else {
		sum := sha256.Sum256(text)
		name := fmt.Sprintf("%s%d/%s", folderOf(set.Repository), set.Number, hex.EncodeToString(sum[:]))
		_, err := s.Objects.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.Bucket, Key: &name, Body: bytes.NewReader(text), ContentType: aws.String("application/octet-stream"),
		})
		if err != nil {
			return table.Write{}, fmt.Errorf("write change set: %w", err)
		}
		item[attrObject] = attr.String(name)
	}
	return s.table().WritePut(item, table.AbsentOr(attrAt, table.AtMost(attrAt, at))), nil
}

// Get reads the change set of a pull request, strongly consistent. It returns
// fault.ErrNotFound if there is none.
func (s Store) Get(ctx context.Context, of vcs.Repository, number int64) (Set, error) {
	item, err := s.table().Get(ctx, key(of, number))
	if err != nil {
		return Set{}, fmt.Errorf("read change set: %w", err)
	}
	if item == nil {
		return Set{}, fault.ErrNotFound
	}
	r := attr.Read(item)
	set := Set{
		Repository: of, Number: number, Base: r.String(attrBase), Head: r.String(attrHead), Merged: r.String(attrMerged),
		At: time.UnixMilli(r.Int(attrAt)).UTC(),
	}
	text, object := r.Bytes(attrStacks), r.String(attrObject)
	if err := r.Err(); err != nil {
		return Set{}, fmt.Errorf("decode change set: %w", err)
	}
	if object != "" {
		if text, err = s.object(ctx, object); err != nil {
			return Set{}, err
		}
	}
	if set.Stacks, err = decode(text); err != nil {
		return Set{}, err
	}
	return set, nil
}

// object reads an object. It returns fault.ErrNotFound if it has expired.
func (s Store) object(ctx context.Context, name string) ([]byte, error) {
	found, err := s.Objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &name})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, fault.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read change set: %w", err)
	}
	defer found.Body.Close()
	text, err := io.ReadAll(found.Body)
	if err != nil {
		return nil, fmt.Errorf("read change set: %w", err)
	}
	return text, nil
}
