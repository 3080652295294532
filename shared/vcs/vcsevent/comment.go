package vcsevent

import (
	"regexp"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Commented states that somebody wrote a comment in a pull request. Edits and removals
// of comments are no facts.
type Commented struct {
	Repository vcs.ID
	Number     int64
	// Comment is the host's id of the comment, in decimal digits.
	Comment string
	// Text is the whole comment, at most maxComment bytes.
	Text string
	// Sender is the login of the author, and SenderID the id of the account.
	Sender   string
	SenderID vcs.ID
	// Bot says that a program wrote the comment.
	Bot bool
	// Moment is the creation of the comment.
	vcs.Moment
}

// maxComment is the longest comment that is a fact, in bytes. Commands are shorter.
const maxComment = 64 << 10

// githubIssue is an issue or a pull request. Only a pull request has the member
// pull_request.
type githubIssue struct {
	Number      member[int64]    `json:"number"`
	PullRequest member[struct{}] `json:"pull_request"`
}

type githubComment struct {
	ID        member[int64]         `json:"id"`
	Body      member[string]        `json:"body"`
	User      member[githubAccount] `json:"user"`
	CreatedAt hostTime              `json:"created_at"`
	// PerformedBy is the GitHub App that wrote the comment in the name of a user. It
	// is null if the user wrote it.
	PerformedBy member[struct{}] `json:"performed_via_github_app"`
}

// githubBot is the type of the accounts of GitHub Apps.
const githubBot = "Bot"

// comment reads a new comment of a pull request ("issue_comment", GitHub
// documentation).
func (p *githubPayload) comment(c *checker, repository vcs.ID) []Fact {
	issue := p.Issue.value
	if p.action(c) != "created" || !issue.PullRequest.has() {
		return nil
	}
	comment := part(c, "comment", p.Comment)
	author := part(c, "comment.user", comment.User)
	made := &Commented{
		Repository: repository, Number: c.whole("issue.number", issue.Number), Comment: string(c.id("comment.id", comment.ID)),
		Sender: c.text("comment.user.login", author.Login, maxName), SenderID: c.id("comment.user.id", author.ID),
		Bot:    author.Type.value == githubBot || p.Sender.value.Type.value == githubBot || comment.PerformedBy.there && !comment.PerformedBy.null,
		Moment: vcs.Moment{At: comment.CreatedAt.Time},
	}
	return made.with(comment.Body)
}

// with returns the fact with its text. It returns nothing if the text cannot be a
// command.
func (m *Commented) with(text member[string]) []Fact {
	if m.Text = optional(text, maxComment); m.Text == "" {
		return nil
	}
	return []Fact{m}
}

type gitlabMerge struct {
	IID member[int64] `json:"iid"`
}

// gitlabBots matches the usernames that GitLab gives to the bot users of project and
// group access tokens, and to service accounts ("Project access tokens", "Group access
// tokens", "Service accounts", GitLab documentation). Payloads do not state that a user
// is a bot.
var gitlabBots = regexp.MustCompile(`^((project|group)_[0-9]+_bot([0-9]*|_[0-9a-z]+)|service_account_.+)$`)

// note reads a new comment of a merge request ("Comment events", GitLab documentation).
// Older versions of GitLab do not state the action: they report new comments only. A
// system note is GitLab's own record of a change.
func (p *gitlabPayload) note(c *checker) []Fact {
	note := p.ObjectAttributes.value
	action := strings.ToLower(note.Action.value)
	if note.NoteableType.value != "MergeRequest" || note.System.value || action != "create" && action != "" {
		return nil
	}
	user := part(c, "user", p.User)
	author := user.ID
	path := "user.id"
	if !author.has() {
		path, author = "object_attributes.author_id", note.AuthorID
	}
	made := &Commented{
		Repository: c.id(p.id()), Number: c.whole("merge_request.iid", part(c, "merge_request", p.MergeRequest).IID),
		Comment: string(c.id("object_attributes.id", note.ID)),
		Sender:  c.text("user.username", user.Username, maxName), SenderID: c.id(path, author),
		Bot:    gitlabBots.MatchString(user.Username.value),
		Moment: vcs.Moment{At: note.CreatedAt.Time},
	}
	return made.with(note.Note)
}
