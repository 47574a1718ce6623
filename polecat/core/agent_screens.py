"""What the screens of known agents look like: their prompts, their work, what they ask. Pure data; see `polecat.core.screens`.

Looked at in claude 2.1.197, codex 0.171.0, gemini 0.61.0 and qwen 0.15.10; older forms are kept where they do no harm.
"""

from __future__ import annotations

from polecat.core.screens import BLANK, Composer, Dialog, Signs

_RULE = "^─{20}"

# The choices of its questions follow "❯" too, numbered or, in newer versions, "Yes…" and "No…": the prompt's arrow is alone or
# followed by the composer's own suggestion. The footers are drawn only where text can be typed.
_CLAUDE_FOOTER = "\\? for shortcuts|shift\\+tab to cycle"
CLAUDE_SIGNS = Signs(
    prompt=f"^│?{BLANK}*(>{BLANK}+[^0-9NY \u00a0]|❯{BLANK}*Try |[>❯]{BLANK}*│?$)|\\? for shortcuts|bypass permissions on",
    busy="esc to interrupt|^[·✢✳✶✻✽*] [A-Z][^ ]*…",
    footer=_CLAUDE_FOOTER,
    dialogs=(
        Dialog(name="bypass-permissions", pattern="2\\. Yes, I accept", keys=("2",), policy="answer-once"),
        Dialog(name="bypass-permissions", pattern="❯.*Yes, I accept", keys=("Enter",), policy="answer-once"),
        Dialog(name="bypass-permissions", pattern="Bypass.Permissions.mode", keys=("Down", "Enter"), policy="answer-once"),
        # Some versions point at "No, exit" first: Enter alone would end the agent.
        Dialog(name="trust-folder", pattern="❯.No, exit", keys=("Down", "Enter"), policy="trust"),
        Dialog(
            name="trust-folder",
            pattern="Do you trust the files in|one you trust\\?|❯.*Yes, (proceed|I trust this f)",
            keys=("Enter",),
            policy="trust",
        ),
        Dialog(name="set-up", pattern="Select login method|Choose the text style|use this API key|settings require approval"),
        Dialog(name="permission", pattern="^ *Do you want to [^?]*\\?$|Would you like to proceed\\?"),
    ),
    composer=Composer(start=f"^(│{BLANK})?[>❯]{BLANK}?", end=f"{_RULE}|^╰", placeholder="\\[Pasted", pause_s=0.3),
    is_full_screen=True,
    settle_s=0.5,
)

# Its splash screen has its prompt and "? for shortcuts"; the line with the model and the directory comes once it has begun.
CODEX_SIGNS = Signs(
    prompt=f"^{BLANK}*(›({BLANK}+[^0-9 \u00a0]|$)|▌.*Ask Codex)",
    busy="esc to interrupt",
    begun="^  [^ ].* · [~/]|▌.*Ask Codex",
    footer="^  [^ ].* · [~/]",
    dialogs=(
        Dialog(name="trust-folder", pattern="›.1\\. (Trust and|Yes, c)", keys=("Enter",), policy="trust"),
        Dialog(
            name="trust-folder",
            pattern="Trust this folder\\?|trust the contents of this dir",
            keys=("Up", "Enter"),
            policy="trust",
        ),
        Dialog(name="set-up", pattern="Sign in with ChatGPT|›.1\\. Update now|Hooks need review"),
        Dialog(name="permission", pattern="Would you like to (run|make|allow)|›.1\\. Yes, proceed"),
    ),
    composer=Composer(start="^› ?", end="^  [^ ].* · [~/]", placeholder="\\[Pasted", pause_s=0.3),
    is_full_screen=True,
    settle_s=0.5,
)

CURSOR_SIGNS = Signs(
    prompt="→.*(Plan, search, build|Add a follow-up)",
    dialogs=(
        Dialog(name="trust-folder", pattern="\\[a\\] Trust this workspace", keys=("a",), policy="trust"),
        Dialog(name="trust-folder", pattern="Workspace Trust Required"),
        Dialog(name="set-up", pattern="Press any key to (log|sign) in"),
    ),
    is_full_screen=True,
    settle_s=0.5,
)

# Its composer is drawn before its trust question; its banner comes after that.
GEMINI_SIGNS = Signs(
    prompt="Type your message or @path",
    busy="esc to cancel",
    starting="Waiting for authentication|is restarting to apply",
    begun="Gemini CLI v|esc to cancel|^✦ ",
    footer="^ ?[>*!]   Type your message|^ workspace \\(/dir",
    dialogs=(
        Dialog(name="trust-folder", pattern="Do you trust (this folder|the files in)", keys=("Enter",), policy="trust"),
        Dialog(name="set-up", pattern="How would you like to authenticate|Enter Gemini API Key"),
        Dialog(name="permission", pattern="Allow execution of|Apply this change\\?|[●›] 1\\. (Yes, a|A)llow once"),
    ),
    composer=Composer(start="^ ?[>*!] ", end="^ workspace \\(|^ ~?/", placeholder="\\[Pasted", pause_s=0.5),
    is_full_screen=True,
    settle_s=0.5,
)

QWEN_SIGNS = Signs(
    prompt="Type your message or @path",
    busy="esc to cancel",
    starting="Initializing\\.\\.\\.",
    footer="^[>*!]   Type your message|^  (\\? for shortcuts|.*shift \\+ tab to cycle)",
    dialogs=(
        Dialog(name="trust-folder", pattern="Do you trust this folder", keys=("Enter",), policy="trust"),
        Dialog(name="set-up", pattern="How would you like to authenticate|Select Authentication Method|Get started"),
        Dialog(name="permission", pattern="Allow execution of|Apply this change\\?|[●›] 1\\. (Yes, a|A)llow once"),
    ),
    composer=Composer(start="^[>*!] ", end=_RULE, placeholder="\\[Pasted", pause_s=0.5),
    is_full_screen=True,
    settle_s=0.5,
)

AMP_SIGNS = Signs(
    dialogs=(Dialog(name="set-up", pattern="Would you like to log in to Amp"),),
    is_full_screen=True,
)

AUGGIE_SIGNS = Signs(
    dialogs=(Dialog(name="set-up", pattern="Login to continue|Press return to open your browser"),),
    is_full_screen=True,
)

OPENCODE_SIGNS = Signs(
    prompt="ctrl\\+p commands",
    busy="esc interrupt",
    is_full_screen=True,
    settle_s=0.5,
)

COPILOT_SIGNS = Signs(
    prompt="/ commands · \\? help",
    dialogs=(
        Dialog(name="trust-folder", pattern="Confirm folder trust", keys=("Enter",), policy="trust"),
        Dialog(name="set-up", pattern="use /login to sign in"),
    ),
    is_full_screen=True,
)

AIDER_SIGNS = Signs(prompt=f"^[a-z-]*>{BLANK}*$")
