package repoconfig

import "github.com/opsplane/opsplane/shared/tagquery"

// Config is the effective configuration of a repository at one commit.
type Config struct {
	// Enabled is false if this server leaves the repository alone.
	Enabled        bool
	WhenModified   WhenModified
	Dirs           []Dir
	BranchTags     []BranchTag
	DestBranchTags []BranchTag
	Workflows      []Workflow
	// Stacks are in the order of the file.
	Stacks []Stack
	// Destinations are nil if only the default branch is allowed.
	Destinations  []Destination
	Requirements  Requirements
	AccessControl AccessControl
	Automerge     Automerge
	// Batch is the largest number of dirspaces of a run; 0 means any.
	Batch         int
	Drift         []DriftSchedule
	Notifications []Notification
	// Summary says that comments begin with a summary.
	Summary bool
	// ConfigBuilder, TreeBuilder and Indexer say that a helper run is asked for.
	ConfigBuilder, TreeBuilder, Indexer bool

	document *value
}

// Query is a tag query with its place.
type Query struct {
	// Expr is nil for a query that matches everything.
	Expr tagquery.Expr
	Text string
	At   Position
}

// WhenModified says which changed files make a dirspace planned. A nil member has the
// value of the level above: workspace, directory, file.
type WhenModified struct {
	// FilePatterns are nil if the level above counts, and empty if no file counts.
	FilePatterns []string
	// PatternsAt is where they stand.
	PatternsAt                         Position
	Autoplan, AutoplanDraft, Autoapply *bool
	DependsOn                          *Query
	PruneOnNoChange                    bool
}

// Dir are the settings of a directory, or of all directories that have a file that a
// pattern matches.
type Dir struct {
	// Key is a path, or a pattern of file paths if it has a *.
	Key          string
	At           Position
	Tags         []string
	WhenModified WhenModified
	// Workspaces are in the order of the file, those of stacks behind them.
	Workspaces []Workspace
	// LockDestBranchOnly says that a lock of the directory keeps only those pull
	// requests away that have the same destination branch.
	LockDestBranchOnly bool
}

// Workspace are the settings of a workspace of a directory.
type Workspace struct {
	Name string
	// Stack says that it is an entry of stacks: its tag is stack:NAME.
	Stack        bool
	Tags         []string
	WhenModified WhenModified
	At           Position
}

// BranchTag is a tag that a branch gives.
type BranchTag struct{ Tag, Pattern string }

// LockPolicy says what locks a dirspace for other pull requests.
type LockPolicy string

// The lock policies.
const (
	LockStrict LockPolicy = "strict"
	LockApply  LockPolicy = "apply"
	LockMerge  LockPolicy = "merge"
	LockNone   LockPolicy = "none"
)

// OnApply reports whether an apply locks.
func (p LockPolicy) OnApply() bool { return p == LockStrict || p == LockApply }

// OnMerge reports whether a merge locks what is not applied.
func (p LockPolicy) OnMerge() bool { return p == LockStrict || p == LockMerge }

// Workflow is what the server reads of a workflow.
type Workflow struct {
	Query Query
	// Environment may have variables: ${NAME}.
	Environment string
	// RunsOn is JSON text. It is empty if it is not set.
	RunsOn     string
	LockPolicy LockPolicy
	At         Position
}

// Stack is a named group of dirspaces, or of other stacks.
type Stack struct {
	Name string
	At   Position
	// Query names the dirspaces. It is nil for a stack of stacks.
	Query *Query
	// Stacks are the names of the stacks in it.
	Stacks    []string
	Variables map[string]string
	// ModifiedBy, PlanAfter and ApplyAfter are names of stacks. PlanAfter is that of
	// ModifiedBy if the file has none.
	ModifiedBy, PlanAfter, ApplyAfter []string
	// AutoApply is nil if the file does not say it.
	AutoApply *bool
}

// Destination is a branch whose pull requests are planned.
type Destination struct {
	// Branch is a glob. A ! at its beginning excludes.
	Branch string
	// Sources are globs of the source branches. Nil means all.
	Sources []string
	At      Position
}

// Requirements are what an apply needs.
type Requirements struct {
	Checks []Check
	// PendingStatus says that dirspaces that wait for an apply have a pending status.
	PendingStatus bool
	// CompletedOnNoop says that the status of the apply succeeds if nothing matches.
	CompletedOnNoop bool
}

// Check is an entry of the apply requirements.
type Check struct {
	Query           Query
	At              Position
	MergeConflicts  bool
	StatusChecks    bool
	IgnoreMatching  []string
	Approved        Approved
	ApplyAfterMerge bool
	ReadyForReview  bool
}

// Approved are the approvals that an apply needs.
type Approved struct {
	Enabled bool
	// AllOf must each be satisfied. AnyOfCount approvals must be of AnyOf. An empty
	// AnyOf means everybody if Count is set.
	AllOf, AnyOf []string
	AnyOfCount   int
	// Count is the number of approvals of the older form; 0 for the other form.
	Count                   int
	RequireCompletedReviews bool
}

// AccessControl says who may do what. Members of the lists are user:, team:, role:,
// repo: and *.
type AccessControl struct {
	Enabled                           bool
	Policies                          []Policy
	Unlock, ConfigUpdate, CIUpdate    []string
	Files                             []FileAccess
	ApplyRequiresAll, PlanRequiresAll bool
}

// Policy says who may do what with the dirspaces that it matches.
type Policy struct {
	Query                                                                            Query
	At                                                                               Position
	Plan, Apply, ApplyAutoapprove, ApplyForce, ApplyWithSuperapproval, Superapproval []string
}

// FileAccess says who may change a file.
type FileAccess struct {
	Path string
	Who  []string
}

// MergeStrategy says how a pull request is merged.
type MergeStrategy string

// The merge strategies. MergeAuto is the first one that the repository allows: merge,
// squash, rebase.
const (
	MergeAuto   MergeStrategy = "auto"
	MergeCommit MergeStrategy = "merge"
	MergeRebase MergeStrategy = "rebase"
	MergeSquash MergeStrategy = "squash"
)

// Automerge says whether and how an applied pull request is merged.
type Automerge struct {
	Enabled, DeleteBranch, RequireExplicitApply, RetainTitle bool
	Strategy                                                 MergeStrategy
}

// Interval is how often it is looked for drift: hourly, daily, weekly or monthly.
type Interval string

// The intervals.
const (
	Hourly  Interval = "hourly"
	Daily   Interval = "daily"
	Weekly  Interval = "weekly"
	Monthly Interval = "monthly"
)

// DriftSchedule says when it is looked for drift, and where.
type DriftSchedule struct {
	// Name is empty for the only schedule of the older form.
	Name      string
	Every     Interval
	Query     Query
	Reconcile bool
	// Window is nil if any time of day will do.
	Window *Window
	At     Position
}

// CommentStrategy says what happens to older comments.
type CommentStrategy string

// The comment strategies.
const (
	CommentMinimize CommentStrategy = "minimize"
	CommentDelete   CommentStrategy = "delete"
	CommentAppend   CommentStrategy = "append"
	// CommentUpdate edits one comment in place.
	CommentUpdate CommentStrategy = "update"
)

// Notification says how comments about some dirspaces are made.
type Notification struct {
	Query    Query
	Strategy CommentStrategy
}
