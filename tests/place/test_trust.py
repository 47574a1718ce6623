"""Trust that is handed on: only what the user gave, only to the same repository, every other byte of the agents' files untouched."""

from __future__ import annotations

import json
import os
import shutil
import time
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from polecat.core.presets import PRESETS
from polecat.documents import Trust
from polecat.model import Rig
from polecat.place.prepare import leave_place, sweep_places
from polecat.place.trust import Inherited, inherit_trust, same_repository, withdraw_trust
from polecat.place.trust_stores import ClaudeTrust, CodexTrust, FolderTrust
from polecat.town.json_edit import with_value, without_key

CLAUDE, CODEX = PRESETS["claude"], PRESETS["codex"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)

# ----------------------------------------------------------------------------------------------------- json surgery


@settings(max_examples=150, deadline=None)
@given(
    document=st.dictionaries(st.text(max_size=5), JSON, max_size=4),
    keys=st.lists(st.text(max_size=3), min_size=1, max_size=3),
    indent=st.sampled_from([None, 0, 2, "\t"]),
)
def test_only_the_one_value_changes(document: dict[str, object], keys: list[str], indent: int | str | None) -> None:
    """Whatever the document and its form, the result is the same document with one value set, and all old text is still there."""
    text = json.dumps(document, indent=indent)
    expected = json.loads(text)
    place = expected
    for key in keys[:-1]:
        if not isinstance(place.setdefault(key, {}), dict):
            with pytest.raises(ValueError, match=r"."):
                with_value(text, keys, True)
            return
        place = place[key]
    place[keys[-1]] = True

    new = with_value(text, keys, True)

    assert json.loads(new) == expected
    start = os.path.commonprefix([text, new])  # noqa: RUF071  of texts
    assert new.endswith(text[len(start) :]) or len(new) <= len(text) + 4


@settings(max_examples=150, deadline=None)
@given(
    document=st.dictionaries(st.text(max_size=5), JSON, max_size=4), indent=st.sampled_from([None, 0, 2, "\t"]), data=st.data()
)
def test_only_the_one_member_goes(document: dict[str, object], indent: int | str | None, data: st.DataObject) -> None:
    """Whatever the document and its form, the result is the same document without one member; without it there, nothing changes."""
    text = json.dumps({**document, "in": dict(document)}, indent=indent)
    key = data.draw(st.sampled_from([*document, "no-such"]))

    assert without_key(text, ["no-such", "x"]) == without_key(text, ["in", key, "no-such", "x"]) == text
    assert json.loads(without_key(text, ["in", key]))["in"] == {name: value for name, value in document.items() if name != key}
    assert key not in json.loads(without_key(text, [key]))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1,}', "null", '{"a": [}', "[" * 100_000])
def test_what_is_no_object_is_refused(text: str) -> None:
    """A damaged file is never written over."""
    with pytest.raises(ValueError, match=r"."):
        with_value(text, ["a"], True)


def test_numbers_and_escapes_stay_as_they_are_written() -> None:
    """No number is rounded, no escape rewritten, no key sorted, no blank lost."""
    text = '{ "z": 1.10e+2 ,\t"a":12345678901234567890123,"u":"\\u00e9\\/" ,"projects":{ } }\n'

    new = with_value(text, ["projects", "/w", "x"], True)

    assert new == text.replace("{ }", '{"/w": {"x": true} }')


# ----------------------------------------------------------------------------------------------------------- stores

CONFIG = """{
  "numStartups": 12,
  "projects": {
    "/home/me/gas": {
      "allowedTools": [],
      "hasTrustDialogAccepted": true
    },
    "/home/me/other": {
      "hasTrustDialogAccepted": false
    }
  },
  "oauthAccount": {"id": 1.50}
}
"""


@pytest.fixture
def claude(tmp_path: Path) -> ClaudeTrust:
    store = ClaudeTrust(path=tmp_path / ".claude.json")
    store.path.write_text(CONFIG)
    store.path.chmod(0o600)
    return store


def test_claude_is_given_one_entry(claude: ClaudeTrust) -> None:
    """One entry appears, everything else is byte for byte as it was, mode included; no lock is left."""
    assert claude.is_trusted(Path("/home/me/gas"))
    assert not claude.is_trusted(Path("/home/me/other"))

    assert claude.set_trusted(Path("/gt/gas/polecats/nux/gas"), trusted=True)

    entry = '    "/gt/gas/polecats/nux/gas": {"hasTrustDialogAccepted": true},'
    assert claude.path.read_text() == CONFIG.replace('"projects": {\n', f'"projects": {{\n{entry}\n')
    assert claude.path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(claude.path.parent)) == [".claude.json"]
    assert not claude.set_trusted(Path("/gt/gas/polecats/nux/gas"), trusted=True)


def test_claude_loses_only_the_trust(claude: ClaudeTrust, tmp_path: Path) -> None:
    """Taking trust back keeps what Claude Code has learned about a directory that is there, and leaves no entry of one that is gone."""
    project = {str(tmp_path): {"allowedTools": [], "hasTrustDialogAccepted": True}}
    claude.path.write_text(json.dumps({"projects": {**project, "/gone": {"allowedTools": [], "hasTrustDialogAccepted": True}}}))

    assert claude.set_trusted(tmp_path, trusted=False)
    assert claude.set_trusted(Path("/gone"), trusted=False)

    assert json.loads(claude.path.read_text()) == {"projects": {str(tmp_path): {"allowedTools": []}}}
    assert not claude.set_trusted(Path("/nowhere"), trusted=False)


def test_what_was_given_and_taken_back_leaves_every_byte_as_it_was(claude: ClaudeTrust) -> None:
    """Giving and taking back is no change at all."""
    claude.set_trusted(Path("/gt/gas/polecats/nux/gas"), trusted=True)
    claude.set_trusted(Path("/gt/gas/polecats/nux/gas"), trusted=False)

    assert claude.path.read_text() == CONFIG


def test_claude_lock_is_respected(claude: ClaudeTrust) -> None:
    """While Claude Code holds its lock nothing is written; one that nobody renews is taken over."""
    lock = claude.path.with_name(".claude.json.lock")
    lock.mkdir()
    with pytest.raises(OSError, match="held by the agent"):
        evolve(claude, lock_patience_s=0.05).set_trusted(Path("/w"), trusted=True)
    os.utime(lock, (time.time() - 60,) * 2)

    assert claude.set_trusted(Path("/w"), trusted=True)
    assert not lock.exists()


def test_many_writers_lose_nothing(claude: ClaudeTrust) -> None:
    """Sixteen spawns at once: every entry is there, and the file is whole."""
    places = [Path(f"/w/{number}") for number in range(16)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda place: claude.set_trusted(place, trusted=True), places))

    assert all(claude.is_trusted(place) for place in places)
    assert json.loads(claude.path.read_text())["oauthAccount"] == {"id": 1.5}


def test_symlinked_file_stays_a_symlink(claude: ClaudeTrust, tmp_path: Path) -> None:
    """Some keep the file in a directory under version control."""
    real = tmp_path / "dotfiles"
    claude.path.rename(real)
    claude.path.symlink_to(real)

    claude.set_trusted(Path("/w"), trusted=True)

    assert claude.path.is_symlink()
    assert "/w" in real.read_text()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"projects": []}', '{"projects": {"/w": 3}}'])
def test_unknown_form_is_left_alone(claude: ClaudeTrust, text: str) -> None:
    """What we do not understand we do not write."""
    claude.path.write_text(text)

    with pytest.raises(ValueError, match=r"."):
        claude.set_trusted(Path("/w"), trusted=True)
    assert not claude.is_trusted(Path("/w"))
    assert claude.path.read_text() == text


def test_codex_entry_is_appended_and_taken_away_again(tmp_path: Path) -> None:
    """The file is valid TOML with one table more; taking it back restores every byte; the user's own entries stay."""
    store = CodexTrust(path=tmp_path / "config.toml")
    before = (
        'model = "x" # mine\n\n[projects."/home/me/gas"]\ntrust_level = "trusted"\n[projects."/bad"]\ntrust_level = "untrusted"\n'
    )
    store.path.write_text(before)
    place = Path('/gt/gas/polecats/we"ird\\/gas')

    assert store.is_trusted(Path("/home/me/gas"))
    assert not store.is_trusted(Path("/bad"))
    assert store.set_trusted(place, trusted=True)
    assert tomllib.loads(store.path.read_text())["projects"][str(place)] == {"trust_level": "trusted"}
    assert store.is_trusted(place)
    assert not store.set_trusted(Path("/bad"), trusted=True), "the user said no"
    store.set_trusted(place, trusted=False)
    assert store.path.read_text() == before


def test_codex_file_that_cannot_take_a_table_is_left_alone(tmp_path: Path) -> None:
    """An inline table cannot be added to, and damaged TOML is not ours to mend."""
    store = CodexTrust(path=tmp_path / "config.toml")
    for text in ('projects = {"/a" = {trust_level = "trusted"}}\n', "model = \n"):
        store.path.write_text(text)
        with pytest.raises(ValueError, match=r"."):
            store.set_trusted(Path("/w"), trusted=True)
        assert store.path.read_text() == text


# ----------------------------------------------------------------------------------------------------------- policy


@frozen(kw_only=True)
class Place:
    """A rig, a user's home, and the worktree to be."""

    rig: Rig
    home: Path
    trusted: Mapping[str, bool] = field(factory=dict)

    @property
    def clone(self) -> Path:
        """The worktree."""
        return self.rig.home_dir("nux") / self.rig.name

    @property
    def store(self) -> ClaudeTrust:
        """The user's own memory."""
        return ClaudeTrust(path=self.home / ".claude.json")

    def trust(self, *places: Path) -> None:
        """Let the user trust places."""
        entries = {str(place): {"hasTrustDialogAccepted": True} for place in places}
        self.store.path.write_text(json.dumps({"projects": entries}, indent=2))

    def inherit(self, policy: Trust = "inherit", **more: object) -> Inherited:
        """Hand on what there is."""
        options: dict[str, object] = {"policy": policy, "environ": {"HOME": str(self.home)}, **more}
        return inherit_trust(self.rig, self.clone, CLAUDE, **options)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    home = tmp_path / "home"
    home.mkdir()
    rig = Rig(name="gas", path=tmp_path / "town" / "gas", git_url=str(tmp_path / "project"))
    rig.home_dir("nux").mkdir(parents=True)
    return Place(rig=rig, home=home)


@pytest.mark.parametrize("where", ["mayor/rig", ".", "../../project"])
def test_trust_in_the_repository_is_handed_on(place: Place, where: str) -> None:
    """The main clone, the rig's directory and the checkout the rig was added from are the repository."""
    source = Path(os.path.normpath(place.rig.path / where))
    place.trust(source)

    assert place.inherit() == Inherited(source=str(source))

    assert place.store.is_trusted(place.clone)


def test_nothing_given_is_nothing_handed_on(place: Place, tmp_path: Path) -> None:
    """T-36: without the user's trust nothing is written, whatever else the user trusts; a missing file is not made."""
    assert place.inherit() == Inherited()
    assert os.listdir(place.home) == []

    place.trust(tmp_path, tmp_path / "town", tmp_path / "project-other", tmp_path / "town" / "gas" / "polecats" / "slit" / "gas")
    before = place.store.path.read_text()

    assert place.inherit() == Inherited()
    assert place.store.path.read_text() == before


def test_asking_hands_nothing_on(place: Place) -> None:
    """With ``ask`` nothing is written; a change of mind takes back what was handed on before."""
    place.trust(place.rig.path)
    place.inherit()

    assert place.inherit("ask") == Inherited()
    assert not place.store.is_trusted(place.clone)
    assert place.store.is_trusted(place.rig.path)


def test_accepting_trusts_the_worktree_and_nothing_else(place: Place) -> None:
    """With ``accept`` the worktree itself is entered, whatever the user trusts, and the removal leaves the file as it was."""
    place.store.path.write_text(CONFIG)

    assert place.inherit("accept") == Inherited()

    assert place.store.is_trusted(place.clone)
    assert not place.store.is_trusted(place.rig.path / ".repo.git")
    leave_place(place.rig, "nux")
    assert place.store.path.read_text() == CONFIG


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini"])
def test_accepting_makes_no_file_of_an_agent_that_was_never_started(place: Place, agent: str) -> None:
    """An agent without any configuration asks more than this: it is left to its questions, without a warning."""
    given = inherit_trust(place.rig, place.clone, PRESETS[agent], policy="accept", environ={"HOME": str(place.home)})

    assert given == Inherited()
    assert os.listdir(place.home) == []


@pytest.mark.parametrize(
    ("agent", "file", "environ"),
    [
        ("gemini", ".gemini/trustedFolders.json", {}),
        ("gemini", "x.json", {"GEMINI_CLI_TRUSTED_FOLDERS_PATH": "x.json"}),
        ("gemini", "other/.gemini/trustedFolders.json", {"GEMINI_CLI_HOME": "other"}),
        ("qwen", ".qwen/trustedFolders.json", {}),
        ("qwen", "q/trustedFolders.json", {"QWEN_HOME": "q"}),
        ("qwen", "y.json", {"QWEN_CODE_TRUSTED_FOLDERS_PATH": "y.json"}),
    ],
)
def test_folders_that_gemini_and_qwen_trust(place: Place, agent: str, file: str, environ: Mapping[str, str]) -> None:
    """Their list gets one entry and loses it again; what stands in it otherwise stays."""
    path = place.home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f'{{\n  "/mine": "DO_NOT_TRUST", "{place.rig.path}": "TRUST_FOLDER"\n}}\n'
    path.write_text(text)
    where = {"HOME": str(place.home), **{key: str(place.home / value) for key, value in environ.items()}}

    given = inherit_trust(place.rig, place.clone, PRESETS[agent], policy="inherit", environ=where)

    assert given == Inherited(source=str(place.rig.path))
    assert json.loads(path.read_text())[str(place.clone)] == "TRUST_FOLDER"
    withdraw_trust(place.rig, "nux")
    assert path.read_text() == text


def test_a_folder_the_user_refused_stays_refused(tmp_path: Path) -> None:
    """A list that does not exist yet is made; an entry that says something else is the user's."""
    store = FolderTrust(path=tmp_path / "trustedFolders.json")

    assert store.set_trusted(Path("/w"), trusted=True)
    assert store.path.read_text() == '{"/w": "TRUST_FOLDER"}\n'
    store.path.write_text('{"/w": "DO_NOT_TRUST"}')
    assert not store.set_trusted(Path("/w"), trusted=True)
    assert not store.set_trusted(Path("/w"), trusted=False)


def test_account_gets_the_users_trust(place: Place, tmp_path: Path) -> None:
    """An agent with an account of its own reads that account's file: the entry goes there, the trust may come from the user's own."""
    account = tmp_path / "account"
    account.mkdir()
    (account / ".claude.json").write_text("{}")
    place.trust(place.rig.path)

    place.inherit(config_dir=str(account))

    assert ClaudeTrust(path=account / ".claude.json").is_trusted(place.clone)
    assert not place.store.is_trusted(place.clone)


def test_revoked_trust_is_not_handed_on_again(place: Place) -> None:
    """When the user trusts the repository no more, the next spawn of that name takes the old entry back."""
    place.trust(place.rig.path)
    place.inherit()
    place.store.set_trusted(place.rig.path, trusted=False)

    assert place.inherit() == Inherited()
    assert not place.store.is_trusted(place.clone)


def test_trust_goes_with_the_polecat(place: Place) -> None:
    """A removal takes the trust of the place back, because another repository may stand there one day; twice is fine."""
    place.trust(place.rig.path)
    place.inherit()

    leave_place(place.rig, "nux")
    leave_place(place.rig, "nux")

    assert not place.store.is_trusted(place.clone)
    assert list((place.rig.runtime_dir / "trust").iterdir()) == []


def test_trust_of_polecats_that_are_gone_is_swept(place: Place) -> None:
    """Whoever removed a home without us: the next spawn in the rig takes its trust back."""
    place.trust(place.rig.path)
    place.inherit()
    place.rig.home_dir("nux").rmdir()

    sweep_places(place.rig)

    assert not place.store.is_trusted(place.clone)


def test_what_the_user_trusted_personally_stays(place: Place) -> None:
    """An entry we did not make is never taken back."""
    place.trust(place.rig.path, place.clone)
    place.inherit()

    withdraw_trust(place.rig, "nux")

    assert place.store.is_trusted(place.clone)


def test_a_note_of_a_copied_town_withdraws_nothing_of_the_original(place: Place, tmp_path: Path) -> None:
    """The note of what was handed on names a directory; if it is there and not this polecat's, it is somebody else's trust."""
    place.trust(place.rig.path)
    place.clone.mkdir(parents=True, exist_ok=True)
    place.inherit()
    copy = evolve(place.rig, path=tmp_path / "copy" / place.rig.name)
    shutil.copytree(place.rig.path, copy.path)

    withdraw_trust(copy, "nux")

    assert place.store.is_trusted(place.clone)
    withdraw_trust(place.rig, "nux")
    assert not place.store.is_trusted(place.clone)


def test_damaged_file_is_a_warning(place: Place, tmp_path: Path) -> None:
    """A file that cannot be understood costs the inheritance, not the spawn."""
    account = tmp_path / "account"
    account.mkdir()
    (account / ".claude.json").write_text("{ damaged")
    place.trust(place.rig.path)

    [warning] = place.inherit(config_dir=str(account)).warnings

    assert str(account) in warning


def test_local_clone_counts_only_if_it_is_the_same_repository(tmp_path: Path) -> None:
    """A clone that objects are borrowed from may be of another repository."""
    clone = tmp_path / "clone"
    (clone / ".git").mkdir(parents=True)
    rig = Rig(name="gas", path=tmp_path / "gas", git_url="https://example.invalid/gas.git", local_repo=clone)
    config = '[core]\n\tbare = false\n[remote "origin"]\n\turl = https://example.invalid/gas.git\n[branch "main"]\n\turl = x\n'
    (clone / ".git" / "config").write_text(config)

    assert clone in same_repository(rig)
    assert clone not in same_repository(evolve(rig, git_url="https://example.invalid/other.git"))
    assert clone not in same_repository(evolve(rig, git_url=""))


def test_other_agents_are_left_alone(place: Place) -> None:
    """Codex has a file of its own; of agents we know nothing about nothing is written."""
    place.trust(place.rig.path)
    (place.home / ".codex").mkdir()
    codex = CodexTrust(path=place.home / ".codex" / "config.toml")
    codex.path.write_text(f'[projects."{place.rig.path}"]\ntrust_level = "trusted"\n')
    environ = {"HOME": str(place.home)}

    done = inherit_trust(place.rig, place.clone, CODEX, policy="inherit", environ=environ)
    unknown = inherit_trust(place.rig, place.clone, PRESETS["amp"], policy="inherit", environ=environ)

    assert done.source == str(place.rig.path)
    assert codex.is_trusted(place.clone)
    assert unknown == Inherited()
    assert not place.store.is_trusted(place.clone)
