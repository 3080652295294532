//go:build unix

// Package state is the folder in which one local stack keeps its data. Its invariant: a stack
// only uses a folder that is new, empty or its own, and Clean removes only the names that a
// stack made. So no file of the user is lost, whatever folder STATE names.
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

// The names of what a stack keeps in its folder. A new file needs its name in this list, so
// that Clean removes the file.
const (
	// APIKey holds the first API key.
	APIKey = "api-key"
	// URL holds the address while the stack serves.
	URL = "url"
	// Description says where the stack's servers and tables are, while the stack runs.
	Description = "stack.json"
	// ServersLog holds what the DynamoDB and S3 servers print.
	ServersLog = "servers.log"
	// RequestsLog holds the functions' log lines about requests, for the operator's command
	// "why". The previous file has the same name with .1 at the end.
	RequestsLog = "requests.log"
	// Events holds the events that the stack's event bus has taken, one on each line.
	Events = "events.jsonl"
	// Data is the folder of the tables and objects.
	Data = "data"
	// Terraform is the folder, in Data, of the states that the runners of the stand-in hosts
	// keep.
	Terraform = "terraform"
	// Git is the folder, in Data, of the git repositories of the stand-in hosts.
	Git = "git"
	// Functions is the folder of the functions' binaries.
	Functions = "functions"
	// Streams is the folder that records how far each stream was read.
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
	// ServerSecret is the server's secret: from it the keys are derived that seal what the
	// stack gives out.
	ServerSecret = "opsplane-serversecret"
	// WebhookTokenSecret is the secret from which the webhook tokens of GitLab groups are made.
	WebhookTokenSecret = "opsplane-webhooktokensecret"
)

const (
	lockFile   = "lock"
	ignoreFile = ".gitignore"
	// partial is the end of the name of a file that is being written.
	partial = ".part"
	// mark is the content of the lock file. It says that the folder belongs to a stack.
	mark = "This folder belongs to a local Opsplane stack.\n"
)

// made lists what a stack makes, in the order in which Clean removes it. The entries are paths
// below the folder. A folder stands for everything in it.
func made() []string {
	paths := []string{
		filepath.Join(Data, "s3"), filepath.Join(Data, "dynamodb-local"), filepath.Join(Data, Terraform), filepath.Join(Data, Git),
		filepath.Join(Data, "dynamodb.sqlite"), filepath.Join(Data, "dynamodb.sqlite-shm"), filepath.Join(Data, "dynamodb.sqlite-wal"),
		filepath.Join(Data, "dynamodb.sqlite"+partial), filepath.Join(Functions, "compiled"),
	}
	for _, name := range []string{
		ignoreFile, APIKey, URL, Description, ServersLog, RequestsLog, RequestsLog + ".1", Events,
		filepath.Join(Secrets, GitHubWebhookSecret), filepath.Join(Secrets, GitHubAppKey), filepath.Join(Secrets, ServerSecret), filepath.Join(Secrets, WebhookTokenSecret),
	} {
		paths = append(paths, name, name+partial)
	}
	return paths
}

// patterns match the names that depend on the product's functions. A binary is in a folder
// whose name is derived from its content, and each event source has a file.
var patterns = []string{
	filepath.Join(Functions, "*", strings.Repeat("[0-9a-f]", 16)),
	filepath.Join(Streams, "*Function-*.json"), filepath.Join(Streams, "*Function-*.json"+partial),
}

// Folder is the folder of one stack. While it is open, no other stack uses it.
type Folder struct {
	dir  string // absolute
	lock *os.File
}

// Open makes the folder, readable by its owner only, and locks it. It returns an error, and
// leaves the folder as it is, if the folder holds files that do not belong to a stack, or if
// another stack uses it.
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
	// Keys and secrets are in this folder, so "git add" must ignore it.
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

// strangers returns the entries that show that a folder does not belong to a stack. If the
// folder has the mark, it returns none. A folder without the mark may hold secrets, because a
// user may add them before the first start. Beside a lock it may also hold what earlier
// versions made, which had no mark.
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

// some returns the first three names and the number of the others, for a message.
func some(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// Path returns the absolute path of the folder's entry under names.
func (f *Folder) Path(names ...string) string {
	return filepath.Join(append([]string{f.dir}, names...)...)
}

// Write replaces a file as a whole. Only its owner can read it.
func (f *Folder) Write(name, text string) error {
	part := f.Path(name + partial)
	if err := os.WriteFile(part, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(part, f.Path(name))
}

// Close releases the folder, so that other stacks can use it.
func (f *Folder) Close() { _ = f.lock.Close() }
