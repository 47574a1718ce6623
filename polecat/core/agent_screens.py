"""What the screens of known agents look like: their prompts, their work, what they ask. Pure data; see `polecat.core.screens`."""

from __future__ import annotations

from polecat.core.screens import BLANK, Dialog, Signs

# The choices of its questions follow "❯" too, numbered or, in newer versions, "Yes…" and "No…": the prompt's arrow is alone or
# followed by the composer's own suggestion. The two footers are drawn only where text can be typed.
CLAUDE_SIGNS = Signs(
    prompt=f"^│?{BLANK}*(>{BLANK}+[^0-9NY \u00a0]|❯{BLANK}*Try |[>❯]{BLANK}*│?$)|\\? for shortcuts|bypass permissions on",
    dialogs=(
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
    ),
)

CODEX_SIGNS = Signs(
    prompt=f"^{BLANK}*(›({BLANK}+[^0-9 \u00a0]|$)|▌.*Ask Codex)",
    dialogs=(
        Dialog(name="trust-folder", pattern="›.2\\. No", keys=("Up", "Enter"), policy="trust"),
        Dialog(name="trust-folder", pattern="trust the contents of this dir", keys=("Enter",), policy="trust"),
        Dialog(name="set-up", pattern="Sign in with ChatGPT|›.1\\. Update now|Hooks need review"),
    ),
)

CURSOR_SIGNS = Signs(
    prompt="→.*(Plan, search, build|Add a follow-up)",
    dialogs=(
        Dialog(name="trust-folder", pattern="\\[a\\] Trust this workspace", keys=("a",), policy="trust"),
        Dialog(name="trust-folder", pattern="Workspace Trust Required"),
        Dialog(name="set-up", pattern="Press any key to (log|sign) in"),
    ),
)

GEMINI_SIGNS = Signs(
    prompt="Type your message or @path",
    dialogs=(
        Dialog(name="trust-folder", pattern="Do you trust (this folder|the files in)", keys=("Enter",), policy="trust"),
        Dialog(name="set-up", pattern="How would you like to authenticate"),
    ),
)

QWEN_SIGNS = Signs(
    prompt="Type your message or @path",
    dialogs=(
        Dialog(name="trust-folder", pattern="Do you trust this folder", keys=("Enter",), policy="trust"),
        Dialog(name="set-up", pattern="Select Authentication Method"),
    ),
)

AMP_SIGNS = Signs(dialogs=(Dialog(name="set-up", pattern="Would you like to log in to Amp"),))

AUGGIE_SIGNS = Signs(dialogs=(Dialog(name="set-up", pattern="Login to continue|Press return to open your browser"),))

OPENCODE_SIGNS = Signs(prompt="ctrl\\+p commands")

COPILOT_SIGNS = Signs()

AIDER_SIGNS = Signs(prompt=f"^[a-z-]*>{BLANK}*$")
