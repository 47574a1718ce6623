#!/bin/sh
# Run by the tmux server when an agent's process has ended, before anybody is told.
#
#   keep_end.sh END_FILE SOCKET PANE STATUS SIGNAL
#
# Keeps how it ended and its last screen in END_FILE, for its owner's eyes alone. `polecat/town/endings.py` reads it.

umask 077
file=$1 socket=$2 pane=$3 status=$4 signal=$5
draft=${file%/*}/.${file##*/}.$$.tmp
{
    printf 'status: %s\nsignal: %s\nat: %s\n\n' "$status" "$signal" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    tmux -u -S "$socket" capture-pane -p -S -200 -t "$pane" 2>/dev/null | tail -n 200 | tail -c 32768
} >"$draft" && mv -f "$draft" "$file"
exit 0
