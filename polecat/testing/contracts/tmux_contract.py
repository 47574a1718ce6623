"""What every `polecat.ports.Tmux` must keep."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from attrs import evolve

from polecat.errors import InvalidNameError, ProgramError, SessionExistsError, SessionNotFoundError, TmuxUnreachableError
from polecat.model import Ended
from polecat.ports import StartedSession, Watch
from polecat.testing.contracts.contract import Contract, of_checks
from polecat.testing.contracts.tmux_contract_neighbours import (
    a_moved_pane_is_still_the_agents,
    a_persons_pane_beside_the_agents_stays,
    a_prefix_is_not_a_match,
    a_renamed_session_is_still_found,
    a_second_view_is_no_second_agent,
    only_the_one_meant_is_killed,
    sessions_that_went_with_their_server_are_named,
)
from polecat.testing.contracts.tmux_under_test import PATIENCE_S, TmuxUnderTest, eventually, refuses, watch_for
from polecat.town.endings import read_end

HOSTILE_NAMES = ("", "a.b", "a:b", "-x", "a b", "a#{pid}", "=a", "a*", "$1", "%1", "é", "a\nb", "a/b", "x" * 201)
"""Names tmux would rewrite, expand or read as something else."""

TEXTS = (
    "plain",
    "first line\nsecond line\n\nfourth",
    "-x --leading",
    "trailing semicolon;",
    ";",
    "$(touch pwned) `touch pwned` $HOME #{pid} %H ~ \\ ' \" {",
    "grüße ❯ 日本語 😺",
    "tab\there",
    "x" * 20_000,
)
"""Texts that something on the way to a program likes to alter."""


# -------------------------------------------------------------------------------------------------- what is there


def no_server_means_no_sessions(under: TmuxUnderTest) -> None:
    """Without a server there are no sessions, and killing is fine."""
    assert under.tmux.list_sessions() == ()
    assert under.tmux.kill("", name="nobody") is False


def an_unreachable_server_is_not_an_empty_one(under: TmuxUnderTest) -> None:
    """A server that cannot be asked raises, everywhere; nothing is taken for gone (T-25)."""
    tmux = under.unreachable
    watch = Watch(pane_id="%0", instance="i")
    started = StartedSession(id="$0", name="x", instance="i", pane_id="%0", pane_pid=1, server_pid=1)
    for act in (
        tmux.list_sessions,
        lambda: tmux.kill("", name="x"),
        lambda: tmux.kill("$0", name="x", instance="i"),
        lambda: tmux.watch([watch], timeout_s=0),
        lambda: tmux.watch([watch, evolve(watch, pane_id="%1")], timeout_s=0),
        lambda: tmux.capture("%0"),
        lambda: tmux.send_text("%0", "x"),
        lambda: tmux.send_keys("%0", ["Enter"]),
        lambda: tmux.release(started),
        lambda: tmux.start(under.request("x")),
    ):
        refuses(TmuxUnreachableError, act, "an unreachable server")
    assert not list(under.room.rglob("launch-*"))


def a_started_session_is_listed_as_it_was_made(under: TmuxUnderTest) -> None:
    """A session bears its name, stamp, ids and identity variables."""
    made = under.start("one")
    found = under.session("one")
    assert (found.id, found.name, found.instance) == (made.id, "one", "i-one")
    assert (found.pane_id, found.pane_pid) == (made.pane_id, made.pane_pid)
    assert dict(found.environment) == {"GT_POLECAT": "one"}
    assert not found.is_dead


# -------------------------------------------------------------------------------------------------------- starting


def a_second_start_of_a_name_fails(under: TmuxUnderTest) -> None:
    """A taken name is refused and its session not touched."""
    made = under.start("one")
    other = evolve(under.request("one"), instance="another")
    refuses(SessionExistsError, lambda: under.tmux.start(other), "a duplicate")
    assert (under.session("one").instance, under.session("one").pane_pid) == ("i-one", made.pane_pid)
    assert not list(under.room.rglob("launch-*"))


def of_eight_starts_at_once_one_wins(under: TmuxUnderTest) -> None:
    """Eight parallel starts of one name make one session (T-10)."""

    def start(number: int) -> str:
        try:
            return under.tmux.start(evolve(under.request("race"), instance=f"i{number}")).instance
        except SessionExistsError:
            return ""

    with ThreadPoolExecutor(8) as pool:
        winners = [instance for instance in pool.map(start, range(8)) if instance]
    assert [under.session("race").instance] == winners


def names_that_would_be_rewritten_are_refused(under: TmuxUnderTest) -> None:
    """A name tmux would change or misread is refused, not changed (T-45)."""
    for name in HOSTILE_NAMES:
        request = evolve(under.request("x"), name=name)
        refuses(InvalidNameError, lambda request=request: under.tmux.start(request), repr(name))  # type: ignore[misc]
    assert under.names() == []


def a_missing_directory_is_refused(under: TmuxUnderTest) -> None:
    """A working directory that is not there is an error, and no session is made (T-38)."""
    request = evolve(under.request("one"), cwd=under.room / "missing")
    refuses(ProgramError, lambda: under.tmux.start(request), "a missing directory")
    assert under.names() == []


def what_no_program_could_take_is_refused(under: TmuxUnderTest) -> None:
    """An argument or variable the kernel would refuse is refused first, and no session is made (T-39)."""
    request = under.request("one")
    for hopeless in (
        evolve(request, argv=(*request.argv, "x" * 131_072)),
        evolve(request, environment={"BIG": "x" * 131_072}),
        evolve(request, argv=(*request.argv, "a\0b")),
    ):
        refuses(ProgramError, lambda hopeless=hopeless: under.tmux.start(hopeless), "too much")  # type: ignore[misc]
    assert under.names() == []


def an_end_during_the_start_is_seen_with_its_screen(under: TmuxUnderTest) -> None:
    """A program that ends at once, with any status, is seen dead with its last words (T-38)."""
    for code in (0, 3):
        made = under.tmux.start(under.request(f"end{code}", screen=f"last words {code}", exits=code))
        (status,) = under.tmux.watch([watch_for(made, "never shown")], timeout_s=PATIENCE_S)
        assert (status.exists, status.is_dead, status.exit_code, status.signal) == (True, True, code, None)
        assert f"last words {code}" in under.tmux.capture(made.pane_id)
        found = under.session(made.name)
        assert (found.is_dead, found.exit_code, found.signal) == (True, code, None)
        assert under.tmux.release(made) is False
        assert under.names() == [made.name]
        assert under.tmux.kill(made.id, name=made.name, instance=made.instance) is True


def a_released_session_ends_with_its_process(under: TmuxUnderTest) -> None:
    """After the start a session goes when its process does; before, its last screen is kept."""
    kept, released = under.start("kept"), under.start("released")
    assert under.tmux.release(released) is True
    under.crash(released)
    under.crash(kept)
    eventually(lambda: under.names() == ["kept"], "the released session is gone")
    (status,) = under.tmux.watch([watch_for(kept)], timeout_s=PATIENCE_S)
    assert (status.is_dead, status.exit_code, status.signal) == (True, None, 9)


def an_end_is_kept_before_its_session_goes(under: TmuxUnderTest) -> None:
    """How a process ended, and its last screen, is in the file that the request names, for its owner alone; an end on request leaves none."""
    crashed, exited, killed = (under.start(name, screen=f"ready\nwords of {name}") for name in ("crashed", "exited", "killed"))
    assert under.tmux.release(crashed) is True
    under.crash(crashed)
    eventually(lambda: "crashed" not in under.names(), "the released session is gone")
    ended, screen = read_end(under.end_file("crashed")) or (None, "")
    assert ended is not None and ended == Ended(reason="signal", signal=9)
    assert ended.at is not None and "words of crashed" in screen
    assert under.end_file("crashed").stat().st_mode & 0o777 == 0o600
    last = under.tmux.start(under.request("last", screen="last words", exits=3))
    eventually(lambda: read_end(under.end_file("last")) is not None, "its end is kept, though its start is not over")
    assert read_end(under.end_file("last")) == (Ended(reason="exit", status=3), "last words")
    for made in (exited, killed, last):
        assert under.tmux.kill(made.id, name=made.name, instance=made.instance) is True
    assert sorted(os.listdir(under.room / "ended")) == ["crashed", "last"]


def a_watch_can_end_the_start_on_sight(under: TmuxUnderTest) -> None:
    """The look that sees the prompt, and nothing else it looks for, also releases the session; a dialog does not."""
    ready, asking = under.start("ready", screen="ready\n> "), under.start("asking", screen="ready\n> trust me?")
    for made, is_released in ((ready, True), (asking, False)):
        watch = Watch(pane_id=made.pane_id, instance=made.instance, patterns=("trust", ">"), release_on=1)
        (status,) = under.tmux.watch([watch], timeout_s=PATIENCE_S)
        assert status.is_released is is_released
    under.crash(ready)
    under.crash(asking)
    eventually(lambda: under.names() == ["asking"], "the released session is gone, the other is kept")


# -------------------------------------------------------------------------------------------------------- watching


def a_watch_ends_with_what_it_waits_for(under: TmuxUnderTest) -> None:
    """A watch says which pattern is on the screen; without one it ends at its time limit."""
    made = under.start("one", screen="some { text: ready,\n❯ ")
    for patterns, expected in (
        (("absent", "^❯$"), (False, True)),
        (("\\{ text: ready,$",), (True,)),
        (("te(x|y)t", "ready, *$"), (True, True)),
        (("absent", "re{7}ady"), (False, False)),
    ):
        (status,) = under.tmux.watch([watch_for(made, *patterns)], timeout_s=0.02)
        assert status.matched == expected, f"{patterns}: {status}"
    assert (status.exists, status.is_dead) == (True, False)


def a_watch_of_many_ends_with_the_first(under: TmuxUnderTest) -> None:
    """Several panes are waited for at once; the first that has something ends the watch, and the state of all is returned."""
    quiet, loud = under.start("quiet"), under.start("loud", screen="ready and loud")
    quiet_one, loud_one = under.tmux.watch([watch_for(quiet, "loud"), watch_for(loud, "nothing", "loud")], timeout_s=PATIENCE_S)
    assert (quiet_one.matched, loud_one.matched) == ((False,), (False, True))
    under.crash(quiet)
    quiet_one, loud_one = under.tmux.watch([watch_for(quiet), watch_for(loud)], timeout_s=PATIENCE_S)
    assert (quiet_one.is_dead, quiet_one.signal, loud_one.is_dead) == (True, 9, False)
    assert under.tmux.watch([], timeout_s=PATIENCE_S) == ()


def a_pane_of_another_is_gone(under: TmuxUnderTest) -> None:
    """A watched pane that is not there or bears another stamp counts as gone."""
    made = under.start("one")
    stranger = evolve(watch_for(made, "ready"), instance="another")
    nowhere = evolve(watch_for(made, "ready"), pane_id="%98765")
    for watches in ([stranger], [nowhere], [stranger, nowhere]):
        for status in under.tmux.watch(watches, timeout_s=PATIENCE_S):
            assert (status.exists, status.is_dead, status.matched) == (False, False, (False,))


def a_watch_tells_what_is_seen(under: TmuxUnderTest) -> None:
    """A watch gives the screen's text line by line, where the cursor is, whether the program reads keys, and when it changed."""
    made, dead = under.start("one", screen="ready\nline two\n❯ "), under.start("dead", screen="last words", exits=3)
    one, two = under.tmux.watch([watch_for(made, "ready"), watch_for(dead)], timeout_s=PATIENCE_S)
    assert one.screen is not None and two.screen is not None
    assert [line.rstrip(" ") for line in one.screen.text.split("\n")] == ["ready", "line two", "❯"]
    assert one.screen.cursor == (2, 2), one.screen
    assert one.screen.is_raw is True
    assert one.screen.changed_at_s > 0
    assert under.session("one").active_at_s == one.screen.changed_at_s
    assert "last words" in two.screen.text
    under.crash(made)
    eventually(lambda: under.tmux.watch([watch_for(made)], timeout_s=0)[0].is_dead, "its end")
    gone = evolve(watch_for(made), pane_id="%98765")
    assert under.tmux.watch([gone], timeout_s=0)[0].screen is None


def typing_tells_what_was_seen_around_it(under: TmuxUnderTest) -> None:
    """Typing says what the screen showed before, and how the pane is afterwards, in one call."""
    made = under.start("one", screen="ready> ")
    typed = under.tmux.send_text(made.pane_id, "hello", instance=made.instance, enter=False, look_after_s=0.01)
    assert (typed.before.text.rstrip(" \n"), typed.after.exists, typed.after.is_dead) == ("ready>", True, False)
    assert typed.after.screen is not None
    pressed = under.tmux.send_keys(made.pane_id, ["Enter"], instance=made.instance)
    assert pressed.before.text.startswith("ready>") and pressed.after.pane_id == made.pane_id
    eventually(lambda: under.received(made) == "hello\r", "the text and one Enter")


def a_missing_pane_has_no_screen(under: TmuxUnderTest) -> None:
    """Reading the screen of a pane that is not there is *not found*, with a server and without."""
    refuses(SessionNotFoundError, lambda: under.tmux.capture("%98765"), "no server")
    under.start("one")
    refuses(SessionNotFoundError, lambda: under.tmux.capture("%98765"), "no pane")


# ---------------------------------------------------------------------------------------------------------- typing


def text_arrives_whole_with_one_enter(under: TmuxUnderTest) -> None:
    """Any text reaches the program byte for byte, with exactly one Enter (T-41)."""
    made = under.start("one")
    expected = ""
    for text in TEXTS:
        under.tmux.send_text(made.pane_id, text, instance=made.instance)
        expected += f"{text}\r"
        eventually(lambda expected=expected: len(under.received(made)) >= len(expected), text[:40])  # type: ignore[misc]
        assert under.received(made) == expected
    under.tmux.send_text(made.pane_id, "no enter", enter=False)
    under.tmux.send_text(made.pane_id, "", instance=made.instance)
    eventually(lambda: under.received(made) == f"{expected}no enter\r", "no Enter, then Enter alone")


def keys_are_pressed_in_order(under: TmuxUnderTest) -> None:
    """Keys arrive one after the other."""
    made = under.start("one")
    under.tmux.send_keys(made.pane_id, ["y", "Space", "Enter"], instance=made.instance)
    eventually(lambda: under.received(made) == "y \r", "the keys")


def nothing_is_typed_into_the_wrong_pane(under: TmuxUnderTest) -> None:
    """A pane that is gone, dead or another's gets nothing, and its server lives on."""
    made, dead = under.start("one"), under.start("dead", exits=1)
    for pane_id, instance in ((made.pane_id, "another"), (dead.pane_id, dead.instance), ("%98765", "")):
        refuses(SessionNotFoundError, lambda p=pane_id, i=instance: under.tmux.send_text(p, "x", instance=i), pane_id)  # type: ignore[misc]
        refuses(SessionNotFoundError, lambda p=pane_id, i=instance: under.tmux.send_keys(p, ["x"], instance=i), pane_id)  # type: ignore[misc]
    under.tmux.send_text(made.pane_id, "right", instance=made.instance)
    eventually(lambda: under.received(made) == "right\r", "only what was meant for it")
    assert under.names() == ["dead", "one"]


@of_checks(
    no_server_means_no_sessions,
    an_unreachable_server_is_not_an_empty_one,
    a_started_session_is_listed_as_it_was_made,
    a_second_start_of_a_name_fails,
    of_eight_starts_at_once_one_wins,
    names_that_would_be_rewritten_are_refused,
    a_missing_directory_is_refused,
    what_no_program_could_take_is_refused,
    an_end_during_the_start_is_seen_with_its_screen,
    a_released_session_ends_with_its_process,
    an_end_is_kept_before_its_session_goes,
    a_watch_can_end_the_start_on_sight,
    a_watch_ends_with_what_it_waits_for,
    a_watch_of_many_ends_with_the_first,
    a_pane_of_another_is_gone,
    a_watch_tells_what_is_seen,
    a_missing_pane_has_no_screen,
    text_arrives_whole_with_one_enter,
    keys_are_pressed_in_order,
    typing_tells_what_was_seen_around_it,
    nothing_is_typed_into_the_wrong_pane,
    a_prefix_is_not_a_match,
    only_the_one_meant_is_killed,
    a_renamed_session_is_still_found,
    a_persons_pane_beside_the_agents_stays,
    a_moved_pane_is_still_the_agents,
    a_second_view_is_no_second_agent,
    sessions_that_went_with_their_server_are_named,
)
class TmuxContract(Contract[TmuxUnderTest]):
    """What every `Tmux` must keep; see `Contract` for its use.

    Examples:
        A tmux of your own is held to it by this much in a test module; pytest runs each check as a test::

            class TestMyTmux(TmuxContract):
                @contextmanager
                def make(self, room: Path) -> Iterator[TmuxUnderTest]:
                    with my_private_server() as tmux:
                        yield TmuxUnderTest(tmux=tmux, room=room, …)
    """
