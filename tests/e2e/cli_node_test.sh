# With the node running: the same answers, watching, pausing, two nodes on one folder, sudden death.
# shellcheck shell=bash disable=SC1091,SC2016
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"
run init --name laptop
run import jsonl "$TEST_DATA/observe/jsonl/restic_commits.jsonl"
run tell --pin prefers plain-text mail
run tell drinks tea
run show --json
id=$(value id)
at=2018-10-15T00:00:00Z

# --- sameness: every reading command, with and without the node
ask_all() {
    mkdir -p "$1"
    "$SELFSAME" show --json --all --at $at >"$1/show" 2>&1
    "$SELFSAME" show --json --kind told --at $at >"$1/kind" 2>&1
    "$SELFSAME" query --json --at $at restic mail >"$1/query" 2>&1
    "$SELFSAME" why --json "$id" >"$1/why" 2>&1
    "$SELFSAME" why --json zzzzzzzz >"$1/unknown" 2>&1
    "$SELFSAME" show --json --at never >"$1/usage" 2>&1
    "$SELFSAME" log --json --max 200 >"$1/log" 2>&1
    "$SELFSAME" log --audit --json >"$1/audit" 2>&1
    "$SELFSAME" config --json >"$1/config" 2>&1
    "$SELFSAME" config --json nothing >"$1/no_setting" 2>&1
    "$SELFSAME" import --list --json >"$1/sources" 2>&1
    "$SELFSAME" export --json >"$1/export" 2>&1
    "$SELFSAME" show --all --at $at >"$1/text" 2>&1
    "$SELFSAME" watch --json >"$1/watch" 2>&1
    "$SELFSAME" status --json >"$1/status" 2>&1
    # What may differ: the node itself, the size of the files, and scores that age while we look.
    sed -i 's/"node":{[^}]*}//; s/"listening":[^,]*,//; s/"bytes":[0-9]*//' "$1/status"
    sed -i 's/"score":[0-9.e-]*//g; s/"free[^"]*"//' "$1/why" "$1/export"
}
ask_all "$work/without"
check "the node says when it is ready" node_start
ask_all "$work/with"
for one in "$work/without"/*; do
    check "the same answer with and without the node: ${one##*/}" diff "$one" "$work/with/${one##*/}"
done
run status --json
check "status says that it runs" eval 'said "\"running\":true" && [ "$(value pid)" = "$node_pid" ]'
check "the socket is the user's alone" [ "$(stat -c %a "$SELFSAME_HOME/control.sock")" = 600 ]

# --- changes go through it
run tell "likes the node" --json
new=$(value id)
run show --json
check "what is told through the node is shown" said "likes the node"
run confirm "$new" --json
check "and confirmed" [ "$(value verdict)" = confirmed ]
"$SELFSAME" tell --file - >"$work/out" 2>"$work/err" < <(seq 3000 | sed 's/^/counts to /')
status=$?
check "a stream is told through the node" eval 'status_is 0 && said "3 000 new"'

# --- a language model's endpoint: set while the node runs
run config endpoint.url http://127.0.0.1:9/v1
run config endpoint.model tiny
run status --json
check "an endpoint counts as soon as it is set" eval 'said "\"host\":\"127.0.0.1:9\"" && said "\"state\":\"ready\""'
run config endpoint.url http://192.0.2.1/v1
run status
check "one on another machine is refused, with what to do" eval 'said refused && said "is not this machine"'
run config endpoint.url --unset
run status --json
check "and is gone when it is unset" said "\"endpoint\":null"

# --- one node a folder
"$SELFSAMED" >"$work/out" 2>"$work/err" </dev/null
status=$?
check "a second node on the folder is refused: status 4" failed_with 4 "another process is writing"
run status
check "and the first goes on" status_is 0
chmod 750 "$SELFSAME_HOME"
run show
check "a folder that others can enter is refused with the node too" eval '[ "$status" -eq 1 ] && complained "chmod 700"'
chmod 700 "$SELFSAME_HOME"

# --- watching
history=$HOME/.bash_history
printf '#1770000000\nmake first\n' >"$history"
run import bash --watch
check "import --watch without a path takes the usual one" eval 'status_is 0 && said "1 new"'
run watch
check "it is on the list" said "$history"
seen() { "$SELFSAME" log --max 5 | grep -qF "$1"; }
printf '#1770000100\nmake second\n' >>"$history"
check "a new line is picked up within two seconds" wait_for 2 seen "make second"
mv "$history" "$history.old"
printf '#1770000100\nmake second\n#1770000200\nmake third\n' >"$history"
check "also when the file was replaced" wait_for 2 seen "make third"
run pause 1h
check "pause" status_is 0
printf '#%s\nmake secretly\n' "$(date +%s)" >>"$history"
run status --json
check "a pause is in the status" eval '[ "$(value paused_until)" != null ]'
run resume
printf '#%s\nmake openly\n' "$(($(date +%s) + 2))" >>"$history"
check "after it, observing goes on" wait_for 4 seen "make openly"
check "and what happened during it stays out" eval '! seen "make secretly"'
run watch --remove bash "$history"
check "a watch can be removed" eval 'status_is 0 && ! said "$history"'

# --- ends
check "SIGTERM ends it with status 0" node_stop
run show --json
check "without it the folder is opened directly" said "likes the node"
run doctor
check "and whole" status_is 0

# --- sudden death in the middle of an import
awk 'BEGIN { for (i = 0; i < 150000; i++)
    printf "{\"time\":\"2025-%02d-%02dT%02d:%02d:%02dZ\",\"source\":\"note\",\"text\":\"number %d\"}\n",
        int(i / 30000) % 12 + 1, int(i / 1000) % 28 + 1, int(i / 3600) % 24, int(i / 60) % 60, i % 60, i }' >"$work/big.jsonl"
before=$(observations)
node_start
"$SELFSAME" import jsonl "$work/big.jsonl" >"$work/out" 2>"$work/err" </dev/null &
job=$!
more() { [ "$(observations)" -gt "$before" ]; }
check "the import has begun" wait_for 20 more
disown "$node_pid"
kill -KILL "$node_pid"
node_pid=
wait $job
status=$?
check "a command whose node dies says so: status 3" failed_with 3 "the node"
run doctor
check "the store is whole after kill -9" status_is 0
kept=$(observations)
check "what was committed is kept" [ "$kept" -gt "$before" ]
run import jsonl "$work/big.jsonl" --json
check "run again, it goes on" status_is 0
check "and nothing is missing or double" [ "$(observations)" -eq $((before + 150000)) ]
finish
