"""Whether an error says exactly what is not as it was."""

from __future__ import annotations

from collections.abc import Collection, Sequence

WORDS = {
    "session": ("session",),
    "worktree": ("worktree", "home"),
    "branch": ("branch", "worktree"),
    "claim": ("claim", "home", "directory aside"),
    "agent bead": ("agent bead",),
    "bead": ("hook", "handed back"),
}
"""How an error may name what is not as it was."""


def check_exact(changed: Collection[str], *, left_behind: Sequence[str] | None, text: str) -> None:
    """Fail unless an error names what changed, and nothing else.

    Args:
        changed: the kinds of things that are not as they were, of `WORDS`.
        left_behind: what the error lists; None for an error that means that nothing began.
        text: the error, for people.
    """
    if left_behind is None:
        assert set(changed) <= {"session"}, f"{text} does not say that {changed} changed"
        assert not changed or "session was ended" in text, f"{text} does not say that the session was ended"
        return
    unsaid = {kind for kind in changed if not _named(kind, left_behind)}
    assert not unsaid - ({"claim"} if left_behind else set()), f"{left_behind} does not say that {unsaid} changed"
    lines = [line.split(" (")[0] for line in left_behind if not line.startswith("perhaps")]
    untrue = [line for line in lines if not any(word in line for kind in changed for word in WORDS[kind])]
    assert not untrue, f"{untrue} is said to have changed, and only {changed} has"


def _named(kind: str, left_behind: Sequence[str]) -> bool:
    return any(word in line.split(" (")[0] for line in left_behind for word in WORDS[kind])
