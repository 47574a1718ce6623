"""The tmux contract, the part about whose session is whose, and people who rename, split, move and share what is an agent's."""

from __future__ import annotations

from unittest import SkipTest

from polecat.testing.contracts.tmux_under_test import TmuxUnderTest, eventually


def a_persons_pane_beside_the_agents_stays(under: TmuxUnderTest) -> None:
    """Ending the agent's pane ends nothing else, and what is left in its session proves to be nobody's."""
    if under.split is None:
        raise SkipTest("nobody can open a pane")
    made = under.start("one")
    under.split("one")
    assert under.session("one").instance == made.instance
    assert under.tmux.kill(made.id, name="one", instance=made.instance, pane_id=made.pane_id) is True
    left = under.session("one")
    assert (left.instance, dict(left.environment)) == ("", {})
    assert left.pane_pid != made.pane_pid


def a_moved_pane_is_still_the_agents(under: TmuxUnderTest) -> None:
    """A pane that was moved into another session is found there by its stamp, typed to, and ended alone."""
    if under.move is None:
        raise SkipTest("nobody can move a pane")
    made, host = under.start("one"), under.start("host")
    under.move("one", "host")
    [found] = [one for one in under.tmux.list_sessions() if one.instance == made.instance]
    assert (found.id, found.name, found.pane_id, found.pane_pid) == (host.id, "host", made.pane_id, made.pane_pid)
    under.tmux.send_text(made.pane_id, "hello", instance=made.instance)
    eventually(lambda: under.received(made) == "hello\r", "text for the moved")
    assert under.tmux.kill(found.id, name=found.name, instance=made.instance, pane_id=made.pane_id) is True
    assert [one.instance for one in under.tmux.list_sessions()] == [host.instance]


def a_second_view_is_no_second_agent(under: TmuxUnderTest) -> None:
    """Of two sessions that show one pane one is the agent's; both are known to be shared."""
    if under.view is None:
        raise SkipTest("nobody can look twice")
    made = under.start("one")
    under.view("one", "mine")
    assert [one.name for one in under.tmux.list_sessions() if one.instance == made.instance] == ["one"]
    assert (under.session("one").is_shared, under.session("mine").is_shared) == (True, True)
    assert dict(under.session("mine").environment) == {}


def sessions_that_went_with_their_server_are_named(under: TmuxUnderTest) -> None:
    """A start that finds the server gone that was listed before, and makes a new one, names the sessions that went with it, once."""
    if under.end_server is None:
        raise SkipTest("there is no server that could end")
    under.start("one")
    assert under.names() == ["one"]
    under.end_server()
    assert under.start("two").lost == ("one",)
    assert under.start("three").lost == ()


def a_prefix_is_not_a_match(under: TmuxUnderTest) -> None:
    """With ``foo2`` and ``foo-bar`` there, nothing that is done to ``foo`` touches them (T-44)."""
    under.start("foo2")
    under.start("foo-bar")
    assert under.tmux.kill("", name="foo") is False
    assert under.tmux.kill("", name="foo", instance="i-foo2") is False
    assert under.names() == ["foo-bar", "foo2"]
    under.start("foo")
    assert under.tmux.kill("", name="foo") is True
    assert under.names() == ["foo-bar", "foo2"]


def only_the_one_meant_is_killed(under: TmuxUnderTest) -> None:
    """A session with another stamp, name or id lives on; killing twice is fine."""
    made, bystander = under.start("one"), under.start("two")
    assert under.tmux.kill(made.id, name="one", instance="another") is False
    assert under.tmux.kill(bystander.id, name="one") is False
    assert under.tmux.kill("$98765", name="one", instance=made.instance) is False
    assert under.names() == ["one", "two"]
    assert under.tmux.kill(made.id, name="one", instance=made.instance) is True
    assert under.tmux.kill(made.id, name="one", instance=made.instance) is False
    assert under.names() == ["two"]


def a_renamed_session_is_still_found(under: TmuxUnderTest) -> None:
    """Renaming does not hide a session from those who know its ids (T-28)."""
    made = under.start("one")
    under.rename("one", "mine")
    assert under.session("mine").instance == made.instance
    under.tmux.send_text(made.pane_id, "hello", instance=made.instance)
    eventually(lambda: under.received(made) == "hello\r", "text for the renamed")
    assert under.tmux.release(made) is True
    assert under.tmux.kill(made.id, name="one", instance=made.instance) is True
    assert under.names() == []
