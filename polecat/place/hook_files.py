"""The files that make agents report to Gas Town: Claude's settings, the OpenCode plugin, and PRIME.md for beads. Pure text."""

from __future__ import annotations

import json

_PATH = 'export PATH="$HOME/go/bin:$HOME/bin:$PATH" && '


def claude_settings() -> bytes:
    """Write the settings that run Gas Town's commands on Claude's events. Nobody talks to a polecat: it gets its mail at the start.

    Source:
        Contract §3.14.
    """
    commands = {
        "SessionStart": "gt prime && gt mail check --inject && gt nudge deacon session-started",
        "PreCompact": "gt prime",
        "UserPromptSubmit": "gt mail check --inject",
        "Stop": "gt costs record",
    }
    hooks = {
        event: [{"matcher": "", "hooks": [{"type": "command", "command": _PATH + command}]}]
        for event, command in commands.items()
    }
    document = {"enabledPlugins": {"beads@beads-marketplace": False}, "hooks": hooks}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


OPENCODE_PLUGIN = b"""\
// Reports a new OpenCode session to Gas Town, once. A command that fails is logged and nothing else happens.
const AUTONOMOUS = ["polecat", "witness", "refinery", "deacon"];

export const GasTown = async ({ $, directory }) => {
  let reported = false;

  const run = async (command) => {
    try {
      await $`/bin/sh -lc ${command}`.cwd(directory).quiet();
    } catch (error) {
      console.error(`gas town: ${command}: ${error?.message ?? error}`);
    }
  };

  return {
    event: async ({ event }) => {
      if (event?.type !== "session.created" || reported) return;
      reported = true;
      await run("gt prime");
      if (AUTONOMOUS.includes((process.env.GT_ROLE ?? "").toLowerCase())) {
        await run("gt mail check --inject");
      }
      await run("gt nudge deacon session-started");
    },
  };
};
"""
"""The plugin for agents whose hooks provider is ``opencode``.

Source:
    Contract §3.14.
"""

PRIME_TEXT = b"""\
# Gas Town worker context

You are a worker in a Gas Town rig. Lost your context, or just started? Run `gt prime`: it prints who you are and what you are
doing.

## The hook decides

Work on your hook is yours, and it is approved. Begin as soon as you see it. Do not announce it and wait; nobody answers.

## Starting

1. `gt mol status` shows what is on your hook.
2. Something there: do it, now.
3. Nothing there: `gt mail inbox`. A message may bring work.
4. Neither: wait for a message.

## Commands you need

| Command | What it does |
|---|---|
| `gt prime` | restores your context |
| `gt mol status` | shows your hook |
| `gt mail inbox` | shows your mail |
| `bd ready` | lists beads that can be worked on |
| `bd sync` | exchanges beads with the other workers |

## Before you say that you are done

1. `git status`: is everything there that belongs to the change, and nothing else?
2. `git add` what belongs to it.
3. `bd sync`
4. `git commit`
5. `bd sync` again, for what the commit changed.
6. `git push`

Work that is not pushed is not finished: this worktree will be taken away.
"""
"""What `bd prime` shows agents in a directory of beads that has no PRIME.md of its own.

Source:
    Contract §12.8.
"""
