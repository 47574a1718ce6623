"""What an agent's place holds beyond a checkout, in real spawns, repairs and removals."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from polecat import SpawnFailedError, SpawnOptions, plan_spawn, remove_polecat, repair_polecat
from polecat.adapters import GitCli
from polecat.ports import World
from tests.git_fixtures import commit, git, make_origin, write
from tests.spawn_fixtures import HandTown, write_json
from tests.tmux_fixtures import environ_of

pytestmark = pytest.mark.real

ALLOW_FILES = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}


def _hook(town: HandTown, text: str) -> None:
    path = town.rig_dir / ".runtime" / "setup-hooks" / "10-note"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_ports_and_containers_of_its_own(town: HandTown) -> None:
    """Each agent has ports of its own, its set-up hooks and its plan know of them, and what the caller asks for wins."""
    _hook(town, f'echo "$POLECAT_PORT_BASE $COMPOSE_PROJECT_NAME" >"{town.notes}/seen"')
    tmux, git_ = town.server.cli(), GitCli()
    planned = plan_spawn(town.rig, SpawnOptions(), world=World(tmux=tmux, git=git_)).environment

    first = town.spawn()
    seen = (town.notes / "seen").read_text().split()
    second = town.spawn(env={"COMPOSE_PROJECT_NAME": "mine"}, environ={**os.environ, "POLECAT_PORT_BASE": "1"})

    one, other = environ_of(first.pid), environ_of(second.pid)
    assert [one[b"POLECAT_PORT_BASE"].decode(), one[b"COMPOSE_PROJECT_NAME"].decode()] == seen
    assert int(one[b"POLECAT_PORT_COUNT"]) == 10
    assert abs(int(one[b"POLECAT_PORT_BASE"]) - int(other[b"POLECAT_PORT_BASE"])) >= 10
    assert other[b"COMPOSE_PROJECT_NAME"] == b"mine"
    assert {"POLECAT_PORT_BASE", "COMPOSE_PROJECT_NAME"} <= set(planned)
    assert set(planned) <= {key.decode() for key in one}


def test_switched_off_is_not_there(town: HandTown) -> None:
    """A rig that wants none of it gets none of it, and nothing is noted."""
    town.settings(port_block=0, compose_project=False)

    env = environ_of(town.spawn().pid)

    assert not [key for key in env if key.startswith((b"POLECAT_PORT", b"COMPOSE"))]
    assert not (town.root / ".runtime" / "polecat-ports.json").exists()


def test_files_and_submodules_are_there_and_the_tree_is_clean(town: HandTown, tmp_path: Path) -> None:
    """Ignored files and submodules stand in the worktree when the agent starts; git sees no work; a repair brings them again."""
    make_origin(tmp_path / "lib", {"code": "lib"})
    git("submodule", "add", "-q", str(tmp_path / "lib"), "lib", cwd=town.origin)
    commit(town.origin, {".gitignore": ".env\n", ".worktreeinclude": ".env\n"}, "place")
    write(town.rig_dir / ".runtime" / "worktreeinclude", {".env": "KEY=1"})
    environ = {**os.environ, **ALLOW_FILES}

    cat = town.spawn(environ=environ)

    assert cat.warnings == ()
    assert (cat.clone_path / ".env").read_text() == "KEY=1"
    assert (cat.clone_path / "lib" / "code").read_text() == "lib"
    assert git("status", "--porcelain", cwd=cat.clone_path) == ""

    tmux, git_ = town.server.cli(environ=environ), GitCli(environ=environ)
    repaired = repair_polecat(town.rig, cat.polecat_name, world=World(tmux=tmux, git=git_, environ=environ))

    assert repaired.warnings == ()
    assert (cat.clone_path / ".env").read_text() == "KEY=1"
    assert (cat.clone_path / "lib" / "code").read_text() == "lib"
    assert git("status", "--porcelain", cwd=cat.clone_path) == ""
    assert git("submodule", "status", cwd=cat.clone_path).startswith(" ")

    removed = remove_polecat(town.rig, cat.polecat_name, world=World(tmux=tmux, git=git_, environ=environ))

    assert (removed.rescue, removed.kept, removed.branch_deleted) == ("", None, True)
    assert not cat.clone_path.exists()


def test_submodule_that_cannot_be_had_is_a_warning(town: HandTown, tmp_path: Path) -> None:
    """The spawn goes on without it and says so; a rig that wants none is not asked to wait."""
    make_origin(tmp_path / "lib", {"code": "lib"})
    git("submodule", "add", "-q", str(tmp_path / "lib"), "lib", cwd=town.origin)
    commit(town.origin, {}, "submodule")

    warned = town.spawn()
    town.settings(submodules=False)
    silent = town.spawn()

    [warning] = warned.warnings
    assert warning.startswith("submodule lib: ")
    assert silent.warnings == ()


def test_trust_is_inherited_and_taken_back(bare_town: HandTown, home: Path) -> None:
    """T-36: the worktree of an agent like Claude is trusted exactly while the polecat lives, if the user trusts the rig."""
    town, config = bare_town, home / ".claude.json"
    prompt = {"provider": "claude", "tmux": {"ready_prompt_prefix": "> "}}
    town.agent("like-claude", 'stty raw -echo; printf "> "; exec cat', **prompt)
    town.agent("mortal", "exit 3", **prompt)
    write_json(config, {"projects": {str(town.rig_dir): {"hasTrustDialogAccepted": True}}, "theme": "dark"})

    def trusted() -> set[str]:
        projects = json.loads(config.read_text())["projects"]
        return {place for place, entry in projects.items() if entry.get("hasTrustDialogAccepted")}

    cat = town.spawn()
    assert trusted() == {str(town.rig_dir), str(cat.clone_path)}

    with pytest.raises(SpawnFailedError) as raised:
        town.spawn(agent="mortal")
    assert "trust" in raised.value.undone
    assert trusted() == {str(town.rig_dir), str(cat.clone_path)}

    remove_polecat(town.rig, cat.polecat_name, world=World(tmux=town.server.cli(), git=GitCli()))
    assert trusted() == {str(town.rig_dir)}
    assert json.loads(config.read_text())["theme"] == "dark"


def test_lazy_lfs_reaches_checkout_and_agent(town: HandTown, tmp_path: Path) -> None:
    """With ``lfs: lazy`` neither our checkout nor the agent's own git downloads big files unasked."""
    smudge = tmp_path / "smudge"
    smudge.write_text('#!/bin/sh\nif [ "$GIT_LFS_SKIP_SMUDGE" = 1 ]; then cat; else cat >/dev/null; echo downloaded; fi\n')
    smudge.chmod(0o755)
    git("config", "filter.lfs.smudge", str(smudge), cwd=town.repo_dir)
    git("config", "filter.lfs.clean", "cat >/dev/null; echo pointer", cwd=town.repo_dir)
    commit(town.origin, {".gitattributes": "*.bin filter=lfs\n", "big.bin": "pointer\n"}, "lfs")
    town.settings(lfs="lazy")

    cat = town.spawn()

    assert (cat.clone_path / "big.bin").read_text() == "pointer\n"
    assert environ_of(cat.pid)[b"GIT_LFS_SKIP_SMUDGE"] == b"1"
