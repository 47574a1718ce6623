"""Whatever git allows in a name comes back as it is, also what looks like a blank, the end of a line or a change of direction."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polecat.adapters.git.config import without_branch
from polecat.adapters.git.run import error_line
from polecat.ports import RESCUE_REFS
from tests.git_fixtures import GitRig, git, make_git_rig, write

pytestmark = pytest.mark.real

SEEMS_BLANK = "\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000"
TURNS = "\u061c\u200e\u202e\u2066\u2069"
CONTROLS = "\x01\x0b\x0c\x1b\x1c\x1d\x1e\x7f"

REF_NAMES = st.text("ab-é" + SEEMS_BLANK + TURNS, min_size=1, max_size=12).map(lambda text: f"x{text}")
FILE_NAMES = st.text("ab -é\t\n\r\"\\'" + SEEMS_BLANK + TURNS + CONTROLS, min_size=1, max_size=12).map(lambda text: f"{text}x")
WITH_GIT = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitRig]:
    """Give a fresh rig each time."""

    def make() -> Iterator[GitRig]:
        while True:
            yield make_git_rig(tmp_path_factory.mktemp("odd"))

    return make()


@WITH_GIT
@given(names=st.lists(REF_NAMES, min_size=1, max_size=5, unique=True), pack=st.booleans())
def test_branches_have_the_names_that_they_have(names: list[str], pack: bool, rigs: Iterator[GitRig]) -> None:
    """Loose or packed, listed or asked for: each is found by its whole name and no other, and stands at its commit."""
    rig = next(rigs)
    orders = "".join(
        f"create {top}{name}\0{rig.start}\0" for name in names for top in ("refs/heads/polecat/", "refs/remotes/origin/")
    )
    (rig.root / "orders").write_bytes(os.fsencode(orders))
    git("-c", f"alias.create=!git update-ref -z --stdin <'{rig.root}/orders'", "create", cwd=rig.repo.path)
    git("symbolic-ref", "refs/remotes/origin/HEAD", f"refs/remotes/origin/{names[0]}", cwd=rig.repo.path)
    if pack:
        git("pack-refs", "--all", cwd=rig.repo.path)

    assert rig.git.branches(rig.repo, "polecat/") == {f"polecat/{name}": rig.start for name in names}
    assert {*rig.git.remote_branches(rig.repo)} - {"HEAD"} == {"main", *names}
    assert [rig.git.resolve(rig.repo, f"refs/heads/polecat/{name}") for name in names] == [rig.start] * len(names)
    assert rig.git.resolve(rig.repo, "refs/remotes/origin/HEAD") == rig.start
    assert [rig.git.resolve(rig.repo, f"refs/heads/polecat/{name.strip()}") for name in names if name.strip() not in names] == [
        None for name in names if name.strip() not in names
    ]


@WITH_GIT
@given(name=REF_NAMES, subject=FILE_NAMES)
def test_a_worktree_on_such_a_branch(name: str, subject: str, rigs: Iterator[GitRig]) -> None:
    """It is made, found, known to be checked out; a stash on it is its own; its rescue says why; its branch can be deleted."""
    rig = next(rigs)
    made = rig.add(branch=f"polecat/{name}")
    write(made.path, {"README.md": "changed"})
    git("stash", cwd=made.path)
    found = rig.git.find_worktree(rig.repo, made.path)
    facts = rig.git.facts(rig.repo, made, base="refs/remotes/origin/main")

    assert found is not None
    assert (found.branch, facts.branch, facts.problems) == (f"polecat/{name}", f"polecat/{name}", ())
    assert len(facts.stashes) == 1
    assert rig.git.is_checked_out(rig.repo, f"polecat/{name}")
    write(made.path, {"new": "x"})
    saved = rig.git.rescue(rig.repo, made, ref_name=f"nux/{name}", message=subject)
    assert saved is not None
    [listed] = rig.git.rescues(rig.repo)
    assert (listed.ref, listed.commit, listed.message) == (f"{RESCUE_REFS}nux/{name}", saved.commit, saved.message)
    rig.git.drop_worktree(rig.repo, made, into=rig.trash())
    assert rig.git.delete_branch(rig.repo, f"polecat/{name}", expected=rig.start)
    assert name not in (rig.repo.path / "config").read_text("utf-8", "surrogateescape")


@WITH_GIT
@given(names=st.lists(FILE_NAMES, min_size=1, max_size=6, unique=True))
def test_files_have_the_names_that_they_have(names: list[str], rigs: Iterator[GitRig]) -> None:
    """New files of any name are counted, saved, and listed in their rescue."""
    rig = next(rigs)
    made = rig.add()
    write(made.path, {name: name for name in names})

    facts = rig.git.facts(rig.repo, made)
    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="x")

    assert facts.status().untracked == len(names)
    assert saved is not None
    assert rig.git.rescued_files(rig.repo, saved.ref) == dict.fromkeys(sorted(names, key=os.fsencode), "added")


@WITH_GIT
@given(name=REF_NAMES)
def test_who_may_push_a_branch_does_not_decide_where_others_start(name: str, rigs: Iterator[GitRig]) -> None:
    """A branch ``main<blank>…`` of the remote is not ``main``, and a remote whose own branch has such a name is understood."""
    rig = next(rigs)
    before = rig.start
    write(rig.origin, {"evil": "x"})
    git("checkout", "-q", "-b", f"main{name[1:]}", cwd=rig.origin)
    git("add", ".", cwd=rig.origin)
    git("commit", "-q", "-m", "evil", cwd=rig.origin)
    rig.fetch()

    assert rig.start == before
    assert rig.git.remote_default_branch(rig.repo, timeout_s=30) == f"main{name[1:]}"


LINES = st.text('ab[]"\\ \t=' + SEEMS_BLANK + CONTROLS, max_size=20)


@given(name=REF_NAMES, lines=st.lists(LINES, max_size=6))
def test_only_the_branchs_own_section_goes(name: str, lines: list[str]) -> None:
    """What stands in the other sections of a configuration stays, whatever blanks or line ends it seems to hold."""
    kept = "".join(f"\tkey = {line}x\n" for line in lines).encode()
    own = f'[branch "polecat/{name}"]\n\tremote = origin\n'.encode()
    before, after = b"[core]\n\tbare = true\n" + kept, b"[user]\n" + kept

    assert without_branch(before + own + after, f"polecat/{name}") == before + after


@given(text=st.text("ab: " + SEEMS_BLANK + CONTROLS, min_size=1, max_size=20))
def test_a_message_of_git_is_one_line(text: str) -> None:
    """The reason is the line that git calls fatal, whole."""
    assert error_line(f"warning: x\nfatal: {text}.\nhint: y\n") == f"{text}."


def test_home_of_such_a_name(tmp_path: Path) -> None:
    """A rig in a directory whose name ends in what looks like a line break is a rig like any other."""
    rig = make_git_rig(tmp_path / "a\u2028b\x85\u3000")
    made = rig.add()

    assert rig.git.find_worktree(rig.repo, made.path) is not None
    assert rig.git.stale_registrations(rig.repo) == ()
    assert rig.git.facts(rig.repo, made).is_clean
