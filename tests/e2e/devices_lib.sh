# Sourced by devices_*_test.sh: several devices with their own data folders and nodes on the loopback. The first
# one that is started is the one that the others look for (--peer); nothing else is discovered.
# shellcheck shell=bash disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"
declare -A pid_of
hub=

devices_end() {
    local name
    for name in "${!pid_of[@]}"; do
        kill -KILL "${pid_of[$name]}" 2>/dev/null
    done
    cleanup
}
trap devices_end EXIT

# on DEVICE ARGUMENTS...: runs selfsame there; as run.
on() {
    SELFSAME_HOME=$work/$1 run "${@:2}"
}

# quietly DEVICE ARGUMENTS...: prints what selfsame prints there.
quietly() {
    SELFSAME_HOME=$work/$1 "$SELFSAME" "${@:2}" 2>/dev/null </dev/null
}

# until_so SECONDS COMMAND...: waits for the command to succeed.
until_so() {
    local end=$((SECONDS + $1))
    until "${@:2}" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

address_of() {
    sed -n 's/^listening on //p' "$work/$1.log" | tail -n 1
}

is_listening() {
    [ -n "$(address_of "$1")" ]
}

# up DEVICE: starts its node.
up() {
    local peer=()
    [ -z "$hub" ] || peer=(--peer "$hub")
    SELFSAME_HOME=$work/$1 "$SELFSAMED" --listen 127.0.0.1:0 --no-discovery "${peer[@]}" \
        >"$work/$1.log" 2>"$work/$1.err" </dev/null &
    pid_of[$1]=$!
    until_so 10 is_listening "$1" || { broken "the node of $1 starts"; cat "$work/$1.err"; return 1; }
    [ -n "$hub" ] || hub=$(address_of "$1")
}

# down DEVICE: ends its node.
down() {
    kill -TERM "${pid_of[$1]}" && wait "${pid_of[$1]}"
    unset "pid_of[$1]"
}

make_device() {
    on "$1" init --name "$1"
}

code_shown() {
    [ -s "$work/pair.json" ]
}

# show_code DEVICE [OPTIONS...]: shows a code there, in the background; $code, and $pair_pid.
show_code() {
    : >"$work/pair.json"
    SELFSAME_HOME=$work/$1 "$SELFSAME" pair --json --yes "${@:2}" >"$work/pair.json" 2>"$work/pair.err" </dev/null &
    pair_pid=$!
    until_so 10 code_shown
    code=$(sed -n '1s/.*"code":"\([0-9-]*\)".*/\1/p' "$work/pair.json")
}

# join_up HOST JOINER [OPTIONS...]: pairs two devices whose nodes run.
join_up() {
    show_code "$1" "${@:3}"
    on "$2" pair "$code" --address "$(address_of "$1")" --yes
    [ "$status" -eq 0 ] && wait "$pair_pid"
}

digest_of() {
    quietly "$1" status --json | sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p'
}

# same DEVICES...: whether all hold the same model.
same() {
    local name first
    first=$(digest_of "$1")
    [ -n "$first" ] || return 1
    for name in "${@:2}"; do
        [ "$(digest_of "$name")" = "$first" ] || return 1
    done
}

knows() {
    quietly "$1" show --all --max 500 --json | grep -qF -- "$2"
}

knows_not() {
    ! knows "$@"
}

# id_on DEVICE TEXT: the id of the proposition with that text.
id_on() {
    quietly "$1" show --all --max 500 --json | tr '{' '\n' | grep -F -- "\"text\":\"$2\"" |
        sed -n 's/.*"id":"\([0-9a-z]*\)".*/\1/p' | head -n 1
}

attention_on() {
    quietly "$1" status --json | sed -n 's/.*"attention":\(.*\)}/\1/p'
}
