"""The texts of the completion scripts. Names of rigs, polecats and agents are asked for when they are needed."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

_BASH = r"""# bash completion for polecat; made by: polecat completion bash
_polecat_words() {  # not compgen -W, which would evaluate what stands in a name
    local word
    while IFS= read -r word; do [[ $word == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$word")"); done
}
_polecat() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path="" place=0 town=() at=1 word kind=""
    while (( at < COMP_CWORD )); do
        word=${COMP_WORDS[at]}
        [[ $word == --town ]] && town=(--town "${COMP_WORDS[at+1]}")
        if [[ $word == -* ]]; then
            _polecat_option "$path" "$word" && (( at++ ))
        elif _polecat_command "$path $word"; then
            path="$path $word" place=0
        else
            (( place++ ))
        fi
        (( at++ ))
    done
    kind=""
    if [[ $prev == -* ]] && _polecat_option "$path" "$prev"; then
        :
    elif [[ $cur == -* ]]; then
        kind="one of $(_polecat_options "$path")"
    else
        kind=$(_polecat_place "$path" "$place")
    fi
    COMPREPLY=()
    case $kind in
        "one of "*) mapfile -t COMPREPLY < <(compgen -W "${kind#one of }" -- "$cur") ;;
        rigs|polecats|agents) _polecat_words < <(polecat complete "$kind" "${town[@]}" 2>/dev/null) ;;
        dirs) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
}
@TABLES@
complete -F _polecat polecat
"""

_ZSH = r"""#compdef polecat
# zsh completion for polecat; made by: polecat completion zsh
_polecat() {
    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} path_="" place=0 at=2 word kind=""
    local -a town
    while (( at < CURRENT )); do
        word=${words[at]}
        [[ $word == --town ]] && town=(--town "${words[at+1]}")
        if [[ $word == -* ]]; then
            _polecat_option "$path_" "$word" && (( at++ ))
        elif _polecat_command "$path_ $word"; then
            path_="$path_ $word" place=0
        else
            (( place++ ))
        fi
        (( at++ ))
    done
    kind=""
    if [[ $prev == -* ]] && _polecat_option "$path_" "$prev"; then
        :
    elif [[ $cur == -* ]]; then
        kind="one of $(_polecat_options "$path_")"
    else
        kind=$(_polecat_place "$path_" "$place")
    fi
    case $kind in
        "one of "*) compadd -- ${=kind#one of } ;;
        rigs|polecats|agents) compadd -- ${(f)"$(polecat complete $kind $town 2>/dev/null)"} ;;
        dirs) _path_files -/ ;;
        files) _files ;;
    esac
}
@TABLES@
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _polecat "$@"; else compdef _polecat polecat; fi
"""


_FISH_TOWN = """\
# fish completion for polecat; made by: polecat completion fish
function __polecat_town
    set -l words (commandline -opc)
    if set -l at (contains -i -- --town $words)
        printf '%s\\n' --town $words[(math $at + 1)]
    end
end"""


@frozen(kw_only=True)
class Option:
    """One option of a command: its spellings, what its value is (empty: it has none; ``text``: anything), its help."""

    flags: tuple[str, ...]
    value: str
    help: str


@frozen(kw_only=True)
class Command:
    """One verb, or one action of a verb.

    Attributes:
        words: the words that lead to it.
        help: what it does.
        options: its options.
        places: what its positional words are.
    """

    words: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    places: tuple[str, ...]


def bash(commands: Sequence[Command]) -> str:
    """The script for bash 4.4 and later."""
    return _BASH.replace("@TABLES@", _tables(commands))


def zsh(commands: Sequence[Command]) -> str:
    """The script for zsh; it can be evaluated, or stand in ``fpath`` as ``_polecat``."""
    return _ZSH.replace("@TABLES@", _tables(commands))


def _path(command: Command) -> str:
    return "".join(f" {word}" for word in command.words)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _tables(commands: Sequence[Command]) -> str:
    """What the parser knows, as functions that both shells understand.

    ``_polecat_option PATH OPTION`` sets ``kind`` and succeeds if the option takes a value.
    """
    options, places, values = [], [], []
    for command in commands:
        path = _quote(_path(command))
        flags = " ".join(flag for option in command.options for flag in option.flags)
        options.append(f"        {path}) echo {_quote(flags)} ;;")
        below = [other.words[-1] for other in commands if other.words[:-1] == command.words and other.words]
        if below:
            places.append(f"        {_quote(_path(command) + ' 0')}) echo {_quote('one of ' + ' '.join(below))} ;;")
        places += [
            f"        {_quote(f'{_path(command)} {at}')}) echo {_quote(kind)} ;;" for at, kind in enumerate(command.places)
        ]
        for option in command.options:
            if option.value:
                spellings = "|".join(_quote(f"{_path(command)} {flag}") for flag in option.flags)
                values.append(f"        {spellings}) kind={_quote(option.value)} ;;")
    known = "|".join(_quote(_path(command)) for command in commands if command.words)
    lines = [
        "_polecat_command() {", '    case "$1" in', f"        {known}) return 0 ;;", "    esac", "    return 1", "}",
        "_polecat_options() {", '    case "$1" in', *options, "    esac", "}",
        "_polecat_place() {", '    case "$1 $2" in', *places, "    esac", "}",
        "_polecat_option() {", '    case "$1 $2" in', *values, "        *) return 1 ;;", "    esac", "}",
    ]  # fmt: skip
    return "\n".join(lines)


def fish(commands: Sequence[Command]) -> str:
    """The script for fish."""
    lines = [_FISH_TOWN, "complete -c polecat -f"]
    for command in commands:
        below = [other for other in commands if other.words and other.words[:-1] == command.words]
        here = _fish_condition(command.words, [other.words[-1] for other in below])
        lines += [f"complete -c polecat -n {_quote(here)} -a {one.words[-1]} -d {_quote(one.help)}" for one in below]
        lines += [
            f"complete -c polecat -n {_quote(here)} -a {_quote(_fish_words(kind))}" for kind in command.places if kind != "text"
        ]
        for option in command.options:
            lines.append(f"complete -c polecat -n {_quote(here)} {_fish_option(option)} -d {_quote(option.help)}")
    return "\n".join(lines) + "\n"


def _fish_condition(words: tuple[str, ...], below: Sequence[str]) -> str:
    if not words:
        return "__fish_use_subcommand"
    seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in words)
    unseen = f"not __fish_seen_subcommand_from {' '.join(below)}" if below else ""
    return "; and ".join(part for part in (seen, unseen) if part)


def _fish_words(kind: str) -> str:
    if kind.startswith("one of "):
        return kind.removeprefix("one of ")
    if kind in ("dirs", "files"):
        return "(__fish_complete_directories)" if kind == "dirs" else "(__fish_complete_path)"
    return f"(polecat complete {kind} (__polecat_town) 2>/dev/null)"


def _fish_option(option: Option) -> str:
    parts = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
    if option.value:
        parts.append("-x" if option.value != "files" else "-r")
        if option.value not in ("text", "files"):
            parts.append(f"-a {_quote(_fish_words(option.value))}")
    return " ".join(parts)
