// Package admin contains what operators do to a stack with rights on its tables:
// they make users, installations, memberships and API keys, and change the signing
// key. Its invariant: every change is recorded with the operator's name, in the
// same write, like the changes that come through the API.
package admin

import (
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// Tables are the physical names of a stack's tables.
type Tables struct {
	// Tokens is TokensTable: API keys, verification keys, revocations.
	Tokens string
	// SigningKeys is SigningKeysTable.
	SigningKeys string
	// Operations is OperationsTable: users, memberships, installations.
	Operations string
	// Deliveries is DeliveriesTable: what hosts have delivered.
	Deliveries string
	// Audit is AuditTable: the audit trail.
	Audit string
}

// TablesOf takes the tables from names, which are keyed by logical id. The outputs
// of a stack and the description of a local stack have this form. Every table must
// be there.
func TablesOf(names map[string]string) (Tables, error) {
	var t Tables
	for _, table := range []struct {
		id   string
		name *string
	}{
		{"TokensTable", &t.Tokens},
		{"SigningKeysTable", &t.SigningKeys},
		{"OperationsTable", &t.Operations},
		{"DeliveriesTable", &t.Deliveries},
		{"AuditTable", &t.Audit},
	} {
		if *table.name = names[table.id]; *table.name == "" {
			return Tables{}, fmt.Errorf("it names no %s", table.id)
		}
	}
	return t, nil
}

// Operator acts on one stack.
type Operator struct {
	// DB is the client of the tables.
	DB *dynamodb.Client
	// Tables are the tables of the stack.
	Tables Tables
	// Logs are the logs of the stack's functions. Nil means that they are not
	// known.
	Logs Logs
	// Now is the clock.
	Now func() time.Time
	// Name is the operator's name. Every change is recorded with "operator:" and
	// this name.
	Name string
	// Out gets the result of a command. For "key create" the result is only the
	// key, so that it can be piped into a secret store.
	Out io.Writer
	// Notes gets what a person should know besides the result. Nil discards it.
	Notes io.Writer
}

func (o *Operator) users() *user.Store {
	return &user.Store{DB: o.DB, Table: o.Tables.Operations}
}

func (o *Operator) installations() installation.Store {
	return installation.Store{DB: o.DB, Table: o.Tables.Operations}
}

func (o *Operator) keys() *apikey.Store {
	return &apikey.Store{DB: o.DB, Table: o.Tables.Tokens}
}

func (o *Operator) signing() *signing.Store {
	return &signing.Store{DB: o.DB, KeysTable: o.Tables.SigningKeys, TokensTable: o.Tables.Tokens}
}

// author returns the operator as the author of a change. Each change has a request
// id of its own.
func (o *Operator) author() change.Author {
	return change.Author{Principal: "operator:" + o.Name, Request: "admin-" + uuid.NewString(), At: o.Now()}
}

// say writes one line of a command's result.
func (o *Operator) say(format string, args ...any) error {
	_, err := fmt.Fprintf(o.Out, format+"\n", args...)
	return err
}

// note writes a remark for a person, apart from the result of the command.
func (o *Operator) note(format string, args ...any) {
	if o.Notes != nil {
		fmt.Fprintf(o.Notes, format+"\n", args...)
	}
}
