package source

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxQuestions bounds how often a host is asked for a role or a team for one operation.
// Anybody may approve pull requests of a public repository.
const maxQuestions = 100

// people asks a host about people, and keeps what it says.
type people struct {
	host Opinions
	of   vcs.Description
	made rules.People
	// asked has "LOGIN ENTRY" for what the host was asked.
	asked map[string]bool
	left  int
}

func lower(login string) string { return strings.ToLower(login) }

// find finds out whether somebody is meant by one of a list of people. It stops at the
// first entry that means them. Entries that need no host come first, roles before teams.
func (p *people) find(ctx context.Context, who vcshost.Profile, list []string) error {
	if who.Login == "" || p.in(who, list) {
		return nil
	}
	for _, kinds := range [][]string{{"role", "repo"}, {"team"}} {
		for _, entry := range list {
			kind, name, _ := strings.Cut(entry, ":")
			if !slices.Contains(kinds, kind) {
				continue
			}
			if err := p.ask(ctx, who, kind, name); err != nil {
				return err
			}
			if p.in(who, list) {
				return nil
			}
		}
	}
	return nil
}

// Means reports whether somebody is meant by one of a list of people.
func Means(ctx context.Context, host Opinions, r vcs.Description, who vcshost.Profile, list []string) (bool, error) {
	known := &people{host: host, of: r, made: rules.People{}, left: maxQuestions}
	err := known.find(ctx, who, list)
	return err == nil && known.in(who, list), err
}

// Named reports whether the access control names somebody, and does not only mean them
// with everybody else: an entry other than * of a policy, or of those who may unlock.
func Named(ctx context.Context, host Opinions, r vcs.Description, c repoconfig.AccessControl, who vcshost.Profile) (bool, error) {
	list := slices.Clone(c.Unlock)
	for _, p := range c.Policies {
		list = slices.Concat(list, p.Plan, p.Apply, p.ApplyAutoapprove, p.ApplyForce, p.ApplyWithSuperapproval, p.Superapproval)
	}
	slices.Sort(list)
	list = slices.DeleteFunc(slices.Compact(list), func(entry string) bool { return entry == rules.Everybody })
	return Means(ctx, host, r, who, list)
}

func (p *people) in(who vcshost.Profile, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool { return p.made.Is(who.Login, entry) })
}

// ask asks the host for the role of somebody, or whether they are in a team, once. An
// account without an id is nobody: a login alone may belong to another account by now.
func (p *people) ask(ctx context.Context, who vcshost.Profile, kind, name string) error {
	if !who.ID.Valid() {
		return nil
	}
	login := lower(who.Login)
	question := login + " role"
	if kind == "team" {
		question = login + " " + lower(name)
	}
	if p.asked[question] || p.left == 0 {
		return nil
	}
	if p.asked == nil {
		p.asked = map[string]bool{}
	}
	p.asked[question] = true
	p.left--
	person := p.made[login]
	if kind == "team" {
		is, err := p.host.InTeam(ctx, p.of, name, who)
		if err != nil {
			return fmt.Errorf("ask whether %s is in the team %s: %w", who.Login, name, err)
		}
		if is {
			person.Teams = append(person.Teams, name)
		}
	} else {
		role, err := p.host.Role(ctx, p.of, who)
		if err != nil {
			return fmt.Errorf("ask for the role of %s: %w", who.Login, err)
		}
		person.Role = role
	}
	p.made[login] = person
	return nil
}

// allowance finds out whether somebody may do what an allowance is about.
func (p *people) allowance(ctx context.Context, who vcshost.Profile, a rules.Allowance, approvers []string, profiles map[string]vcshost.Profile) error {
	if err := p.find(ctx, who, a.Allowed); err != nil || p.in(who, a.Allowed) {
		return err
	}
	if len(a.Super) == 0 || len(a.Approvers) == 0 {
		return nil
	}
	if err := p.find(ctx, who, a.Super); err != nil || !p.in(who, a.Super) {
		return err
	}
	return p.count(ctx, a.Approvers, 1, approvers, profiles)
}

// approvals finds out whether the approvals are enough.
func (p *people) approvals(ctx context.Context, a repoconfig.Approved, approvers []string, profiles map[string]vcshost.Profile) error {
	if !a.Enabled {
		return nil
	}
	for _, entry := range a.AllOf {
		if err := p.count(ctx, []string{entry}, 1, approvers, profiles); err != nil {
			return err
		}
	}
	if a.Count > 0 {
		return nil // everybody counts
	}
	return p.count(ctx, a.AnyOf, a.AnyOfCount, approvers, profiles)
}

// count finds approvers that a list of people means, until there are enough.
func (p *people) count(ctx context.Context, list []string, enough int, approvers []string, profiles map[string]vcshost.Profile) error {
	have := 0 // for whom the host need not be asked, at first
	for _, login := range approvers {
		if p.in(profiles[login], list) {
			have++
		}
	}
	for _, login := range approvers {
		who := profiles[login]
		if have >= enough {
			return nil
		}
		if p.in(who, list) {
			continue
		}
		if err := p.find(ctx, who, list); err != nil {
			return err
		}
		if p.in(who, list) {
			have++
		}
	}
	return nil
}
