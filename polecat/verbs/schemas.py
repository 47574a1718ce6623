"""What ``--json`` prints, verb by verb: one table that results are printed by and the documentation is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Fields = tuple[tuple[str, str, str], ...]
"""Name, type and meaning of each field, in the order in which they are printed. A type is one of

``string``, ``integer``, ``number``, ``boolean``, ``time`` (a string such as ``2026-01-13T12:00:00+00:00``), ``object`` (names to strings
or numbers), the name of one of `SHAPES`, ``list of …`` any of these, and any of all these with ``or null`` behind it.
"""

_WHO: Fields = (
    ("rig_name", "string", "the rig"),
    ("polecat_name", "string", "the polecat"),
)

_POLECAT: Fields = (
    *_WHO,
    ("agent_id", "string", "its address, `RIG/polecats/NAME`"),
    ("state", "string", "`spawning`, `working`, `idle`, `waiting`, `done`, `failed`, `stuck`, `stalled`, `zombie` or `unknown`"),
    ("clone_path", "string", "its worktree"),
    ("branch", "string", "its branch; empty for none"),
    ("issue", "string or null", "the bead it holds"),
    ("hook_bead", "string or null", "the bead that its spawn put on its hook, whoever has it now"),
    ("ended", "ended or null", "how its agent ended; null while it runs, while that is unknown, and where none was started"),
    ("session_name", "string", "its tmux session, or the name that one would have"),
    ("running", "boolean or null", "its session exists and its agent lives; null if that could not be told"),
    ("work", "string or null", "what of its work exists nowhere else, in words; null if that could not be counted"),
    ("clean", "boolean or null", "there is no such work; null likewise"),
    ("instance", "string", "the id of its spawn; empty if that is not known"),
    ("created_at", "time or null", "when it was spawned"),
    ("active_at", "time or null", "when its screen last changed"),
    ("screen", "string", "what its screen means: `busy`, `idle` (at its prompt), `asks` or `unknown`"),
    ("waiting_for", "string", "the question it asks; empty for none"),
    (
        "ahead",
        "integer or null",
        "commits of its branch that the default branch lacks, as of the last fetch; null if not counted",
    ),
    ("behind", "integer or null", "commits of the default branch that its branch lacks; null likewise"),
    ("merged", "boolean or null", "the default branch has all its branch has, also by a squash merge; null likewise"),
    ("key", "string", "the key that it was ordered with; empty for none"),
    ("unknown", "object", "which of these fields could not be told, each with why"),
)

_RIG: Fields = (
    ("rig_name", "string", "the rig"),
    ("path", "string", "its directory"),
    ("git_url", "string", "where its source comes from"),
    ("default_branch", "string", "the branch new work starts from"),
    ("prefix", "string", "what the ids of its beads start with"),
)

_RECONCILED: Fields = (
    ("rig_name", "string", "the rig"),
    ("in_use", "list of string", "names that are taken"),
    ("orphans", "list of string", "polecats whose session was ended, because they have no home"),
    ("recovered", "list of string", "polecats whose unfinished spawn, repair or removal was settled"),
    ("taken_back", "list of string", "of those whose spawn was undone: the polecat, its bead, its branch"),
    ("adopted", "list of string", "polecats that live or have left something, and were recorded after the fact"),
    ("emptied", "list of string", "polecats whose empty home was removed"),
    ("stale", "list of string", "directories that are gone and whose registration as a worktree was dropped"),
    ("forgotten", "list of string", "polecats whose record or bead outlived them"),
    ("kept", "list of string", "what was left alone, and why"),
)

_RESCUE: Fields = (
    ("ref", "string", "the ref that holds it"),
    ("commit", "string", "its commit"),
    ("created_at", "time", "when it was saved"),
    ("message", "string", "why"),
    ("holds", "string", "`files` beyond its commit, `commits` that no remote has, or only a `tip`"),
)

SHAPES: Mapping[str, Fields] = {
    "spawned": (
        *_WHO,
        ("agent_id", "string", "its address, `RIG/polecats/NAME`"),
        ("clone_path", "string", "its worktree"),
        ("session_name", "string", "its tmux session"),
        ("pane", "string", "the pane its agent runs in"),
        ("branch", "string", "its branch"),
        ("base_commit", "string", "the commit the branch starts at"),
        ("hook_bead", "string or null", "the bead on its hook"),
        ("instance", "string", "the id of this spawn; names are used again, ids are not"),
        ("agent", "string", "the agent that was started"),
        ("readiness", "string", "`ready`, `waiting` (for a person) or `not awaited`"),
        ("waiting_for", "string", "the question it waits with; empty for none"),
        ("warnings", "list of string", "what went wrong without stopping the spawn"),
        ("timings", "object", "how long each step took, and `total`, in seconds"),
        ("key", "string", "the key that it was ordered with; empty for none"),
    ),
    "plan": (
        *_WHO,
        ("agent_id", "string", "the address it would get"),
        ("count", "integer", "how many would be made; the rest is told of the first"),
        ("clone_path", "string", "its worktree"),
        ("branch", "string", "its branch; the end of the name is drawn anew each time"),
        ("upstream", "string", "the branch of the remote it starts from"),
        ("fetch", "string", "whether the remote is asked first: `always`, `never` or `if-older-than N`"),
        ("hook_bead", "string or null", "the bead for its hook"),
        ("agent_bead", "string", "the bead that stands for the polecat"),
        ("agent", "string", "the agent"),
        ("command", "string", "its program"),
        ("account", "string or null", "the account it uses"),
        ("session_name", "string", "its tmux session"),
        ("ends_first", "string or null", "an orphan session of that name that would be ended first"),
        ("waits", "boolean", "readiness is awaited"),
        ("ready_timeout_s", "number", "for how long at most"),
        ("types", "boolean", "something is typed once the agent is ready"),
        ("warnings", "list of string", "what one should know before"),
    ),
    "polecat": _POLECAT,
    "ended": (
        ("reason", "string", "`exit`, `signal`, `stopped`, `server gone`, `removed` or `unknown`"),
        ("status", "integer or null", "its exit status"),
        ("signal", "integer or null", "the signal that killed it"),
        ("at", "time or null", "when"),
        ("says", "string", "the same for people"),
    ),
    "change": (
        ("kind", "string", "`found`, `appeared`, `changed`, `ended` or `gone`"),
        ("was", "string or null", "its state before; null if it was not there"),
        ("polecat", "polecat", "the polecat now; one that is gone as it was last"),
    ),
    "risk": (
        ("code", "string", "such as `uncommitted` or `unpushed`"),
        ("text", "string", "the same for people"),
        ("lifted_by", "string", "`force`, `nuclear` or `nothing`"),
    ),
    "status": (
        *_POLECAT,
        ("risks", "list of risk", "what removing it would put at risk"),
        ("last_lines", "list of string", "what its agent showed last, if it has ended"),
    ),
    "git command": (*_WHO, ("argv", "list of string", "git's command")),
    "attach": (
        *_WHO,
        ("session_name", "string", "its tmux session"),
        ("argv", "list of string", "the command that attaches to it"),
    ),
    "capture": (*_WHO, ("text", "string", "what its agent shows")),
    "nudge": (
        *_WHO,
        ("session_name", "string", "the session that was typed to"),
        ("outcome", "string", "`taken`, `not taken` (shown, and it stayed there), `refused` (nothing was typed) or `unknown`"),
        ("asks", "string", "the question it was refused for; empty for none"),
        ("presses", "integer", "how often Enter was pressed"),
        ("waited_s", "number", "how long that took, in seconds"),
        ("has_ended", "boolean", "its agent ended after the text was pasted"),
    ),
    "stopped": (*_WHO, ("session_ended", "string", "the session that was ended")),
    "removed": (
        *_WHO,
        ("session_ended", "string or null", "the session that was ended"),
        ("rescue", "string or null", "the ref that holds what was at risk; a dry run cannot know its end and says `…`"),
        ("branch", "string or null", "its branch"),
        ("branch_deleted", "boolean", "the branch is gone, because nothing was lost with it"),
        ("unassigned", "list of string", "the beads that were handed back"),
        ("kept", "string or null", "where its files are, if they could not be saved otherwise"),
        ("unsaved", "string", "why the rescue does not hold all of it; empty if it does, or if nothing was at risk"),
        ("risks", "list of risk", "the risks there were"),
    ),
    "repaired": (
        *_POLECAT,
        ("session_ended", "string or null", "the session that was ended"),
        ("rescue", "string or null", "the ref that holds what the old worktree had; a dry run cannot know its end and says `…`"),
        ("old_branch", "string or null", "the branch of the old worktree"),
        ("old_branch_deleted", "boolean", "that branch is gone, because nothing was lost with it"),
        ("warnings", "list of string", "what went wrong without stopping the repair"),
    ),
    "bead": (
        ("id", "string", "the bead"),
        ("title", "string", "its title"),
        ("status", "string", "such as `open`, `hooked` or `closed`"),
        ("assignee", "string", "whose it is; empty for nobody's"),
        ("failures", "integer", "how often agents failed on it in a row"),
    ),
    "staleness": (
        *_WHO,
        ("stale", "boolean", "it may go"),
        ("reason", "string", "why, or why not"),
        ("commits_behind", "integer or null", "commits of the default branch that it lacks; null if they could not be counted"),
    ),
    "rescue": _RESCUE,
    "rescue in full": (
        *_RESCUE,
        ("refs", "list of string", "everything that was saved with it"),
        ("files", "object", "path to what was saved of it"),
        ("command", "string", "what gets it back"),
    ),
    "warmed": (
        ("rig_name", "string", "the rig"),
        ("ready", "integer", "spares that are ready now"),
        ("made", "integer", "of them new"),
        ("discarded", "integer", "spares that were thrown away"),
        ("warnings", "list of string", "why, where git could not judge one"),
    ),
    "reconciled": (
        *_RECONCILED,
        (
            "settings_moved",
            "list of string",
            "keys that were moved from `config.json` to `polecat.json`, where Gas Town does not drop them",
        ),
    ),
    "pruned": (
        *_RECONCILED,
        ("branches_deleted", "list of string", "branches whose commits are all elsewhere"),
        ("branches_kept", "list of string", "branches that were left alone, and why"),
    ),
    "finding": (
        ("area", "string", "`programs`, `town` or the name of a rig"),
        ("level", "string", "`ok`, `note` or `wrong`"),
        ("text", "string", "what was found"),
        ("remedy", "string", "the command that mends it, or advice; empty where nothing is to be done"),
    ),
    "checkup": (("well", "boolean", "nothing is wrong"), ("findings", "list of finding", "everything that was looked at")),
    "town": (("name", "string", "the town"), ("path", "string", "its directory")),
    "rig": _RIG,
    "listed rig": (*_RIG, ("polecats", "integer", "how many polecats it has")),
    "removed rig": (("rig_name", "string", "the rig"), ("path", "string", "its directory, which is gone")),
    "adopted": (
        *_RIG,
        ("checkout", "string", "the top directory of the checkout"),
        ("made_town", "boolean", "the town is new"),
        ("made_rig", "boolean", "the rig is new; otherwise the town had one of this project"),
    ),
    "demo": (
        ("town", "string", "the throw-away town"),
        ("kept", "boolean", "it was left"),
        ("spawned", "list of spawned", "the polecats"),
        ("removed", "removed", "the one that was taken back"),
    ),
    "script": (("shell", "string", "`bash`, `zsh` or `fish`"), ("script", "string", "the text")),
}
"""Shape → its fields."""

DOCUMENTS: Mapping[str, str] = {
    "spawn": "spawned",
    "spawn --count": "list of spawned",
    "spawn --dry-run": "plan",
    "list": "list of polecat",
    "status": "status",
    "wait": "list of polecat",
    "watch": "change",  # a line each
    "attach": "attach",
    "capture": "capture",
    "nudge": "nudge",
    "send": "nudge",
    "start": "spawned",
    "start --all": "list of spawned",
    "stop": "stopped",
    "remove": "removed",
    "repair": "repaired",
    "hook": "list of bead",  # show, set and clear
    "diff": "git command",
    "log": "git command",
    "stale": "list of staleness",
    "rescue list": "list of rescue",
    "rescue show": "rescue in full",
    "rescue drop": "list of rescue",
    "warm": "warmed",
    "prune": "pruned",
    "doctor": "checkup",
    "reconcile": "reconciled",
    "init": "town",
    "adopt": "adopted",
    "rig add": "rig",
    "rig list": "list of listed rig",
    "rig remove": "removed rig",
    "demo": "demo",
    "completion": "script",
}
"""Command → the type of the document it prints."""


def document(command: str, value: object) -> object:
    """Put what a verb wants to print into the form that is promised for it.

    Args:
        command: one of `DOCUMENTS`.
        value: mappings, values and sequences; fields that are not promised are left out. Where null is promised for what there is
            none of, an empty text is null.

    Raises:
        KeyError: a promised field is missing in a mapping.
        AttributeError: a promised field is missing in a value.

    Examples:
        >>> document("init", {"path": "/gt", "name": "gt", "more": 1})
        {'name': 'gt', 'path': '/gt'}
    """
    return _formed(DOCUMENTS[command], value)


def _formed(kind: str, value: object) -> object:
    if kind.endswith(" or null") and value in (None, ""):
        return None
    kind = kind.removesuffix(" or null")
    if kind.startswith("list of ") and isinstance(value, Sequence):
        return [_formed(kind.removeprefix("list of "), one) for one in value]
    if kind in SHAPES:
        return {name: _formed(type_, _field(value, name)) for name, type_, _ in SHAPES[kind]}
    return value


def _field(value: object, name: str) -> object:
    return value[name] if isinstance(value, Mapping) else getattr(value, name)
