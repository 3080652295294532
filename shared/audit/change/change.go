// Package change says who changed an item last and by which request. Its invariant:
// every item that a caller can change carries these attributes, and they are
// written in the same storage operation as the change itself. So the table's stream
// shows no change without its author.
package change

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Author says who changes something, how, and by which request.
type Author struct {
	// Principal is one of these: the user id of the person or machine account that
	// acts; "operator:NAME" for changes that an operator makes with AWS
	// credentials; "run:ID" for what the runner of a run does; "webhook:VCS" for
	// what a host has delivered; "collector"; "server:dispatcher" for what the server
	// does with runs by itself; "anonymous" for a request without a credential, such as the start of a login;
	// or Server.
	Principal string
	// Credential is the id of the API key, the session or the delivery behind the
	// change. It is empty if there is none, as for operators.
	Credential string
	// Request is the id of the function's invocation, or of an operator's command.
	// It must be unique, and no caller may choose it: by it, a write that is sent
	// again recognises its own effect.
	Request string
	// Source is the caller's network address as the gateway saw it. It may be
	// empty.
	Source string
	// At is when the request was made.
	At time.Time
}

// Server is the principal of what the server does by itself, in the request of any
// principal. The server seals again what was sealed with an older value of its
// secret, and asks hosts again who their members are.
const Server = "server"

// Names of the attributes on items. They are short, because they add to the cost of
// every write.
const (
	AttrPrincipal  = "ch_by"
	AttrCredential = "ch_cred"
	AttrRequest    = "ch_req"
	AttrSource     = "ch_src"
	AttrAt         = "ch_at"
)

// Item returns the author as item attributes, without empty ones. AttrAt is Unix
// time in milliseconds.
func (a Author) Item() map[string]types.AttributeValue {
	item := map[string]types.AttributeValue{
		AttrPrincipal: &types.AttributeValueMemberS{Value: a.Principal},
		AttrRequest:   &types.AttributeValueMemberS{Value: a.Request},
		AttrAt:        &types.AttributeValueMemberN{Value: millis(a.At)},
	}
	if a.Credential != "" {
		item[AttrCredential] = &types.AttributeValueMemberS{Value: a.Credential}
	}
	if a.Source != "" {
		item[AttrSource] = &types.AttributeValueMemberS{Value: a.Source}
	}
	return item
}

// AddTo puts the author's attributes into item.
func (a Author) AddTo(item map[string]types.AttributeValue) {
	for k, v := range a.Item() {
		item[k] = v
	}
}

// All returns all five attributes, for an update of an item. Empty attributes are
// written too, so that no attribute of an earlier author stays.
func (a Author) All() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		AttrPrincipal:  &types.AttributeValueMemberS{Value: a.Principal},
		AttrCredential: &types.AttributeValueMemberS{Value: a.Credential},
		AttrRequest:    &types.AttributeValueMemberS{Value: a.Request},
		AttrSource:     &types.AttributeValueMemberS{Value: a.Source},
		AttrAt:         &types.AttributeValueMemberN{Value: millis(a.At)},
	}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
