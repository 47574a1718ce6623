"""Adding rigs to a town, so that Gas Town and polecat both accept them, and taking them away.

Nothing is visible before it is complete: the rig is made under a hidden name, renamed into place, and registered last.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from attrs import evolve

from polecat.adapters.world import FullWorld, caller_environ, full_world, real_git
from polecat.documents import RigConfig, RigEntry, Route
from polecat.errors import InvalidNameError, NotFoundError, PolecatError, RigExistsError, WorkAtRiskError
from polecat.model import Rig
from polecat.names import check_new_rig_name, check_prefix, derive_prefix, nearest, shell_line
from polecat.ports import Git, GitBranches, GitClones, GitRescues, Repo, World, needs
from polecat.town.config import load_rigs
from polecat.town.files import write_bytes, write_json
from polecat.town.find import Town, find_repo
from polecat.town.guarded import read_guarded
from polecat.town.homes import list_homes
from polecat.town.locks import LOCK_TIMEOUT_S, holding, pool_lock
from polecat.town.registry import prefix_owners, register_rig, unregister_rig, write_rig_config
from polecat.town.routes import add_route, load_routes, remove_route
from polecat.upkeep.towns import clear_errors, make_beads, now

CLONE_TIMEOUT_S = 1800.0

_HALF_MADE = ".polecat-rig-add"
"""Is in a rig's directory until it is registered."""

_SCP_LIKE = re.compile(r"[^/]+:")


_RIG_SETTINGS = {"type": "rig-settings", "version": 1, "namepool": {"style": "mad-max", "max_before_numbering": 50}}


def add_rig(
    town: Town,
    name: str,
    git_url: str,
    *,
    branch: str | None = None,
    prefix: str | None = None,
    local_repo: Path | str | None = None,
    world: World | None = None,
    clone_timeout_s: float = CLONE_TIMEOUT_S,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> Rig:
    """Clone a repository into a town and register it as a rig.

    The rig holds what Gas Town needs to load it and to spawn polecats in it: ``.repo.git`` (bare, with remote-tracking branches),
    ``config.json``, ``settings/config.json``, ``polecats/``, ``crew/``, ``witness/``, and where Gas Town and ``bd`` are on PATH a
    beads database. The clones that Gas Town's own mayor and refinery work in (``mayor/rig``, ``refinery/rig``) are theirs to make.

    Args:
        town: the town.
        name: the rig's name: letters, digits and ``_``.
        git_url: where the source comes from; a path on this machine is made absolute.
        branch: the branch new work starts from; None means the remote's default.
        prefix: what ids of the rig's beads start with; None derives it from the name.
        local_repo: a clone of the same project on this machine: what it has is not downloaded again, and where an agent trusts it, the
            rig's polecats are trusted as well.
        world: the world to use; only its git and environment are used.
        clone_timeout_s: how long the clone may take.
        lock_timeout_s: how long to wait for others who change the town's registry.

    Returns:
        The rig, as `Town.rig` gives it.

    Raises:
        InvalidNameError: name or prefix is malformed, or the prefix belongs to another rig.
        RigExistsError: the town has such a rig, or a file or directory in its place.
        NotFoundError: the repository has no commit, or not that branch.
        GitError: the repository cannot be cloned.
        LockTimeoutError: another process is adding a rig of this name, or changing the registry.
        UnsupportedError: the given git has no `GitClones`.
        PolecatError: the town cannot be written. In every case nothing is left behind.

    Examples:
        >>> import tempfile
        >>> from polecat import World, init_town
        >>> from polecat.testing import FakeGit
        >>> with tempfile.TemporaryDirectory() as place:
        ...     town = init_town(f"{place}/town")
        ...     rig = add_rig(town, "gastown", "https://example.org/gastown.git", world=World(git=FakeGit()))
        ...     rig.name, rig.default_branch, rig.prefix
        ('gastown', 'main', 'gt')

    Source:
        Contract §2.6.
    """
    rig = Rig(
        name=check_new_rig_name(name),
        path=town.root / name,
        git_url=_check_url(git_url),
        prefix=check_prefix(prefix or derive_prefix(name)),
        local_repo=None if local_repo is None else Path(os.path.abspath(local_repo)),
    )
    environ = caller_environ(world)
    git = (world.git if world else None) or real_git(environ)
    clones = needs(git, GitClones, "add a rig")
    git.check()
    mayor, what = town.root / "mayor", f"rig add {name}"
    with (
        clear_errors(f"add rig {name!r} to {town.root}"),
        holding(mayor / f".rig-{name}.lock", what=what, timeout_s=lock_timeout_s),
    ):
        _clear_leftovers(rig)
        _must_be_free(rig)
        try:
            _build(rig, branch, git, clones, clone_timeout_s)
            make_beads(_draft(rig), rig.prefix, environ)
            with holding(mayor / ".rigs.lock", what=what, timeout_s=lock_timeout_s):
                _must_be_free(rig)
                _put_in_place(rig)
        finally:
            shutil.rmtree(_draft(rig), ignore_errors=True)
    return town.rig(name)


def _draft(rig: Rig) -> Path:
    return rig.town_root / f".{rig.name}.rig-add"


def _check_url(url: str) -> str:
    """Return the URL; a path on this machine made absolute, because the rig's repository is elsewhere."""
    if not url.strip(" ") or not url.isprintable() or url.startswith("-"):
        raise PolecatError(f"{url!r} cannot be the URL of a repository", hint="give a URL or a path, such as ./project")
    if not is_local_path(url):
        return url
    if not os.path.isdir(url) and not os.path.isfile(url):
        raise NotFoundError(f"there is no repository at {os.path.abspath(url)}", hint="give a URL or the path of a repository")
    return os.path.abspath(url)


def is_local_path(url: str) -> bool:
    """Say whether what names a repository is a path on this machine."""
    return "://" not in url and not _SCP_LIKE.match(url)


def _clear_leftovers(rig: Rig) -> None:
    """Clear what a killed `rig add` of this name has left. We hold the name's lock, so none is running."""
    shutil.rmtree(_draft(rig), ignore_errors=True)
    if (rig.path / _HALF_MADE).exists() and rig.name not in load_rigs(rig.town_root):
        os.rename(rig.path, _draft(rig))
        _forget_route(rig)
        shutil.rmtree(_draft(rig), ignore_errors=True)


def _forget_route(rig: Rig) -> None:
    for route in load_routes(rig.town_root):
        if route.path == rig.name:
            remove_route(rig.town_root, route.prefix)


def _must_be_free(rig: Rig) -> None:
    """Refuse a name, a path or a prefix that is taken."""
    root = rig.town_root
    if rig.name in load_rigs(root):
        raise RigExistsError(f"the town {root} has a rig {rig.name!r} already", hint=f"it is in {rig.path}")
    if os.path.lexists(rig.path):
        raise RigExistsError(f"{rig.path} exists already and is not a rig of the town", hint="choose another name")
    owner = prefix_owners(root).get(rig.prefix.casefold())
    if owner is not None:
        whose = "the town itself" if owner == "." else f"rig {owner.split('/')[0]!r}"
        raise InvalidNameError("prefix", rig.prefix, f"belongs to {whose} already", hint="choose another one with --prefix")


def _build(rig: Rig, wanted: str | None, git: Git, clones: GitClones, timeout_s: float) -> None:
    """Make the whole rig under its hidden name."""
    draft = _draft(rig)
    draft.mkdir()
    (draft / _HALF_MADE).touch()
    repo = clones.clone_bare(rig.git_url, draft / ".repo.git", reference=rig.local_repo, timeout_s=timeout_s)
    branch = _choose_branch(rig.git_url, wanted, git, clones, repo)
    identity = RigConfig(name=rig.name, git_url=rig.git_url, beads_prefix=rig.prefix, local_repo=str(rig.local_repo or ""))
    write_rig_config(draft, evolve(identity, default_branch=branch, created_at=now()))
    for below in ("polecats", "crew", "witness", "settings", ".runtime/overlay", ".runtime/setup-hooks"):
        (draft / below).mkdir(parents=True)
    write_json(draft / "settings" / "config.json", _RIG_SETTINGS)
    write_bytes(draft / ".gitignore", b"plugins/\n.repo.git/\n")


def _choose_branch(url: str, wanted: str | None, git: Git, clones: GitClones, repo: Repo) -> str:
    """Choose the branch that new work starts from; it must exist."""
    branches = git.remote_branches(repo)
    if not branches:
        raise NotFoundError(f"the repository {url} has no commit yet", hint="push a first commit, then add the rig again")
    has = f"it has {', '.join(branches[:10])}"
    if wanted is not None:
        if wanted in branches:
            return wanted
        meant = nearest(wanted, branches)
        instead = f"did you mean {meant!r}?" if meant else has
        raise NotFoundError(f"the repository {url} has no branch {wanted!r}; {instead}", known=branches)
    default = clones.remote_default_branch(repo, timeout_s=60.0)
    for branch in (default, "master", "main"):
        if branch in branches:
            return branch
    raise NotFoundError(
        f"the repository {url} does not say which branch is its default",
        known=branches,
        hint=f"choose one with --branch; {has}",
    )


def _put_in_place(rig: Rig) -> None:
    """Rename the rig into place, then register it. The registry entry is what makes it a rig."""
    root, draft = rig.town_root, _draft(rig)
    entry = RigEntry(git_url=rig.git_url, local_repo=str(rig.local_repo or ""), added_at=now(), beads_prefix=rig.prefix)
    os.rename(draft, rig.path)
    try:
        if (root / ".beads").is_dir():  # bd would take a directory with nothing but routes for the town's beads
            add_route(root, Route(prefix=f"{rig.prefix}-", path=rig.name))
        register_rig(root, rig.name, entry)
    except BaseException:
        os.rename(rig.path, draft)
        _forget_route(rig)
        raise
    (rig.path / _HALF_MADE).unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------------ taking away


def remove_rig(
    town: Town, name: str, *, force: bool = False, world: World | None = None, lock_timeout_s: float = LOCK_TIMEOUT_S
) -> Path:
    """Take a rig out of a town and delete its directory. Where it came from, and checkouts elsewhere, stay as they are.

    Args:
        town: the town.
        name: the rig.
        force: go on in spite of saved work (rescues, kept entries of the trash, stashes, branches with commits that no remote has) and of
            files that are nobody's we know.
        world: the world to use; only its git and its processes are used.
        lock_timeout_s: how long to wait for others who change the rig or the town's registry.

    Returns:
        The directory that is gone.

    Raises:
        RigNotFoundError: the town has no such rig.
        WorkAtRiskError: it has polecats, clones of people or of Gas Town's agents, worktrees elsewhere, or something mounted in it; or
            saved work, and *force* is not asked for.
        UnsupportedError: the given git cannot tell what is saved, and *force* is not asked for.
        UnknownStateError: what it holds cannot be told.
        LockTimeoutError: another process uses it. In every case nothing was changed.

    Examples:
        >>> from polecat import find_town
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> remove_rig(find_town(rig.town_root), rig.name, world=world).exists()
        False
    """
    rig, what = town.rig(name), f"rig remove {name}"
    full, mayor = full_world(rig, world), town.root / "mayor"
    with (
        clear_errors(f"remove rig {name!r} from {town.root}"),
        holding(mayor / f".rig-{name}.lock", what=what, timeout_s=lock_timeout_s),
    ):
        with holding(pool_lock(rig), what=what, timeout_s=lock_timeout_s):
            _must_be_unused(full, rig, force=force)
            shutil.rmtree(_draft(rig), ignore_errors=True)
            with holding(mayor / ".rigs.lock", what=what, timeout_s=lock_timeout_s):
                unregister_rig(town.root, name)
                _forget_route(rig)
                os.rename(rig.path, _draft(rig))
        shutil.rmtree(_draft(rig), ignore_errors=True)
    return rig.path


_A_RIGS = frozenset(
    (
        *(".repo.git", ".runtime", ".beads", ".gitignore", ".claude", "config.json", "settings", "polecats", "plugins"),
        *("mayor", "refinery", "witness", "crew", "CLAUDE.md", "AGENTS.md"),
    )
)
"""What polecat and Gas Town put into a rig's directory. Source: contract §2.2."""


def _must_be_unused(world: FullWorld, rig: Rig, *, force: bool) -> None:
    """Refuse to take away what somebody uses, and what is nowhere else unless that is accepted."""
    homes = list_homes(rig)
    if homes.taken:
        names = sorted(homes.taken)
        raise WorkAtRiskError(
            f"rig {rig.name!r} has polecats: {', '.join(names[:10])}",
            reasons=("polecats",),
            hint=f"remove them first: polecat remove {rig.name}/{names[0]}",
        )
    clones = [path for path in (rig.path / "mayor" / "rig", rig.path / "refinery" / "rig") if path.exists()]
    clones += [path for path in (rig.path / "crew").glob("*") if path.is_dir()]
    if clones:
        raise WorkAtRiskError(
            f"rig {rig.name!r} has clones that others work in: {', '.join(map(str, clones[:5]))}",
            reasons=("clones",),
            hint="take them away first, or let Gas Town do it: gt rig remove",
        )
    if mounts := world.processes.mounts(rig.path):
        raise WorkAtRiskError(
            f"something is mounted in rig {rig.name!r}: {', '.join(map(str, mounts[:5]))}",
            reasons=("mounts",),
            hint="unmount it first",
        )
    repo = find_repo(rig)
    if elsewhere := _worktrees_elsewhere(rig, repo):
        raise WorkAtRiskError(
            f"the repository of rig {rig.name!r} has worktrees elsewhere: {', '.join(map(str, elsewhere[:5]))}",
            reasons=("worktrees",),
            hint=f"take them away first: {shell_line('git', '-C', repo.path, 'worktree', 'remove', elsewhere[0])}",
        )
    saved = [] if force else _saved_in(world, rig, repo)
    if saved:
        raise WorkAtRiskError(
            f"rig {rig.name!r} holds what is nowhere else: {'; '.join(saved)}",
            reasons=("saved",),
            hint=f"look at it:  polecat rescue list {rig.name}\nor drop it:  polecat rig remove {rig.name} --force",
        )


def _worktrees_elsewhere(rig: Rig, repo: Repo) -> list[Path]:
    """Worktrees of the rig's repository that stand, or stood, outside of it: they do not outlive the repository."""
    links = sorted((repo.git_dir / "worktrees").glob("*/gitdir"))
    named = [link.parent / os.fsdecode(read_guarded(link) or b"").rstrip("\n") for link in links]
    places = [Path(os.path.abspath(one)).parent for one in named]
    return [place for place in places if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(rig.path))]


def _saved_in(world: FullWorld, rig: Rig, repo: Repo) -> list[str]:
    saved = []
    if found := needs(world.git, GitRescues, "tell what a rig holds").rescues(repo):
        saved.append(f"{len(found)} rescue(s)")
    branches = needs(world.git, GitBranches, "tell what a rig holds")
    own = [name for name, tip in branches.branches(repo, "").items() if not branches.is_elsewhere(repo, tip)]
    saved += [f"unpushed commits on {', '.join(own[:5])}"] if own else []
    if world.git.resolve(repo, "refs/stash") is not None:
        saved.append("stashes")
    if kept := list((rig.polecats_dir / ".trash").glob("*.keep")):
        saved.append(f"{len(kept)} kept entry(s) in {rig.polecats_dir / '.trash'}")
    if strange := sorted(set(os.listdir(rig.path)) - _A_RIGS):
        saved.append(f"files in {rig.path}: {', '.join(strange[:5])}")
    return saved
