#!/usr/bin/env bash
# What thinking costs: calls and tokens for a hundred observations, of histories of several kinds, with a scripted model
# that finds three claims in every batch. Few batches reach all three questions, so this is not the most that can be asked.
#
#     SELFSAME=… SELFSAMED=… bash tests/eval/think_cost.sh
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../e2e/cli_lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
server=$work/server
mkdir "$server"
echo busy >"$server/mode"
python3 "$here/../e2e/model_server.py" "$server" >"$server/port" &
model_pid=$!
stop() {
    kill "$model_pid" 2>/dev/null
    cleanup
}
trap stop EXIT
is_up() { [ -s "$server/port" ]; }
wait_for 20 is_up

# mix NAME SOURCE PATH [SOURCE PATH]...
mix() {
    local name=$1
    shift
    export SELFSAME_HOME=$work/$name
    run init --name laptop
    run config user.name Ana
    run config endpoint.url "http://127.0.0.1:$(cat "$server/port")/v1"
    run config endpoint.model busy
    while [ $# -gt 1 ]; do
        run import "$1" "$2"
        shift 2
    done
    run think --all
    "$SELFSAME" status --json | python3 -c '
import json, sys
t = json.load(sys.stdin)["thinking"]
n = t["observations"]
per = lambda v: 100 * v / n
print(sys.argv[1].join(("| ", " |")), n, "| %.1f | %.1f | %.0f | %.0f |" % (
    n / t["batches"], per(t["calls"]), per(t["tokens_in"]), per(t["tokens_out"])))' "$name"
}

# The first 200 of these: real ones.
head -n 200 "$TEST_DATA/demo/commits.jsonl" >"$work/commits.jsonl"
# A day as it comes, made up: a command, a page, every two minutes.
python3 - "$work" <<'PY'
import datetime, json, sys
commands = ["git status", "vim node/main.c", "make check", "rg 'struct node' node", "ssh build.example uptime",
            "git commit -m 'node: say why'", "man 7 signal", "less /var/log/syslog", "python3 plot.py figures.csv"]
pages = [("Trains from Berlin to Lisbon", "https://trains.example/berlin-lisbon"), ("CRDT - an overview", "https://papers.example/crdt"),
         ("Vegetarian stew, three ways", "https://food.example/stew"), ("Early jazz: a listening guide", "https://jazz.example/guide")]
start = datetime.datetime(2026, 10, 1, 9, tzinfo=datetime.timezone.utc)
with open(sys.argv[1] + "/shell.jsonl", "w") as shell, open(sys.argv[1] + "/pages.jsonl", "w") as web:
    for i in range(200):
        time = (start + datetime.timedelta(minutes=2 * i)).isoformat()
        print(json.dumps({"time": time, "source": "bash", "command": f"{commands[i % 9]} # {i}", "cwd": "/home/ana/work"}), file=shell)
        title, url = pages[i % 4]
        print(json.dumps({"time": time, "source": "firefox", "title": f"{title}, page {i}", "url": f"{url}?page={i}"}), file=web)
PY
paste -d '\n' "$work/shell.jsonl" "$work/pages.jsonl" | head -n 200 >"$work/both.jsonl"
echo "| mix | records | in a batch | calls per 100 | tokens in per 100 | tokens out per 100 |"
echo "|---|---|---|---|---|---|"
mix "shell, one day" jsonl "$work/shell.jsonl"
mix "browser, one day" jsonl "$work/pages.jsonl"
mix "commits, two years" jsonl "$work/commits.jsonl"
mix "notes and messages" jsonl "$TEST_DATA/demo/notes.jsonl"
mix "shell and browser in turn" jsonl "$work/both.jsonl"
