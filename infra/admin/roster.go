package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// each reads all items of OperationsTable with one sort key. It scans the table. No
// function lists the users or installations of the whole stack, so there is no
// index for it. An operator does this rarely, and pays half a read unit for each 4
// KiB of the table.
func (o *Operator) each(ctx context.Context, sortKey string, take func(attr.Item) error) error {
	pages := dynamodb.NewScanPaginator(o.DB, &dynamodb.ScanInput{
		TableName: &o.Tables.Operations, FilterExpression: pointer("sk = :sk"),
		ExpressionAttributeValues: attr.Item{":sk": attr.String(sortKey)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read OperationsTable: %w", err)
		}
		for _, item := range page.Items {
			if err := take(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func pointer[T any](v T) *T { return &v }

// userList lists all users, by name.
func (o *Operator) userList(ctx context.Context, args []string) error {
	if _, err := parse(flags("user list"), args); err != nil {
		return err
	}
	var list []user.User
	err := o.each(ctx, user.SortKey, func(item attr.Item) error {
		u, err := user.Decode(item)
		if err != nil {
			o.note("A user cannot be read: %v", err)
			return nil
		}
		list = append(list, u)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b user.User) int { return strings.Compare(a.Name, b.Name) })
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tID\tCREATED\tACCOUNTS\tINSTALLATIONS")
	for _, u := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(u.Name), u.ID, shown(u.CreatedAt), dash(accounts(u)), dash(reach(u)))
	}
	return w.Flush()
}

// accounts returns the names of a user's accounts, such as "github:ann".
func accounts(u user.User) string {
	var list []string
	for _, system := range vcs.All() {
		if known, ok := u.Identities[system]; ok {
			list = append(list, string(system)+":"+printable(known.Login))
		}
	}
	return strings.Join(list, ",")
}

// reach returns the names of the installations that a user may act on, such as
// "github/42". It includes memberships that an operator gave and those that a host
// stated.
func reach(u user.User) string {
	var list []string
	for _, m := range u.Memberships {
		list = append(list, m.String())
	}
	for system, said := range u.Hosted {
		for _, id := range said.Installations {
			list = append(list, vcs.Installation{VCS: system, ID: id}.String())
		}
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ",")
}

func dash(text string) string { return cmp.Or(text, "-") }

// installationList lists all installations, by VCS and name.
func (o *Operator) installationList(ctx context.Context, args []string) error {
	if _, err := parse(flags("installation list"), args); err != nil {
		return err
	}
	var list []installation.Installation
	err := o.each(ctx, installation.SortKey, func(item attr.Item) error {
		i, err := installation.Decode(item)
		if err != nil {
			o.note("An installation cannot be read: %v", err)
			return nil
		}
		list = append(list, i)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b installation.Installation) int {
		return cmp.Or(cmp.Compare(a.VCS, b.VCS), strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VCS\tID\tNAME\tSTATE\tCREATED")
	for _, i := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", i.VCS, i.ID, dash(printable(i.Name)), i.State, shown(i.CreatedAt))
	}
	return w.Flush()
}

// names finds the names of users by their ids, and reads each user once.
type names struct {
	operator *Operator
	known    map[string]string
}

func (o *Operator) names() names { return names{o, map[string]string{}} }

// of returns an actor of the audit trail as a person reads it: the id, and the name
// if it is a user, as in "1d3ae80b-… (ann)".
func (n names) of(ctx context.Context, actor string) (string, error) {
	if text, ok := n.known[actor]; ok {
		return text, nil
	}
	text := jsonText(actor)
	if isUUID(actor) {
		u, err := n.operator.users().Get(ctx, actor)
		if err != nil && !errors.Is(err, user.ErrNotFound) {
			return "", err
		}
		if err == nil {
			text += " (" + printable(u.Name) + ")"
		}
	}
	n.known[actor] = text
	return text, nil
}
