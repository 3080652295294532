// Command host does what people do at the stand-ins for GitHub and GitLab of a running local
// stack: open pull requests, push, comment, review, merge. It finds the stack by the variable
// STATE, its folder.
package main

import (
	"fmt"
	"os"
)

const usage = `Does what people do at the stand-ins for GitHub and GitLab of the running local stack.

  pr open                    open a pull request, with a branch and a change of its own
                             --branch NAME     of this branch; a branch that exists needs no change
                             --dir DIRECTORY   change something in it (prod/net)
                             --write PATH=FILE the new content of a file; can be repeated
                             --remove PATH     remove a file or a folder; can be repeated
                             --title TEXT      --draft
  pr push [NUMBER]           push a change to its branch (--dir, --write, --remove), or state what was pushed with git
  pr comment [NUMBER] TEXT   comment, for example: pr comment 'terraform apply'
  pr approve [NUMBER]        also reject (request changes) and withdraw: review it as bob
  pr merge [NUMBER]          --method merge, squash or rebase
  pr close [NUMBER]          also reopen, draft, ready
  pr show [NUMBER]           print it with its comments and statuses
  limit MINUTE HOUR          limit what the server may write in a minute and in an hour, as GitHub does (80 500); limit off

Without NUMBER the newest pull request is meant. --host github (or gitlab), --repo acme/infra (gitlab: acme-group/network)
and --as ann (or bob) say where, and who.
`

func main() {
	if err := run(os.Args[1:], os.Getenv("STATE"), os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "host: %v\n", err)
		os.Exit(1)
	}
}
