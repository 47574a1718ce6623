"""What looking costs: listing polecats, with and without counting their work, watching them, and spawning beside many."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from attrs import evolve

from measuring.crowds import fill_rig
from measuring.door import Door
from measuring.places import SMALL, Place, clear_polecats, make_origin, make_rig
from measuring.rounds import Case, compare
from measuring.rows import Row, beads, ms, ratio
from polecat import Rig, list_polecats, spawn_for_sling, spawn_many, watch_polecats
from polecat.adapters import BdCli
from polecat.ports import Watch, World

CROWDS = (100, 300, 1000)
_REST_S = 65
"""Long enough for the two looks at everybody that a watch takes in a minute though nothing has changed."""


def looks(place: Place, rounds: int) -> Iterator[Row]:
    """Listing at 100, 300 and 1,000 polecats, and how many programs that starts with a real bd."""
    origin = make_origin(place, "looked-at", files=3, dirs=1)
    rigs = {count: make_rig(place, f"looked{count}", origin) for count in CROWDS}
    cases = []
    for count, rig in rigs.items():  # one after the other: the tmux call must list the sessions of this rig and no others
        fill_rig(place, rig, count)
        cases = [Case(name="list", act=_look(place, rig)), Case(name="tmux", act=partial(_ask_tmux, place))]
        times = compare(cases, rounds=rounds, what=f"list, {count} polecats")
        if count == CROWDS[0]:
            what = "`list_polecats(with_work=False)`, 100 polecats ÷ what it asks of tmux: sessions and screens"
            yield ratio(what, 3, times["list"], times["tmux"])
        own_s = times["list"].median_s - times["tmux"].median_s
        best_s = times["list"].best_s - times["tmux"].best_s
        detail = f"{ms(times['list'].median_s)} ms, of it {ms(times['tmux'].median_s)} ms for tmux"
        what = f"the same: time for each of {count} polecats, tmux left out"
        yield Row(what=what, bar=0.5, unit="ms", value=own_s * 1000 / count, best=best_s * 1000 / count, detail=detail)
        place.end_sessions()
    yield _with_bd(place, rigs[CROWDS[0]])


def _look(place: Place, rig: Rig) -> Callable[[], object]:
    return lambda: list_polecats(rig, world=World(tmux=place.tmux, environ=place.environ), with_work=False)


def _ask_tmux(place: Place) -> None:
    sessions = place.tmux.list_sessions()
    place.tmux.watch([Watch(pane_id=one.pane_id, instance=one.instance) for one in sessions], timeout_s=0)


def _with_bd(place: Place, rig: Rig) -> Row:
    """Count what is started when a real bd keeps the work; not measured where there is none."""
    what, calls = "the same with a real `bd`: outside processes", None
    if shutil.which("bd", path=place.environ.get("PATH")):
        work = place.root / "work"
        work.mkdir()
        place.run("git", "init", "-q", work)
        place.run("sh", "-c", f"cd {work} && bd --no-daemon init --quiet --prefix bench")
        world = World(tmux=place.tmux, environ=place.environ, beads=BdCli(beads_dir=work / ".beads", environ=place.environ))
        list_polecats(rig, world=world, with_work=False)  # the first look asks this bd what it can
        with Door() as door:
            list_polecats(rig, world=world, with_work=False)
        calls = door.calls
    detail = "" if calls is None else ", ".join(call.summary for call in calls)
    return Row(what=what, bar=3, unit="processes", value=None if calls is None else len(calls), detail=detail)


def work(place: Place, rounds: int) -> Iterator[Row]:
    """Counting the work of a hundred real worktrees, against ``git status`` in each."""
    rig = make_rig(place, "worked", make_origin(place, "worked", files=SMALL[0], dirs=SMALL[1]))
    world = World(tmux=place.tmux, environ=place.environ)
    cats = [
        cat for cat in spawn_many(rig, [beads(number) for number in range(100)], world=world) if not isinstance(cat, Exception)
    ]

    def statuses() -> None:
        for cat in cats:
            place.run("git", "-C", cat.clone_path, "status", "--porcelain")

    times = compare(
        [Case(name="list", act=lambda: list_polecats(rig, world=world)), Case(name="status", act=statuses)],
        rounds=max(3, rounds // 3),
        what="work of 100 polecats",
    )
    clear_polecats(place, rig)
    what = "`list_polecats()` with work, 100 fresh polecats of 200 files ÷ `git status` in each, one after the other"
    yield ratio(what, 0.6, times["list"], times["status"])


def beside_many(place: Place, rounds: int) -> Iterator[Row]:
    """A spawn beside 300 polecats, against one beside 5."""
    origin = make_origin(place, "beside", files=SMALL[0], dirs=SMALL[1])
    numbers, times, bare = itertools.count(1), {}, {}
    for count in (5, 300):
        rig = make_rig(place, f"beside{count}", origin)
        fill_rig(place, rig, count)
        made: list[Path] = []

        def spawn(rig: Rig = rig, made: list[Path] = made) -> None:
            cat = spawn_for_sling(rig, beads(next(numbers)), world=World(tmux=place.tmux, environ=place.environ))
            made.append(cat.clone_path)

        def clear(rig: Rig = rig, made: list[Path] = made) -> None:
            _put_away(place, rig, made.pop())

        git, tree = ("git", f"--git-dir={rig.path / '.repo.git'}", "worktree"), place.town.root / f"bare{count}"

        def add(git: tuple[str, ...] = git, tree: Path = tree) -> None:
            place.run(*git, "add", "-q", "-b", f"bare/{next(numbers)}", tree, "origin/main")

        def take(git: tuple[str, ...] = git, tree: Path = tree) -> None:
            place.run(*git, "remove", "--force", tree)

        cases = [Case(name="spawn", act=spawn, after=clear), Case(name="git", act=add, after=take)]
        found = compare(cases, rounds=rounds, what=f"a spawn beside {count}")
        times[count], bare[count] = found["spawn"], found["git"]
        place.end_sessions()
    row = ratio("a spawn beside 300 polecats ÷ a spawn beside 5", 1.3, times[300], times[5])
    of_git = f"{bare[300].median_s * 1000:.0f} ÷ {bare[5].median_s * 1000:.0f} ms"
    yield evolve(row, detail=f"{row.detail}; of it `git worktree add` alone {of_git}")


def at_rest(place: Place, _rounds: int) -> Iterator[Row]:
    """Watching 100 polecats of which nothing changes: the share of one processor, this process and what it starts, over a minute."""
    rig = make_rig(place, "watched", make_origin(place, "watched", files=3, dirs=1))
    fill_rig(place, rig, CROWDS[0])
    with watch_polecats(rig, world=World(tmux=place.tmux, environ=place.environ), timeout_s=_REST_S) as watch:
        for _ in range(CROWDS[0]):
            next(watch)
        began_s, used_s = time.monotonic(), _used_s()
        changes = len(list(watch))
        share = (_used_s() - used_s) / (time.monotonic() - began_s)
    place.end_sessions()
    detail = f"over {_REST_S} s, with {changes} changes"
    yield Row(what="a `watch_polecats` of 100 polecats at rest", bar=2, unit="% of a core", value=share * 100, detail=detail)


def _used_s() -> float:
    """Processor time of this process and of what it has started and awaited."""
    return sum(os.times()[:4])


def _put_away(place: Place, rig: Rig, tree: Path) -> None:
    home = tree.parent
    place.run("tmux", "-S", place.socket, "kill-session", "-t", f"=gt-{rig.name}-{home.name}")
    place.put_aside(tree)
    home.rename(place.root / "aside" / f"home-{next(place.numbers)}")
    (rig.runtime_dir / "polecats" / f"{home.name}.json").unlink()


LOOKS: dict[str, Callable[[Place, int], Iterator[Row]]] = {"looks": looks, "work": work, "beside": beside_many, "watch": at_rest}
"""Name → what yields its rows."""
