package vcs

import (
	"fmt"
	"strings"
)

// Installation names one installation: the GitHub App's installation in one
// account, or one GitLab group. The zero Installation names none.
type Installation struct {
	VCS VCS
	ID  ID
}

// String returns the text form, such as "github/42".
func (i Installation) String() string { return string(i.VCS) + "/" + string(i.ID) }

// IsZero reports whether i names no installation.
func (i Installation) IsZero() bool { return i == Installation{} }

// MarshalText implements encoding.TextMarshaler with the text form.
func (i Installation) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It checks the form only. It
// does not check that the VCS is supported and the id is valid, because the texts
// come from this server's own tokens and items.
func (i *Installation) UnmarshalText(text []byte) error {
	system, id, ok := strings.Cut(string(text), "/")
	if !ok {
		return fmt.Errorf("installation %q is not of the form VCS/ID", text)
	}
	*i = Installation{VCS: VCS(system), ID: ID(id)}
	return nil
}

// Repository returns the repository of i with the id.
func (i Installation) Repository(id ID) Repository { return Repository{Installation: i, ID: id} }

// Repository names one repository of an installation.
type Repository struct {
	Installation Installation
	ID           ID
}

// String returns the text form, such as "github/42/7".
func (r Repository) String() string { return r.Installation.String() + "/" + string(r.ID) }

// PullRequest returns the pull request of r with the number.
func (r Repository) PullRequest(number int64) PullRequest {
	return PullRequest{Repository: r, Number: number}
}

// PullRequest names one pull request or merge request.
type PullRequest struct {
	Repository Repository
	// Number is the number within the repository. The first is 1.
	Number int64
}

// String returns the text form, such as "github/42/7/1".
func (p PullRequest) String() string { return fmt.Sprintf("%s/%d", p.Repository, p.Number) }

// Account names the account of a person or a machine at a VCS.
type Account struct {
	VCS VCS
	ID  ID
}

// String returns the text form, such as "github/1001".
func (a Account) String() string { return string(a.VCS) + "/" + string(a.ID) }

// MarshalText implements encoding.TextMarshaler with the text form.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It checks the form only. It
// does not check that the VCS is supported and the id is valid, because the texts
// come from this server's own requests and items.
func (a *Account) UnmarshalText(text []byte) error {
	system, id, ok := strings.Cut(string(text), "/")
	if !ok {
		return fmt.Errorf("account %q is not of the form VCS/ID", text)
	}
	*a = Account{VCS: VCS(system), ID: ID(id)}
	return nil
}

// IsZero reports whether a names no account.
func (a Account) IsZero() bool { return a == Account{} }
