#!/bin/sh
# Run by the tmux server when an agent's process has ended; the server appends the last two arguments.
#
#   on_exit.sh EVENTS_FILE RIG NAME SESSION INSTANCE STATUS SIGNAL
#
# Appends one line to the activity feed in a single write, and tells `gt`, where there is one. It never fails loudly:
# nobody reads its output, and a feed that cannot be written must not keep a dead session alive.

events_file=$1 rig=$2 name=$3 session=$4 status=$6 signal=$7

if [ -n "$signal" ]; then
    reason="signal $signal"
elif [ -n "$status" ]; then
    reason="exit $status"
else
    reason="unknown"
fi

# A JSON string: backslashes and quotes escaped, control characters dropped.
json() {
    printf '"%s"' "$(printf '%s' "$1" | LC_ALL=C tr -d '\000-\037\177' | sed 's/[\\"]/\\&/g')"
}

now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
agent="$rig/polecats/$name"
line='{"ts":"'"$now"'","source":"gt","type":"session_death","actor":'"$(json "$agent")"
line="$line"',"payload":{"agent":'"$(json "$agent")"',"caller":"polecat","reason":'"$(json "$reason")"
line="$line"',"session":'"$(json "$session")"'},"visibility":"feed"}'
printf '%s\n' "$line" >>"$events_file"

if command -v gt >/dev/null 2>&1; then
    case $status in
        '' | *[!0-9]*) status=-1 ;;
    esac
    # Beside us: the server waits for this script before it ends the session, and `gt` may take its time.
    gt log crash --agent "$rig/$name" --session "$session" --exit-code "$status" </dev/null >/dev/null 2>&1 &
fi
exit 0
