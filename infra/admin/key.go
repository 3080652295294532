package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/user"
)

// firstUser is the user whose keys a command uses if it names no user.
const firstUser = "admin"

func (o *Operator) keyCreate(ctx context.Context, args []string) error {
	fs := flags("key create")
	name, keyName, description := fs.String("user", "", ""), fs.String("name", "", ""), fs.String("description", "", "")
	var lifetime lifetime
	fs.Var(&lifetime, "expires", "")
	var caps capabilityList
	fs.Var(&caps, "capability", "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := required(fs, "user"); err != nil {
		return err
	}
	u, err := o.user(ctx, *name)
	if err != nil {
		return err
	}
	if err := checkRestrictions(u, access.Set(caps)); err != nil {
		return err
	}
	if err := o.firstSigningKey(ctx); err != nil {
		return err
	}
	author := o.author()
	n := apikey.New{User: u.ID, Name: *keyName, Description: *description, Capabilities: access.Set(caps)}
	if lifetime > 0 {
		n.ExpiresAt = author.At.Add(time.Duration(lifetime))
	}
	text, key, err := o.keys().Create(ctx, n, author)
	if err != nil {
		return err
	}
	o.note("API key %s of user %s. Store it now: it cannot be shown again.", key.ID, u.Name)
	if !allowsAnything(key.Capabilities) {
		o.note("It has no capability: it can see what its user may see at the hosts (installations, repositories, pull requests) and refresh these, but it reads no keys and makes none: see --capability.")
	}
	return o.say("%s", text)
}

func allowsAnything(caps access.Set) bool {
	for _, c := range caps {
		if !c.Restricts() {
			return true
		}
	}
	return false
}

func (o *Operator) keyList(ctx context.Context, args []string) error {
	fs := flags("key list")
	name := fs.String("user", firstUser, "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	u, err := o.user(ctx, *name)
	if err != nil {
		return err
	}
	keys, err := o.keys().List(ctx, u.ID, apikey.Query{})
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		o.note("User %s has no API key.", u.Name)
		return nil
	}
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tCREATED\tLAST USED\tEXPIRES\tCAPABILITIES")
	for _, k := range keys {
		fmt.Fprintf(w, "%s\t%q\t%s\t%s\t%s\t%s\n", k.ID, k.Name, shown(k.CreatedAt), shown(k.LastUsedAt), shown(k.ExpiresAt), written(k.Capabilities))
	}
	return w.Flush()
}

// shown writes a time as all commands do: in UTC, in whole seconds. It writes a
// dash for the zero time.
func shown(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// keyRevoke ends a key. The operator names the key by its id or, if the key leaked,
// by its text.
func (o *Operator) keyRevoke(ctx context.Context, args []string) error {
	fs := flags("key revoke")
	name := fs.String("user", firstUser, "")
	ids, err := parse(fs, args, "ID")
	if err != nil {
		return err
	}
	owner, id, err := o.keyOf(ctx, *name, ids[0])
	if err != nil {
		return err
	}
	key, err := o.keys().Get(ctx, owner, id)
	if errors.Is(err, apikey.ErrNotFound) {
		return fault.Invalidf("NO_SUCH_KEY",
			"there is no API key %s of that user; \"key list --user NAME\" shows a user's keys, and \"key revoke --user NAME ID\" ends one", id)
	}
	if err != nil {
		return err
	}
	if !key.RevokedAt.IsZero() {
		return o.say("API key %s was revoked at %s already; nothing changed", id, shown(key.RevokedAt))
	}
	if err := o.keys().Revoke(ctx, owner, id, o.author()); err != nil {
		return err
	}
	return o.say("API key %s is revoked; its access tokens are refused within 5 seconds", id)
}

// keyRevokeAll ends every live key of a user, for example after a laptop was
// stolen. It looks again until there is none, because anybody who has a key may
// make another one meanwhile. It can be repeated.
func (o *Operator) keyRevokeAll(ctx context.Context, args []string) error {
	fs := flags("key revoke-all")
	name := fs.String("user", "", "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := required(fs, "user"); err != nil {
		return err
	}
	u, err := o.user(ctx, *name)
	if err != nil {
		return err
	}
	revoked := 0
	for {
		live, err := o.liveKeys(ctx, u)
		if err != nil {
			return err
		}
		if len(live) == 0 {
			return o.say("%d API keys of user %s are revoked, and the user has no live key; their access tokens are refused within 5 seconds", revoked, u.Name)
		}
		for _, k := range live {
			if err := o.keys().Revoke(ctx, u.ID, k.ID, o.author()); err != nil {
				return fmt.Errorf("revoke API key %s (%d are revoked; repeat the command for those that are left): %w", k.ID, revoked, err)
			}
			revoked++
			o.note("API key %s (%s) is revoked.", k.ID, printable(k.Name))
		}
	}
}

func (o *Operator) liveKeys(ctx context.Context, u user.User) ([]apikey.Key, error) {
	keys, err := o.keys().List(ctx, u.ID, apikey.Query{})
	return slices.DeleteFunc(keys, func(k apikey.Key) bool { return !k.LiveAt(o.Now()) }), err
}

// keyOf returns the owner and the id of a key. The operator gives the key's text,
// or its id and the owner's name. An error never repeats the text.
func (o *Operator) keyOf(ctx context.Context, name, given string) (owner, id string, err error) {
	if strings.HasPrefix(given, apikey.Prefix) {
		secret, err := apikey.Parse(given)
		if err != nil {
			return "", "", fault.Invalidf("MALFORMED_KEY", "that is not the whole text of an API key: its checksum is wrong; give all of it, or the key's id")
		}
		return secret.User, secret.ID, nil
	}
	parsed, err := uuid.Parse(given)
	if err != nil {
		return "", "", fault.Invalidf("INVALID_ID", "%.40q is not the id of an API key; \"key list\" shows the ids", given)
	}
	u, err := o.user(ctx, name)
	return u.ID, parsed.String(), err
}
