#!/usr/bin/env bash
# Vectors: a table made by make_table.py, and a model behind an endpoint, find what shares no word with the
# question; forgetting leaves none.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli_lib.sh"
root=${TEST_SOURCE:-$here/../..}

first() { # the first result of a query
    "$SELFSAME" query "$1" --json 2>"$work/err" | python3 -c '
import json, sys
results = json.load(sys.stdin)["results"]
print(results[0]["text"] if results else "nothing")'
}

is_first() {
    [ "$(first "$1")" = "$2" ]
}

first_id() {
    "$SELFSAME" query "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["results"][0]["id"])'
}

# A package as make_table.py takes it: four tokens of four dims in 256.
python3 - "$work/small-1.0-py3-none-any.whl" <<'PY'
import json, struct, sys, zipfile
vectors = {"\u2581tea": (1, 0), "\u2581beverage": (0.9, 0.1), "\u2581guitar": (0, 1), "\u2581music": (0.1, 0.9)}
values = b"".join(struct.pack("<256e", *(v + (0,) * 254)) for v in vectors.values())
head = json.dumps({"w": {"dtype": "F16", "shape": [4, 256], "data_offsets": [0, len(values)]}}).encode()
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("w/weights/l2_supercat_256.safetensors", struct.pack("<Q", len(head)) + head + values)
    z.writestr("w/tokenizers/l2_supercat_tokenizer_config.json",
               json.dumps({"model": {"vocab": {t: i for i, t in enumerate(vectors)}}}))
    z.writestr("small-1.0.dist-info/METADATA", "")
PY
check "a table is made of a package" \
    python3 "$root/node/model/make_table.py" --dims 16 "$work"/small-*.whl "$work/words.table"
run init --name laptop
run tell "drinks tea"
run tell "plays the guitar"
check "without vectors a question finds by words" is_first beverage nothing

head -c 100 "$work/words.table" >"$work/cut.table"
run config embed.table "$work/cut.table"
check "a table that was cut is refused" status_is 1
run config embed.table words.table
check "a path must be absolute" status_is 2
run config embed.table "$work/words.table"
check "a sound table is taken" status_is 0
run tell "climbs mountains" # a command that writes fills what is due before it ends
check "with a table it finds what shares no word" is_first beverage "drinks tea"
check "the vectors are the user's alone" \
    [ "$(stat -c %a "$SELFSAME_HOME/selfsame.db-vectors")" = 600 ]

# A model behind an endpoint on this machine: it knows the word music.
cat >"$work/model.py" <<'PY'
import http.server, json, sys

class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        data = [{"index": i, "object": "embedding",
                 "embedding": [float("music" in t or "guitar" in t), float("tea" in t), 0.1]}
                for i, t in enumerate(texts)]
        body = json.dumps({"object": "list", "data": data, "model": asked["model"],
                           "usage": {"prompt_tokens": 1, "total_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
print(server.server_port, flush=True)
server.serve_forever()
PY
coproc MODEL { exec python3 "$work/model.py"; }
model_pid=$MODEL_PID
read -r port <&"${MODEL[0]}"
stop() {
    kill "$model_pid" 2>/dev/null
    cleanup
}
trap stop EXIT
run config endpoint.url "http://127.0.0.1:$port/v1"
run config endpoint.embed-model letters
check "the node starts" node_start
check "a model fills in the background and answers questions" wait_for 20 is_first music "plays the guitar"
run forget "$(first_id guitar)" --force
check "it is forgotten" status_is 0
check "nor by its vector" [ "$(first music)" != "plays the guitar" ]
kill "$model_pid"
wait "$model_pid" 2>/dev/null
check "with the model gone, questions are answered by words" is_first tea "drinks tea"
check "the node ends cleanly" node_stop
finish
