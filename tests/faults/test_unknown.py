"""Unknown is not dead, not clean, not zero, not gone: each read of the outside fails behind each public function."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

import polecat
from polecat import (
    BeadsConfigError,
    BeadsUnavailableError,
    GitError,
    GitFacts,
    Polecat,
    PolecatError,
    ProgramTimeoutError,
    SpawnedPolecat,
    SpawnOptions,
    TmuxUnreachableError,
    Town,
    UnknownStateError,
    ports,
)
from polecat.testing import Call, Fault
from tests.faults.pretend import Picture
from tests.faults.tables import sample
from tests.faults.troubled import NAMES, Rigs, Troubled

WHY = "told to fail"

KINDS: Mapping[str, tuple[type[PolecatError], ...]] = {
    "git": (GitError, ProgramTimeoutError),
    "tmux": (TmuxUnreachableError,),
    "beads": (BeadsUnavailableError, BeadsConfigError),
    "processes": (UnknownStateError,),
}
"""How a port says that it cannot tell."""

ARGUMENTS: Mapping[str, Callable[[Troubled], Any]] = {
    "rig": lambda place: place.rig,
    "town": lambda place: Town(root=place.rig.town_root),
    "bead": lambda _: "gt-9",
    "text": lambda _: "go on",
    "state": lambda _: "done",
    "opts": lambda _: SpawnOptions(hook_bead="gt-9"),
    "name": lambda _: "second",
    "directory": lambda place: place.rig.town_root.with_name("third"),
    "git_url": lambda _: "https://example.invalid/second.git",
    "count": lambda _: 2,
    "polecats": lambda _: ["nux", "slit", "ace"],
    "start": lambda place: place.rig.path,
    "timeout_s": lambda _: 1.0,
}
"""What a public function is given, by the name of its parameter."""

VARIANTS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "remove_polecat": ({}, {"force": True}, {"nuclear": True}),
    "remove_rig": ({"name": "gastown"}, {"name": "gastown", "force": True}),
    "repair_polecat": ({}, {"force": True}, {"nuclear": True}),
    "set_state": ({}, {"state": "working"}),
    "spawn_for_sling": tuple({"opts": SpawnOptions(hook_bead=bead)} for bead in ("gt-9", *(f"gt-{at}" for at in range(1, 7)))),
    "spawn_many": ({"opts": [SpawnOptions(hook_bead="gt-9"), SpawnOptions(hook_bead="gt-3"), SpawnOptions()]},),
}
"""Functions that are tried in more ways than one."""

UNCALLED = {
    "remember_rig",
    "drop_rescue",
    "rescued_files",
    "restore_worktree",
    "finish_move",
    "fill_submodules",
    "ignored_files",
}
"""Port methods that none of these functions needs here."""


class Broken(Fault):
    """Every call of one method fails, or every one but the first."""

    def __init__(self, method: str, error: type[PolecatError] | None, *, spared: int = 0) -> None:
        super().__init__()
        self._method, self._error, self._spared = method, error, itertools.count(-spared)

    def hits(self, call: Call) -> bool:
        """See `Fault.hits`."""
        return call.method == self._method and next(self._spared) >= 0

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """See `Fault.strike`; without an error the answer itself says that it is none."""
        if self._error is None:
            return GitFacts(problems=(WHY,))
        raise self._error(f"{call} {WHY}")


@attrs.frozen(kw_only=True)
class Question:
    """A public function and what it is asked."""

    function: str
    given: Mapping[str, Any]

    def ask(self, place: Troubled, fault: Fault) -> object:
        """What it answers, or the error it raises."""
        call = getattr(polecat, self.function)
        known = {name: ARGUMENTS[name](place) for name in inspect.signature(call).parameters if name in ARGUMENTS}
        try:
            answer = call(**{**known, **self.given}, world=fault.around(place.world))
            return list(answer) if isinstance(answer, Iterator) else answer
        except Exception as error:  # noqa: BLE001  which kinds are fine is what the test says
            return error

    def __str__(self) -> str:
        return re.sub(r"[a-z_]+=(None|True|False|\[\]|'(ready|auto)')(, )?", "", f"{self.function} {dict(self.given)}")


def questions() -> Iterator[Question]:
    """Every public function that uses the outside, about every polecat, as a dry run too."""
    for name in sorted(vars(polecat)["__all__"]):
        function = getattr(polecat, name)
        if not inspect.isfunction(function) or "world" not in (parameters := inspect.signature(function).parameters):
            continue
        unknown = {one.name for one in parameters.values() if one.default is one.empty} - set(ARGUMENTS) - {"polecat"}
        assert not unknown, f"say in ARGUMENTS what {unknown} of {name} are"
        whom: list[dict[str, Any]] = [{"polecat": one} for one in NAMES] if "polecat" in parameters else [{}]
        dry: list[dict[str, Any]] = [{}, {"dry_run": True}] if "dry_run" in parameters else [{}]
        for given in itertools.product(whom, VARIANTS.get(name, ({},)), dry):
            yield Question(function=name, given={**given[0], **given[1], **given[2]})


def faults(calls: list[Call]) -> Iterator[tuple[str, Broken]]:
    """Every way in which one of the methods that were called can fail."""
    for port, method in sorted({(call.port, call.method) for call in calls}):
        for kind in KINDS[port]:
            yield f"{port}.{method}: {kind.__name__}", Broken(method, kind)
        yield f"{port}.{method}: {KINDS[port][0].__name__}, but once", Broken(method, KINDS[port][0], spared=1)
        if method == "facts":
            yield f"{port}.{method}: problems", Broken(method, None)


def trouble(place: Troubled, told: object, truth: object) -> str:
    """Say what is wrong with an answer that was given without one of the reads; empty if it is the same or says what it does not know."""
    if isinstance(told, Exception):
        if not isinstance(told, PolecatError):
            return f"an untyped error: {told!r}"
        return "" if WHY in f"{told} {told.hint}" or type(told) is type(truth) else f"the error does not say why: {told!r}"
    if isinstance(truth, Exception):
        return f"it was done, and without the fault refused: {truth!r}"
    if isinstance(told, list) and isinstance(truth, list):
        if len(told) != len(truth):
            return f"{len(told)} of {len(truth)} are in the answer"
        return "; ".join(filter(None, (trouble(place, *pair) for pair in zip(told, truth, strict=True))))
    if isinstance(told, Polecat) and isinstance(truth, Polecat):
        other = [one for one in attrs.fields_dict(Polecat) if place.plain(getattr(told, one)) != place.plain(getattr(truth, one))]
        unsaid = [f"{one} of {truth.name} is {getattr(told, one)!r}" for one in other if one not in (*told.unknown, "unknown")]
        return "; ".join(unsaid)
    if isinstance(told, SpawnedPolecat) and isinstance(truth, SpawnedPolecat):  # which name it got proves nothing
        return "" if told.hook_bead == truth.hook_bead else f"it has {told.hook_bead}"
    said = place.plain(told)
    return "" if said == place.plain(truth) or WHY in said else f"{said}\n  instead of {place.plain(truth)}, and no word why"


def losses(place: Troubled, before: Picture, now: Picture, done: Picture) -> str:
    """What is neither as it was nor as the operation makes it. A claim only says how far an operation came; a spare is nobody's work."""
    keys = [key for key in before if not key.endswith((".claim.json", "spares", "clock"))]
    seen = {key: [place.plain(one.get(key, "absent")) for one in (now, before, done)] for key in keys}
    return ", ".join(f"{key} is {is_now}" for key, (is_now, *may_be) in seen.items() if is_now not in may_be)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("function", sorted({question.function for question in questions()}))
def test_what_could_not_be_read_is_unknown(function: str, tmp_path: Path, is_whole: bool) -> None:
    """T-25: whichever read fails, the answer is the same, or it says what it does not know; nobody else's work, session or bead is lost."""
    failures, rigs = [], Rigs(tmp_path)
    for question in (one for one in questions() if one.function == function):
        place, counted = rigs.fresh(), Fault()
        before = place.picture()
        truth = question.ask(place, counted)
        done = place.picture()
        every, changes = list(faults(counted.calls)), done != before
        for at in sample(len(every), 2 if changes else 6, key=str(question), is_whole=is_whole):
            name, fault = every[at - 1]
            place = rigs.fresh() if changes else place
            wrong = trouble(place, question.ask(place, fault), truth)
            if changes and not wrong:
                wrong = losses(place, before, place.picture(), done)
            if wrong:
                failures.append(f"{question}, {name}: {wrong}")
        if not changes and place.picture() != before:
            failures.append(f"{question}: one of the faults made it change something")
    assert not failures, f"{len(failures)}\n" + "\n".join(failures)


def test_every_method_of_a_port_is_behind_some_answer(tmp_path: Path) -> None:
    """The functions above need every method of every port, so that one that is added is tried too, or is named here."""
    rigs, called = Rigs(tmp_path), set()
    tried = {
        str(question).replace("dry_run", ""): question
        for question in questions()
        if question.given.get("polecat", "nux") == "nux"
    }
    for question in tried.values():
        counted = Fault()
        question.ask(rigs.fresh(), counted)
        called |= {call.method.partition(".")[0] for call in counted.calls}
    protocols = (ports.Git, *ports.GIT_EXTRAS, ports.Tmux, ports.Beads, ports.Processes)
    methods = {name for one in protocols for name, what in vars(one).items() if inspect.isfunction(what) and name[0] != "_"}

    assert methods - called == UNCALLED
