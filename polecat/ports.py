"""What the core needs from outside, in our words, not in the programs' flags.

Three promises hold for every method of every port, and `polecat.testing.contracts` checks them:

1. It returns, or it raises having left nothing of its own behind.
2. Absence is a value (None, an empty tuple, False); being unable to tell is an exception. Unknown is not dead.
3. It addresses exactly what it was given: never a prefix, never a pattern, never whatever has the name now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from attrs import field, frozen

from polecat.model import Event, Repo, WorkStatus

# ------------------------------------------------------------------------------------------------------------- git


@frozen(kw_only=True)
class Worktree:
    """A registered worktree, proved by reading its files.

    Attributes:
        path: its directory.
        admin_dir: the directory in the repository that git keeps about it.
        branch: the branch checked out; None when detached.
        head: the commit id, or None when the branch has no commit yet.
        is_filled: its files are known to be those of *head*, so that it need not be checked out.
    """

    path: Path
    admin_dir: Path
    branch: str | None = None
    head: str | None = None
    is_filled: bool = field(default=False, eq=False)


@frozen(kw_only=True)
class StaleRegistration:
    """A registration in the repository whose directory is gone."""

    admin_dir: Path
    path: Path | None
    reason: str


Merged = Literal["ancestor", "same changes", "no", "unknown"]


@frozen(kw_only=True)
class GitFacts:
    """What of a worktree's work exists nowhere else, as git and the disk tell it. Paths are relative to the worktree.

    Attributes:
        head: the commit it stands at; None when its branch has no commit yet.
        branch: its branch, during a rebase the one that is rebased; None when detached.
        is_detached: HEAD is no branch.
        modified: tracked files that differ from the index.
        staged: tracked files whose index entry differs from the commit, renamed ones left out.
        renamed: tracked files whose index entry is a renamed one, by their new path.
        conflicted: files in conflict.
        untracked: files git does not know.
        ignored: files and directories (with ``/``) that ignore rules hide; counted as no work.
        hidden: changed files that git was told not to look at (assume-unchanged, skip-worktree).
        stashes: commits of the stashes made on this branch.
        unpushed: how many commits are on no remote-tracking branch.
        merged: how the commit relates to the base: it is an ancestor; its changes are all there (squash merge); neither; or unknown
            (no base was given, or git could not tell).
        in_progress: what was begun: ``merge``, ``rebase``, ``cherry-pick``, ``revert``, ``bisect``, ``am``, or ``index.lock``, which
            means that something writes right now or died while it did.
        submodules: submodules with changes, or with commits that are on no remote of theirs, each with what it is.
        nested: repositories inside the worktree that are no submodules.
        problems: what could not be found out. While there is any, nothing else here proves that no work is at risk.
    """

    head: str | None = None
    branch: str | None = None
    is_detached: bool = False
    modified: tuple[str, ...] = ()
    staged: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    conflicted: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    stashes: tuple[str, ...] = ()
    unpushed: int = 0
    merged: Merged = "unknown"
    in_progress: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[str, ...]:
        """Tracked files that differ from the commit in any way, each once."""
        return tuple(sorted({*self.modified, *self.staged, *self.renamed, *self.conflicted, *self.hidden}))

    def status(self) -> WorkStatus:
        """The same, counted."""
        return WorkStatus(
            modified=len(self.changed) + len(self.submodules),
            untracked=len(self.untracked) + len(self.nested),
            stashes=len(self.stashes),
            unpushed=self.unpushed,
        )

    @property
    def is_clean(self) -> bool:
        """Proved: nothing would be lost. Ignored files count as nothing."""
        return self.status().is_clean and not self.in_progress and not self.problems


RESCUE_REFS = "refs/polecat/rescue/"
"""Where rescues are kept: outside ``refs/heads`` so that no branch collides and no ordinary push sends them; a ref, so that no
garbage collection takes them."""


@frozen(kw_only=True)
class Rescue:
    """Work that was saved before it was destroyed.

    Attributes:
        ref: the ref that holds it, below ``refs/polecat/rescue/``.
        commit: the commit there: the files as they were, its parent the commit they were based on.
        message: what was being done.
        created_at_s: when, Unix seconds.
        refs: every ref of this rescue: this one, and below ``<ref>.sub/`` those of submodules and nested repositories.
    """

    ref: str
    commit: str
    message: str
    created_at_s: int
    refs: tuple[str, ...] = ()


class PendingFetch(Protocol):
    """A fetch that is under way; `wait` for it, or `cancel` it."""

    def wait(self) -> None:
        """Wait for its end. Errors as `Git.fetch`."""
        ...

    def cancel(self) -> None:
        """End it if it is still under way. Cancelling what has ended is fine."""
        ...


class Git(Protocol):
    """The repository of a rig and its worktrees.

    Callers hold the rig's repository lock round `add_worktree`, `drop_worktree`, `restore_worktree`, `move_worktree`,
    `delete_branch` and `drop_stale`.
    """

    def check(self) -> str:
        """Return git's version; raise if git is missing or older than 2.31."""
        ...

    def start_fetch(self, repo: Repo, *, timeout_s: float) -> PendingFetch:
        """Begin what `fetch` does and return at once, so that other work can go on beside it."""
        ...

    def last_fetch_age_s(self, repo: Repo) -> float | None:
        """Say how old our knowledge of the remote is: seconds since the last successful fetch began; None if we never fetched."""
        ...

    def fetch(self, repo: Repo, *, timeout_s: float) -> None:
        """Bring the remote-tracking branches up to date.

        Raises:
            GitError: the remote said no or could not be reached.
            ProgramTimeoutError: it took longer than *timeout_s*.
        """
        ...

    def resolve(self, repo: Repo, ref: str) -> str | None:
        """Return the commit id a full ref name (``refs/remotes/origin/main``) or commit id stands for, None if absent."""
        ...

    def remote_branches(self, repo: Repo) -> tuple[str, ...]:
        """List the branches the remote had at the last fetch, without ``origin/``."""
        ...

    def add_worktree(self, repo: Repo, path: Path, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Register a new worktree at *path* on the new branch, files not yet checked out.

        Args:
            repo: the repository.
            path: the directory to be; its parent exists, it does not.
            branch: the new branch, without ``refs/heads/``.
            start: the commit id it starts at.
            upstream: branch of the remote it tracks, such as ``main``; None for none.

        Raises:
            GitError: it cannot be; neither directory nor branch nor registration is left behind.
        """
        ...

    def check_out(self, worktree: Worktree, *, leave_out: Sequence[str] = (), lazy_lfs: bool = False) -> None:
        """Fill the files of a worktree that has just been registered.

        Args:
            worktree: as `add_worktree` returned it.
            leave_out: root-anchored paths that are not to be checked out.
            lazy_lfs: leave the pointers of git-lfs where its files would be downloaded.
        """
        ...

    def fill_submodules(
        self, repo: Repo, worktree: Worktree, *, references: Sequence[Path] = (), lazy_lfs: bool = False, timeout_s: float
    ) -> tuple[str, ...]:
        """Fill the submodules of a worktree that has just been checked out; those that hold something already are left alone.

        Args:
            repo: the repository.
            worktree: the worktree.
            references: directories that hold repositories of submodules, by their names; what they have is not downloaded again.
            lazy_lfs: as for `check_out`.
            timeout_s: how long all of them together may take.

        Returns:
            What could not be filled, each with why, one line; such a submodule stays empty.

        Raises:
            GitError: which submodules there are could not be told.
        """
        ...

    def ignored_files(self, worktree: Worktree, source: Path, patterns: Sequence[str]) -> tuple[str, ...]:
        """List the files of another checkout that may be copied into a worktree without being seen there as work.

        Args:
            worktree: where they would go.
            source: where they are: a clone of the same project, or a directory laid out like it. Absent means no files.
            patterns: lines as in a ``.gitignore``, in order.

        Returns:
            Paths, relative, that match the patterns, that the worktree does not track and that its ignore rules hide; no directories.
        """
        ...

    def find_worktree(self, repo: Repo, path: Path) -> Worktree | None:
        """Prove by reading files that *path* is a worktree of *repo*; None if it is not one."""
        ...

    def drop_worktree(self, repo: Repo, worktree: Worktree, *, into: Path) -> None:
        """Take a worktree away: its directory becomes *into* (same file system), its registration goes beside it.

        Nothing is deleted; ``<into>.admin`` keeps index, reflog and submodule repositories.
        """
        ...

    def restore_worktree(self, repo: Repo, worktree: Worktree, *, source: Path) -> None:
        """Bring back what `drop_worktree` put into *source*."""
        ...

    def delete_branch(self, repo: Repo, branch: str, *, expected: str) -> bool:
        """Delete a branch if it still stands at *expected*; False if it is gone or has moved.

        Raises:
            GitError: a worktree has it checked out.
        """
        ...

    def branches(self, repo: Repo, prefix: str) -> Mapping[str, str]:
        """Return the local branches whose name starts with *prefix*, and the commit each stands at."""
        ...

    def stale_registrations(self, repo: Repo) -> tuple[StaleRegistration, ...]:
        """List registrations whose directory is provably gone and that nobody is making right now. Reads only."""
        ...

    def drop_stale(self, repo: Repo, stale: StaleRegistration, *, into: Path) -> bool:
        """Move one stale registration out of the repository, if it still is stale.

        A commit that no ref holds, because that worktree had no branch, gets a rescue ref first.

        Raises:
            GitError: git said no; the registration is where it was.
        """
        ...

    def clear_half_made(self, repo: Repo, path: Path, *, into: Path) -> None:
        """Take away what a killed `add_worktree` or `drop_worktree` left at *path*, and its registration, as `drop_worktree` would.

        Nothing there is fine. The caller knows that nobody is making it.

        Raises:
            GitError: a whole worktree is there, or files that nobody can account for; nothing was touched.
        """
        ...

    def facts(self, repo: Repo, worktree: Worktree, *, base: str | None = None, ignore: Sequence[str] = ()) -> GitFacts:
        """Find out what of a worktree's work exists nowhere else.

        Args:
            repo: the repository.
            worktree: the worktree; after `drop_worktree` too, with its new ``path`` and ``admin_dir``.
            base: commit id or full ref name of what the work is to be merged into.
            ignore: paths that are no work, because we put them there; a directory stands for all in it.

        Returns:
            The facts. A check that failed is named in ``problems``; it never looks like *nothing there*.

        Raises:
            GitError: it is not a worktree of the repository.
        """
        ...

    def rescue(
        self,
        repo: Repo,
        worktree: Worktree,
        *,
        ref_name: str,
        message: str,
        base: str | None = None,
        ignore: Sequence[str] = (),
        ignored_patterns: Sequence[str] = (),
        size_limit_bytes: int = 256 * 1024 * 1024,
    ) -> Rescue | None:
        """Save everything in a worktree that is nowhere else to a ref of the repository, and read it back.

        Byte for byte: changed, staged, untracked and hidden files, repositories inside, the commit itself and, in the middle of a
        rebase or merge, the other commits involved. Stashes stay where they are, the repository keeps them. The worktree is not changed.

        Args:
            repo: the repository.
            worktree: the worktree.
            ref_name: name of the rescue, such as ``nux/1768000000000-a1b2c3``; the ref is that below ``refs/polecat/rescue/``.
            message: what is being done, one line.
            base: commit id or full ref name of what the work is merged into; a commit that is part of it needs no saving.
            ignore: paths that are no work, because we put them there.
            ignored_patterns: patterns of ignored files that are saved too, matched against path, directories and name.
            size_limit_bytes: refuse to read more.

        Returns:
            What was saved; None if there was nothing to save (with no *base* given, a commit is always saved).

        Raises:
            RescueFailedError: it could not be written or proved; no ref was left, and nothing may be deleted.
        """
        ...

    def rescues(self, repo: Repo) -> tuple[Rescue, ...]:
        """List what was saved, oldest first."""
        ...

    def rescued_files(self, repo: Repo, ref: str) -> Mapping[str, str]:
        """Say what a rescue holds beyond the commit it stands on: path to ``added``, ``changed`` or ``deleted``."""
        ...

    def move_worktree(self, repo: Repo, worktree: Worktree, to: Path) -> Worktree:
        """Rename a worktree on its file system; branch, index and submodules go with it.

        Raises:
            GitError: it cannot be; it is where it was.
        """
        ...

    def rebranch(self, repo: Repo, worktree: Worktree, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Put a worktree on a new branch; the branch it was on goes. Files and index stay: `check_out` brings them to *start*.

        Args:
            repo: the repository.
            worktree: the worktree.
            branch: the new branch, which starts at *start* and tracks *upstream* of the remote.
            start: a commit id.
            upstream: as for `add_worktree`.

        Raises:
            GitError: it cannot be; the worktree is as it was.
        """
        ...

    def is_pristine(self, worktree: Worktree) -> bool:
        """Say whether nothing at all in a worktree differs from its commit: not a file changed, none added. What cannot be told is no."""
        ...

    def mend_worktree(self, repo: Repo, path: Path) -> Worktree | None:
        """Finish a `move_worktree` to *path* that was killed half-way; return the worktree there, None if there is none."""
        ...

    def commits_behind(self, repo: Repo, head: str, ref: str) -> int | None:
        """Count the commits of *ref* that *head* lacks; None if *ref* does not exist.

        Raises:
            GitError: it could not be counted.
        """
        ...

    def is_checked_out(self, repo: Repo, branch: str) -> bool:
        """Say whether a worktree has this branch checked out or is rebasing it. Reads files only."""
        ...

    def is_elsewhere(self, repo: Repo, commit: str) -> bool:
        """Say whether a commit is part of a remote-tracking branch or of a rescue, so that nothing is lost with a branch at it.

        Raises:
            GitError: git could not tell.
        """
        ...

    def clone_bare(self, url: str, path: Path, *, reference: Path | None = None, timeout_s: float) -> Repo:
        """Make a bare clone with remote-tracking branches at *path*, safe for many worktrees."""
        ...

    def remote_default_branch(self, repo: Repo, *, timeout_s: float) -> str | None:
        """Ask the remote which branch its HEAD is; None when it has no commit."""
        ...


# ------------------------------------------------------------------------------------------------------------ tmux


@frozen(kw_only=True)
class Session:
    """One session as the server listed it.

    Attributes:
        id: the server's own id, such as ``$3``; survives renaming.
        name: its name now.
        instance: our instance id stamped on it at creation; empty when polecat did not make it.
        environment: identity variables (``GT_ROLE``, ``GT_RIG``, ``GT_POLECAT``, ``GT_CREW``, ``POLECAT_ID``) of the session's *own*
            environment, never the server's global one.
        pane_id: its first pane.
        pane_pid: the process of that pane.
        is_dead: that process has ended and its pane is kept.
        attached: how many clients look at it.
        created_at_s: creation, Unix seconds.
        active_at_s: last activity, Unix seconds.
    """

    id: str
    name: str
    instance: str = ""
    environment: Mapping[str, str] = field(factory=dict)
    pane_id: str = ""
    pane_pid: int = 0
    is_dead: bool = False
    attached: int = 0
    created_at_s: int = 0
    active_at_s: int = 0


@frozen(kw_only=True)
class SessionRequest:
    """A session to be made, complete.

    Attributes:
        name: its name; refused if tmux would rewrite it.
        instance: id to stamp on it; every later action checks it.
        cwd: the working directory; must exist.
        argv: the program and its arguments, exactly.
        environment: everything in the process's environment besides what the terminal needs (``TERM``, ``TMUX`` and their like).
        session_environment: the identity variables that windows opened later get as well.
        options: session options (status bar and such), in order.
        on_exit: a command run by the server when the process ends; exit status and signal (one of them empty) are appended.
        scratch_dir: private directory for the file that carries argv and environment.
        columns: width.
        rows: height.
        bind_keys: also bind the reference's keys, server-wide.
    """

    name: str
    instance: str
    cwd: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(factory=dict, repr=lambda env: repr(sorted(env)))
    session_environment: Mapping[str, str] = field(factory=dict)
    options: tuple[tuple[str, str], ...] = ()
    on_exit: tuple[str, ...] = ()
    scratch_dir: Path = field()
    columns: int = 160
    rows: int = 48
    bind_keys: bool = False


@frozen(kw_only=True)
class StartedSession:
    """A session that was just made, by the ids the server gave it."""

    id: str
    name: str
    instance: str
    pane_id: str
    pane_pid: int
    server_pid: int


@frozen(kw_only=True)
class Watch:
    """What to look for in one pane.

    Attributes:
        pane_id: the pane.
        instance: our stamp; a pane with another one counts as gone.
        patterns: POSIX extended regular expressions, matched against each line of the visible screen.
        commands: names of the foreground process that count as well.
        release_on: position of the pattern that ends the start: when it, and no other, is on the screen of a living pane, the look that
            sees it also does what `Tmux.release` does.
    """

    pane_id: str
    instance: str
    patterns: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    release_on: int | None = None


@frozen(kw_only=True)
class PaneStatus:
    """How one watched pane is.

    Attributes:
        pane_id: the pane.
        exists: it is there and still ours.
        is_dead: its process ended and the pane is kept.
        exit_code: how, if it exited.
        signal: how, if it was killed; both None when tmux lost it.
        pid: the process.
        command: name of the foreground process.
        matched: per pattern of the watch, whether it is on the screen.
        is_released: the start is over; see `Watch.release_on`.
    """

    pane_id: str
    exists: bool = True
    is_dead: bool = False
    exit_code: int | None = None
    signal: int | None = None
    pid: int = 0
    command: str = ""
    matched: tuple[bool, ...] = ()
    is_released: bool = False


class Tmux(Protocol):
    """One tmux server. Which one is fixed when the object is made, never taken from ``$TMUX``."""

    @property
    def socket(self) -> str | None:
        """The server's socket as it was given (a name or a path); None for the user's default server."""
        ...

    @property
    def processes(self) -> Processes:
        """The process table that the process ids of this server belong to."""
        ...

    def check(self) -> str:
        """Return tmux's version; raise if tmux is missing or older than 3.2."""
        ...

    def list_sessions(self) -> tuple[Session, ...]:
        """List every session of the server; no server means none.

        Raises:
            TmuxUnreachableError: the server could not be asked.
        """
        ...

    def start(self, request: SessionRequest) -> StartedSession:
        """Make the session in one step: environment, options, stamp and crash hook are there before the process runs.

        The pane stays after the process ended (so that its last screen can be read) until `keep_screen` is told otherwise.

        Raises:
            SessionExistsError: the name is taken; that session was not touched.
            TmuxError: it could not be made; nothing is left behind.
        """
        ...

    def watch(self, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
        """Wait until one of the panes is gone, is dead or shows one of its patterns, at most *timeout_s*; say how all are."""
        ...

    def release(self, session: StartedSession) -> bool:
        """Tell the server that the start is over: from now on the session ends with its process, after its crash hook.

        Returns:
            False if the process had ended by then; the session is as it was.
        """
        ...

    def capture(self, pane_id: str, *, lines: int = 200) -> str:
        """Return the text on the pane's screen and up to *lines* above it, without trailing blank lines.

        Raises:
            SessionNotFoundError: there is no such pane.
        """
        ...

    def send_text(self, pane_id: str, text: str, *, instance: str = "", enter: bool = True) -> None:
        """Type *text* into a pane, byte for byte, then Enter exactly once.

        Args:
            pane_id: the pane.
            text: any text: several lines, UTF-8, a leading dash, a trailing semicolon.
            instance: refuse if the pane does not bear this stamp; empty means do not check.
            enter: whether to press Enter.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was typed.
        """
        ...

    def send_keys(self, pane_id: str, keys: Sequence[str], *, instance: str = "") -> None:
        """Press keys by their tmux names, one after the other, guarded as `send_text` is."""
        ...

    def kill(self, session_id: str, *, name: str, instance: str = "") -> bool:
        """End a session if it still is the one meant.

        Args:
            session_id: the server's id of it, such as ``$3``, or the empty string to go by name alone.
            name: its exact name; checked when no instance is given.
            instance: our stamp; checked when given.

        Returns:
            False if there was no such session; killing the absent is fine.
        """
        ...


# ------------------------------------------------------------------------------------------------------------ beads


@frozen(kw_only=True)
class AgentFields:
    """The fields of an agent bead, as its description carries them. Empty means ``null`` there.

    Source:
        Contract §12.4.
    """

    role_type: str = ""
    rig: str = ""
    agent_state: str = ""
    hook_bead: str = ""
    role_bead: str = ""
    cleanup_status: str = ""
    active_mr: str = ""
    notification_level: str = ""


@frozen(kw_only=True)
class AgentBead:
    """The bead that stands for an agent."""

    id: str
    title: str
    fields: AgentFields
    is_open: bool = True


@frozen(kw_only=True)
class Bead:
    """A piece of work.

    Attributes:
        id: such as ``gt-abc12``.
        title: its title.
        status: ``open``, ``hooked``, ``in_progress``, ``closed`` or another word of the store.
        assignee: who holds it; empty for nobody.
        labels: its labels.
    """

    id: str
    title: str = ""
    status: str = "open"
    assignee: str = ""
    labels: tuple[str, ...] = ()


class Beads(Protocol):
    """The store of work. Found is a value, not found is None, *unknown* is `BeadsUnavailableError` or `BeadsConfigError`.

    Every write is read back; one that did not take is a `BeadsError`. Whom ``a/polecats/b`` means, ``a/b`` means as well.
    """

    def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
        """Create the agent bead, or reopen it, with these fields; a hook of an earlier life is always cleared."""
        ...

    def close_agent(self, bead_id: str, *, reason: str) -> bool:
        """Close an agent bead and clear hook, merge request and clean-up status; False if there is none."""
        ...

    def agent(self, bead_id: str) -> AgentBead | None:
        """Read an agent bead."""
        ...

    def update_agent(self, bead_id: str, **changes: str) -> AgentBead:
        """Change some fields of an agent bead, keeping what others write at the same time.

        Raises:
            NotFoundError: there is no such bead.
            TypeError: there is no such field.
        """
        ...

    def bead(self, bead_id: str) -> Bead | None:
        """Read a bead: its status and who holds it."""
        ...

    def held_by(self, assignee: str) -> tuple[Bead, ...]:
        """List the beads somebody holds: hooked ones first, then in progress, then open."""
        ...

    def hook(self, bead_id: str, *, assignee: str, expected: str | None = None) -> Bead:
        """Put a bead on somebody's hook: status ``hooked``, assignee set, read back.

        Args:
            bead_id: the bead.
            assignee: who gets it, such as ``gastown/polecats/furiosa``.
            expected: who must hold it now (empty: nobody; *assignee* itself is always fine); None does not look.

        Raises:
            BeadClosedError: it is closed.
            BeadTakenError: somebody other than *expected* holds it.
            NotFoundError: there is no such bead, and this store does not make one.
        """
        ...

    def assign(self, bead_id: str, *, assignee: str) -> Bead:
        """Give a bead to somebody: status ``in_progress``, assignee set, read back."""
        ...

    def unassign(self, bead_id: str, *, expected: str) -> bool:
        """Take a bead from *expected*, back to ``open`` if it was hooked or in progress; False if somebody else holds it."""
        ...

    def set_status(self, bead_id: str, status: str) -> Bead:
        """Set the status of a bead."""
        ...


# ------------------------------------------------------------------------------------------------------- processes


@frozen(kw_only=True)
class Process:
    """One process: its id alone means nothing, because ids are used again.

    Attributes:
        pid: its id.
        start_time: when it began, in the system's own unit; together with the id it is unique.
        name: its short name, for messages.
    """

    pid: int
    start_time: int
    name: str = ""


class Processes(Protocol):
    """The process table."""

    def identify(self, pid: int) -> Process | None:
        """Tell which process has this id now; None if none has."""
        ...

    def family(self, roots: Sequence[Process], *, instance: str) -> tuple[Process, ...]:
        """Collect processes and all they started, deepest first.

        Args:
            roots: processes to begin with; they and their descendants belong to the family, if they still are who they were.
            instance: every process with ``POLECAT_ID=<instance>`` in its environment belongs to it too, wherever it hangs in the tree;
                empty for none. Never a tmux server, never ourselves.

        Raises:
            UnknownStateError: the table could not be read.
        """
        ...

    def end(self, processes: Sequence[Process], *, grace_s: float) -> tuple[Process, ...]:
        """End processes in the order given: SIGTERM, wait up to *grace_s*, SIGKILL; by id *and* start time.

        Returns:
            Those that still live; zombies count as dead.
        """
        ...

    def is_alive(self, process: Process) -> bool:
        """Say whether exactly this process lives."""
        ...

    def inside(self, directory: Path) -> tuple[Process, ...]:
        """List the processes whose working directory is *directory* or below it, compared by path component.

        Raises:
            UnknownStateError: the table could not be read.
        """
        ...


# ------------------------------------------------------------------------------------------------------------- time


class Clock(Protocol):
    """Time. Injected, so that tests do not wait and plans can be repeated."""

    def now(self) -> datetime:
        """The time of day, timezone-aware."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


OnEvent = Callable[[Event], None]
"""Called with every fact of a spawn, in order, in the caller's thread."""
