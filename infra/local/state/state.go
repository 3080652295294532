//go:build unix

// Package state is the folder in which one local stack keeps its data. Its
// invariant: a stack only uses a folder that is new, empty or its own, and
// Clean removes only what a stack made, by name. So no file of the user is lost,
// whatever folder STATE names.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// The names of what a stack keeps in its folder. Whoever adds a file adds its
// name here, and Clean removes it.
const (
	// APIKey holds the first API key.
	APIKey = "api-key"
	// URL holds the address while the stack serves.
	URL = "url"
	// Description says, while the stack runs, where its servers and tables are.
	Description = "stack.json"
	// ServersLog holds what the DynamoDB and S3 servers print.
	ServersLog = "servers.log"
	// RequestsLog holds what functions log of requests, for the operator's command
	// "why". The file before it has the same name with .1 behind.
	RequestsLog = "requests.log"
	// Data is the folder of the tables and objects.
	Data = "data"
	// Functions is the folder of the functions' binaries.
	Functions = "functions"
	// Streams is the folder that says how far each stream was read.
	Streams = "streams"
	// Secrets is the folder of the secrets. A user may add secrets to it.
	Secrets = "secrets"
)

// The names of the secrets that a stack makes.
const (
	// GitHubWebhookSecret signs the deliveries of GitHub.
	GitHubWebhookSecret = "github-webhook-secret"
	// GitHubAppKey is the private key of the App at the stand-in for GitHub.
	GitHubAppKey = "github-app-private-key"
	// ServerSecret seals what the stack hands out.
	ServerSecret = "opsplane-serversecret"
	// WebhookTokenSecret makes the webhook tokens of GitLab groups.
	WebhookTokenSecret = "opsplane-webhooktokensecret"
)

const (
	lockFile   = "lock"
	ignoreFile = ".gitignore"
	// partial is the ending of a file that is being written.
	partial = ".part"
	// mark is the content of the lock file. It says that the folder is a stack's.
	mark = "This folder belongs to a local Opsplane stack.\n"
)

// made lists what a stack makes, in the order in which Clean removes it: paths
// below the folder, a folder with all that is in it.
func made() []string {
	paths := []string{
		filepath.Join(Data, "s3"), filepath.Join(Data, "dynamodb-local"),
		filepath.Join(Data, "dynamodb.sqlite"), filepath.Join(Data, "dynamodb.sqlite-shm"), filepath.Join(Data, "dynamodb.sqlite-wal"),
		filepath.Join(Data, "dynamodb.sqlite"+partial), filepath.Join(Functions, "compiled"),
	}
	for _, name := range []string{
		ignoreFile, APIKey, URL, Description, ServersLog, RequestsLog, RequestsLog + ".1",
		filepath.Join(Secrets, GitHubWebhookSecret), filepath.Join(Secrets, GitHubAppKey), filepath.Join(Secrets, ServerSecret), filepath.Join(Secrets, WebhookTokenSecret),
	} {
		paths = append(paths, name, name+partial)
	}
	return paths
}

// patterns are the forms of the names that depend on the product's functions: a
// binary lies in a folder named for its content, and each event source has a file.
var patterns = []string{
	filepath.Join(Functions, "*", strings.Repeat("[0-9a-f]", 16)),
	filepath.Join(Streams, "*Function-*.json"), filepath.Join(Streams, "*Function-*.json"+partial),
}

// Folder is the folder of one stack, which no other stack uses meanwhile.
type Folder struct {
	dir  string // absolute
	lock *os.File
}

// Open makes the folder, readable by its owner alone, and locks it. It returns
// an error, and leaves the folder as it is, if the folder holds files that are
// not a stack's, or if another stack uses it.
func Open(dir string) (*Folder, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(absolute, 0o700); err != nil {
		return nil, unusable(dir, err)
	}
	strangers, err := strangers(absolute)
	if err != nil {
		return nil, unusable(dir, err)
	}
	if len(strangers) > 0 {
		return nil, fmt.Errorf("STATE=%s is not the folder of a local stack: it holds %s; name a new or an empty folder", dir, some(strangers))
	}
	lock, err := os.OpenFile(filepath.Join(absolute, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(dir, err)
	}
	if err := take(lock); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("another stack uses %s: stop it, or choose another folder with STATE=", dir)
	}
	f := &Folder{dir: absolute, lock: lock}
	_, err = lock.WriteAt([]byte(mark), 0)
	// Keys and secrets lie here: no "git add" may take them.
	if err = errors.Join(err, f.Write(ignoreFile, "*\n")); err != nil {
		f.Close()
		return nil, unusable(dir, err)
	}
	return f, nil
}

func unusable(dir string, err error) error {
	return fmt.Errorf("STATE=%s cannot be used: %w; choose another folder with STATE=", dir, err)
}

func take(lock *os.File) error { return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// strangers returns the entries that keep a folder from being a stack's: none
// if the folder carries the mark. Without the mark it may hold secrets, which a
// user may bring before the first start, and, beside a lock, what versions
// before the mark made.
func strangers(dir string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if string(text) == mark {
		return nil, nil
	}
	allowed := []string{Secrets}
	if err == nil && len(text) == 0 {
		allowed = append(allowed, lockFile, APIKey, URL, Description, ServersLog, Data, Functions, Streams)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) {
			found = append(found, e.Name())
		}
	}
	return found, nil
}

// some names the first of many.
func some(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// Path returns the absolute path of what the folder holds under names.
func (f *Folder) Path(names ...string) string {
	return filepath.Join(append([]string{f.dir}, names...)...)
}

// Write replaces a file as a whole, readable by its owner alone.
func (f *Folder) Write(name, text string) error {
	part := f.Path(name + partial)
	if err := os.WriteFile(part, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(part, f.Path(name))
}

// Close releases the folder to other stacks.
func (f *Folder) Close() { _ = f.lock.Close() }
