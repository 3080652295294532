package vcssetup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Secrets is where a stack reads its secrets.
type Secrets interface {
	// Get returns the text of a secret, by name or ARN.
	Get(ctx context.Context, name string) (string, error)
	// Has reports whether there is a secret with a name.
	Has(ctx context.Context, name string) (bool, error)
	// Put stores a text. It replaces an earlier text.
	Put(ctx context.Context, name, text string) error
}

// Folder keeps secrets as files, as a local stack does. Its value is the path of
// the folder.
type Folder string

// Get implements Secrets.
func (f Folder) Get(_ context.Context, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(f), filepath.Base(name)))
	if err != nil {
		return "", fmt.Errorf("no file %s in %s", name, string(f))
	}
	return string(text), nil
}

// Has implements Secrets.
func (f Folder) Has(_ context.Context, name string) (bool, error) {
	_, err := os.Lstat(filepath.Join(string(f), filepath.Base(name)))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Put implements Secrets. Only the user can read the file, even if others could
// read the file before it. There is never a file with only a part of the text.
func (f Folder) Put(_ context.Context, name, text string) (err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(string(f), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(string(f), filepath.Base(name)))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// Manager is AWS Secrets Manager.
type Manager struct{ Client *secretsmanager.Client }

// Get implements Secrets.
func (m Manager) Get(ctx context.Context, name string) (string, error) {
	out, err := m.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return "", fmt.Errorf("read it from AWS Secrets Manager: %w", err)
	}
	return aws.ToString(out.SecretString), nil
}

// Has implements Secrets. A secret that is marked for deletion still has its name.
func (m Manager) Has(ctx context.Context, name string) (bool, error) {
	_, err := m.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for it in AWS Secrets Manager: %w", err)
	}
	return true, nil
}

// Put implements Secrets.
func (m Manager) Put(ctx context.Context, name, text string) error {
	_, err := m.Client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: &text})
	var exists *types.ResourceExistsException
	if errors.As(err, &exists) {
		_, err = m.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &text})
	}
	return err
}
