"""When an agent counts as ready, with real screens; known questions; agents that are waited for and agents that are not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from polecat import NotReadyError
from tests.spawn_fixtures import RECORD, HandTown
from tests.tmux_fixtures import eventually

pytestmark = pytest.mark.real

BYPASS = """\
WARNING: Claude Code running in Bypass Permissions mode

 ❯ 1. No, exit
   2. Yes, I accept"""

TRUST = """\
Do you trust the files in this folder?

 ❯ 1. Yes, proceed
   2. No, exit"""


def asking(question: str, keys_awaited: int) -> str:
    """An agent that asks, reads so many keys, writes them down, and is then ready."""
    lines = "\n".join(f"printf '%s\\r\\n' '{line}'" for line in question.splitlines())
    return (
        f"stty raw -echo\n{lines}\ndd bs=1 count={keys_awaited} of=@NOTES@/keys-$GT_POLECAT 2>/dev/null\n"
        "printf '\\033[2J\\033[H❯\\302\\240\\r\\n'\n" + RECORD.replace('printf "> "; ', "")
    )


def keys(town: HandTown) -> bytes:
    path = town.notes / "keys-furiosa"
    return path.read_bytes() if path.exists() else b""


def test_a_prompt_that_comes_late(bare_town: HandTown) -> None:
    """The spawn returns once the prompt is there, not before, and says how long that took (T-35)."""
    bare_town.agent("slow", "echo loading; sleep 0.4; " + RECORD)
    cat = bare_town.spawn()
    assert cat.readiness == "ready"
    assert dict(cat.timings.steps)["ready"] >= 0.3


@pytest.mark.parametrize("drawn", [r"> ", r">\302\240", r"\302\240> ", r" >"], ids=["blank", "nbsp", "before", "bare"])
def test_a_prompt_drawn_with_other_blanks(bare_town: HandTown, drawn: str) -> None:
    """A prompt drawn with non-breaking spaces, or with its trailing blank cut off, is the same prompt (T-35)."""
    bare_town.agent("drawn", f"printf '{drawn}'; exec cat", tmux={"ready_prompt_prefix": "> "})
    assert bare_town.spawn(ready_timeout_s=5.0).readiness == "ready"


def test_a_prompt_in_the_middle_of_a_line_is_none(bare_town: HandTown) -> None:
    """Text that only contains the prompt's characters is not a prompt (T-35)."""
    bare_town.agent("chatty", "echo 'a > b'; echo '>>> wait'; exec sleep 600", tmux={"ready_prompt_prefix": "> "})
    with pytest.raises(NotReadyError):
        bare_town.spawn(ready_timeout_s=0.5)


def test_ready_by_the_name_of_its_process(bare_town: HandTown) -> None:
    """Where settings name processes, the agent is ready when one of them is in the foreground and lives on (T-33)."""
    bare_town.agent("wrapped", "sleep 0.3; exec tail -f /dev/null", tmux={"process_names": ["tail"]})
    cat = bare_town.spawn()
    assert dict(cat.timings.steps)["ready"] >= 0.5, "the wrapper is awaited, then the window"


def test_not_ready_while_its_process_is_missing(bare_town: HandTown) -> None:
    """A wrapper that never becomes the agent is not the agent (T-33)."""
    bare_town.agent("wrapper", "exec sleep 600", tmux={"process_names": ["claude"]})
    with pytest.raises(NotReadyError):
        bare_town.spawn(ready_timeout_s=0.5)
    bare_town.assert_nothing_left()


def test_ready_after_the_configured_delay(bare_town: HandTown) -> None:
    """Where only a delay is configured, that long is waited and no longer."""
    bare_town.agent("delayed", "exec sleep 600", tmux={"ready_delay_ms": 400})
    cat = bare_town.spawn()
    assert 0.4 <= dict(cat.timings.steps)["ready"] < 3.0


def test_ready_when_its_screen_has_settled(bare_town: HandTown) -> None:
    """Where nothing is known, an agent whose screen has stood still for a second counts as started."""
    bare_town.agent("unknown", "echo starting; sleep 0.3; echo hello; exec sleep 600", tmux={})
    cat = bare_town.spawn()
    assert 1.3 <= dict(cat.timings.steps)["ready"] < 6.0


def test_a_blank_screen_is_never_ready(bare_town: HandTown) -> None:
    """An agent of which nothing is known and nothing is seen is not called ready, however long it lives."""
    bare_town.agent("silent", "exec sleep 600", tmux={})
    with pytest.raises(NotReadyError):
        bare_town.spawn(ready_timeout_s=2.0)
    bare_town.assert_nothing_left()


def test_not_waiting_means_not_waiting(bare_town: HandTown) -> None:
    """With wait='no' the spawn returns when the session exists, types nothing and says so."""
    bare_town.agent("never", "exec sleep 600")
    cat = bare_town.spawn(wait="no", nudge="hello")
    assert cat.readiness == "not awaited"
    assert any("nothing was typed" in warning for warning in cat.warnings)
    assert bare_town.sessions() == ["gt-gastown-furiosa"]


def test_the_time_limit_is_kept(bare_town: HandTown) -> None:
    """An agent that draws and draws without ever being ready is given up at the limit, not later (T-35)."""
    bare_town.agent("busy", "while :; do date +%N; sleep 0.02; done")
    began_s = time.monotonic()
    with pytest.raises(NotReadyError):
        bare_town.spawn(ready_timeout_s=0.7)
    assert time.monotonic() - began_s < 10.0


# --------------------------------------------------------------------------------------------------------- questions


def test_the_confirmation_of_our_own_flag_is_answered_once(bare_town: HandTown) -> None:
    """The question about the very flag we pass is answered, once, and then the agent is ready (T-36)."""
    bare_town.agent("claude", asking(BYPASS, 1), provider="claude")
    cat = bare_town.spawn(ready_timeout_s=10.0)
    assert cat.readiness == "ready"
    assert keys(bare_town) == b"2", "the key that names the answer, nothing else"
    bare_town.server.run("send-keys", "-t", cat.pane, "-l", "end")
    eventually(lambda: bare_town.typed("furiosa") == b"end", "nothing more was pressed")


def test_a_question_that_comes_again_is_not_answered_again(bare_town: HandTown) -> None:
    """An agent that asks the same thing for ever is answered once and then given up, bounded in time (T-36)."""
    lines = "\n".join(f"printf '%s\\r\\n' '{line}'" for line in BYPASS.splitlines())
    bare_town.agent("claude", f"stty raw -echo\n{lines}\nexec cat >@NOTES@/keys-$GT_POLECAT", provider="claude")
    with pytest.raises(NotReadyError, match="Bypass Permissions"):
        bare_town.spawn(ready_timeout_s=1.0)
    assert keys(bare_town) == b"2"


def test_a_trust_question_is_left_to_a_person(bare_town: HandTown) -> None:
    """Without leave in the settings a trust question is not answered: the polecat is reported as waiting (T-36)."""
    bare_town.agent("claude", asking(TRUST, 1), provider="claude")
    cat = bare_town.spawn(nudge="hello", ready_timeout_s=10.0)
    assert (cat.readiness, cat.waiting_for) == ("waiting", "trust-folder")
    assert any("nothing was typed" in warning for warning in cat.warnings)
    assert keys(bare_town) == b""
    assert bare_town.sessions() == ["gt-gastown-furiosa"]
    assert bare_town.leftovers()["records"] == ["furiosa.json"]


def test_a_trust_question_is_answered_where_the_settings_say_so(bare_town: HandTown) -> None:
    """With trust = accept in the rig's settings the question is answered (T-36)."""
    bare_town.agent("claude", asking(TRUST, 1), provider="claude")
    bare_town.settings(trust="accept")
    assert bare_town.spawn(ready_timeout_s=10.0).readiness == "ready"
    assert keys(bare_town) == b"\r"


def test_two_questions_in_a_row(bare_town: HandTown) -> None:
    """Trust and then the flag's confirmation: each is answered with its own keys, once (T-36)."""
    first = asking(TRUST, 1).split("printf '\\033[2J")[0].replace("keys-", "first-")
    bare_town.agent("claude", first + "printf '\\033[2J\\033[H'\n" + asking(BYPASS, 1), provider="claude")
    bare_town.settings(trust="accept")
    assert bare_town.spawn(ready_timeout_s=10.0).readiness == "ready"
    assert (bare_town.notes / "first-furiosa").read_bytes() == b"\r"
    assert keys(bare_town) == b"2"


def test_a_sign_in_screen_is_reported(bare_town: HandTown) -> None:
    """An agent that asks to sign in is waiting for a person, with the time limit not used up."""
    bare_town.agent("claude", asking("Select login method:\n ❯ 1. Account", 1), provider="claude")
    began_s = time.monotonic()
    cat = bare_town.spawn(ready_timeout_s=30.0)
    assert (cat.readiness, cat.waiting_for) == ("waiting", "set-up")
    assert time.monotonic() - began_s < 15.0


def test_typing_leaves_copy_mode(town: HandTown, tmp_path: Path) -> None:
    """A pane that somebody scrolled back in gets its text all the same, and no Escape (T-42)."""
    cat = town.spawn()
    town.server.run("copy-mode", "-t", cat.pane)
    town.server.cli().send_text(cat.pane, "wake up", instance=cat.instance)
    eventually(lambda: town.typed("furiosa") == b"wake up\r", "the text arrives")
