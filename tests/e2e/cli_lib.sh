# Sourced by cli_*_test.sh: a private home, running commands, checking what came out.
# shellcheck shell=bash
set -u
export LC_ALL=C.UTF-8 TZ=UTC
unset XDG_DATA_HOME NO_COLOR COLUMNS
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${SELFSAME:?path of the program selfsame}" "${SELFSAMED:?path of the program selfsamed}"
TEST_DATA=$(cd "${TEST_DATA:-$here/../data}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/selfsame-e2e.XXXXXX")
export HOME=$work/user SELFSAME_HOME=$work/home
mkdir "$HOME"
failures=0
node_pid=

cleanup() {
    [ -z "$node_pid" ] || kill -KILL "$node_pid" 2>/dev/null
    chmod -R u+rwX "$work" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# run ARGUMENTS...: runs selfsame; $status, and its output in the files out and err.
run() {
    "$SELFSAME" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# run_with FILE ARGUMENTS...: the same with standard input.
run_with() {
    "$SELFSAME" "${@:2}" >"$work/out" 2>"$work/err" <"$1"
    status=$?
}

claim() {
    printf 'ok    %s\n' "$1"
}

broken() {
    failures=$((failures + 1))
    printf 'FAIL  %s\n' "$1"
    printf '      status %s\n' "${status:-}"
    sed 's/^/      out: /' "$work/out" 2>/dev/null | head -n 20
    sed 's/^/      err: /' "$work/err" 2>/dev/null | head -n 20
}

# check CLAIM COMMAND...
check() {
    if "${@:2}"; then claim "$1"; else broken "$1"; fi
}

skip() {
    printf 'skip  %s\n' "$1"
}

finish() {
    [ "$failures" -eq 0 ]
    exit
}

# What was printed.
said() { grep -qF -- "$1" "$work/out"; }
complained() { grep -qF -- "$1" "$work/err"; }
status_is() { [ "$status" -eq "$1" ]; }
silent() { [ ! -s "$work/out" ]; }
failed_with() { [ "$status" -eq "$1" ] && silent && complained "$2"; }

# The value of the first member KEY of the document in out.
value() {
    grep -o "\"$1\":\(\"[^\"]*\"\|[^,}\"]*\)" "$work/out" | head -n 1 | sed 's/^[^:]*://; s/^"//; s/"$//'
}

# Whether every member named is in the document in out, and the document is one line of schema 1.
has_keys() {
    [ "$(wc -l <"$work/out")" -eq 1 ] || return 1
    grep -q '^{"schema":1[,}]' "$work/out" || return 1
    for key in "$@"; do
        grep -qF "\"$key\":" "$work/out" || {
            echo "      no member '$key'"
            return 1
        }
    done
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

node_is_ready() { grep -q '^ready\|^listening' "$work/node.out"; }

node_start() {
    : >"$work/node.out"
    "$SELFSAMED" >"$work/node.out" 2>"$work/node.err" </dev/null &
    node_pid=$!
    wait_for 20 node_is_ready || {
        cat "$work/node.err"
        return 1
    }
}

node_stop() {
    kill -TERM "$node_pid" && wait "$node_pid"
    local rc=$?
    node_pid=
    return $rc
}

# How many observations the store holds now; does not touch what the last run left.
observations() {
    "$SELFSAME" status --json | sed 's/.*"observations":\([0-9]*\),"ops".*/\1/'
}
