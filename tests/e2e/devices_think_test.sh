# One device thinks for all: of two with a model one is asked, a phone without one hands it what it may, sealed, and
# after use the bytes are gone; when the one that thinks is away the other takes over.
# shellcheck shell=bash disable=SC1091,SC2154,SC2016
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
declare -A model_of port_of
secret=zanzibar-4711

cat >"$work/model.py" <<'PY'
"""An OpenAI-like server on loopback: says of whatever it is asked that the user is fond of WHAT."""
import http.server
import json
import sys

what, label, asked = sys.argv[1:]
SAYS = {
    "claims": [{"reasoning": "seen in o1", "claim": f"The user is fond of {what}", "confidence": 8, "decay": 7,
                "supports": ["o1"], "contradicts": []}],
    "pairs": [{"new": "c1", "old": "p1", "reasoning": "the same", "label": label}],
    "clusters": [],
}

class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(asked, "ab") as f:
            f.write(body + b"\n")
        message = {"role": "assistant", "content": json.dumps(SAYS)}
        answer = json.dumps({"choices": [{"finish_reason": "stop", "message": message}],
                             "usage": {"prompt_tokens": 100, "completion_tokens": 10}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
print(server.server_port, flush=True)
server.serve_forever()
PY

end() {
    local name
    for name in "${!model_of[@]}"; do
        kill "${model_of[$name]}" 2>/dev/null
    done
    devices_end
}
trap end EXIT

# model DEVICE WHAT LABEL: gives it a model that talks of WHAT, and says how that relates to what is known.
model() {
    : >"$work/$1.asked"
    python3 "$work/model.py" "$2" "$3" "$work/$1.asked" >"$work/$1.port" 2>"$work/$1.model" &
    model_of[$1]=$!
    until_so 10 test -s "$work/$1.port"
    on "$1" config endpoint.url "http://127.0.0.1:$(cat "$work/$1.port")/v1"
    on "$1" config endpoint.model tiny
}

asked() { wc -l <"$work/$1.asked"; }

# thinking DEVICE KEY: of its status.
thinking() {
    quietly "$1" status --json | sed -n 's/.*"thinking":\({[^}]*}\).*/\1/p' |
        sed -n "s/.*\"$2\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

thinker_is() {
    local name
    for name in "${@:2}"; do
        [ "$(thinking "$name" device)" = "$1" ] || return 1
    done
}

number_is() { [ "$(thinking "$1" "$2")" = "$3" ]; }

# observe DEVICE SOURCE WHAT: eight records there.
observe() {
    local i
    for i in 1 2 3 4 5 6 7 8; do
        printf '{"time":"2026-11-20T10:%02d:00Z","source":"%s","text":"note %d of %s, %s"}\n' "$i" "$2" "$i" "$3" "$secret"
    done >"$work/$1.jsonl"
    on "$1" import jsonl "$work/$1.jsonl"
}

# nowhere DEVICE: the words of the phone are in no file of it.
nowhere() { ! grep -rqaF "$secret" "$work/$1"; }

sent_as() { quietly phone log --sent --json | grep -qF "\"purpose\":\"errand\",\"model\":\"\",\"host\":\"$1\"" && quietly phone log --sent --json | grep -qF "\"outcome\":\"$2\""; }

for name in desktop laptop phone; do # the first one is where the others meet
    make_device "$name"
    on "$name" config think.lease 10s
    on "$name" share '*' counts
    up "$name"
done
check "desktop and laptop are paired" join_up desktop laptop
check "desktop and phone are paired" join_up desktop phone
check "all are the same" until_so 30 same laptop desktop phone

# --- who thinks
check "nobody thinks without a model" thinker_is "" laptop desktop phone
on phone think
check "and a phone says so" eval '[ "$status" -ne 0 ] && grep -q "no language model" "$work/err"'
model laptop okapis identical
check "the device with a model thinks for all" until_so 30 thinker_is laptop laptop desktop phone
model desktop tapirs unrelated
on phone status
check "status says so" grep -q "laptop thinks for your devices" "$work/out"

# --- consent
observe phone notes okapis
check "nothing waits to travel without consent" number_is phone waiting 0
on phone think
check "and nothing is handed over" eval '[ "$status" -eq 0 ] && number_is phone handed 0'
on phone config think.share --add "notes anywhere"
check "another word is wrong usage" eval '[ "$status" -eq 2 ] && grep -q "local, remote" "$work/err"'
on phone config think.share --add "notes local"
observe phone diary okapis
observe phone notes zebras
on phone think
check "what may travel is thought about" until_so 30 knows phone "Is fond of okapis"
check "and all devices know" until_so 30 eval 'knows laptop "fond of okapis" && knows desktop "fond of okapis"'
check "nothing is under way then" until_so 30 number_is phone errands 0
check "only one device was asked" eval '[ "$(asked laptop)" -gt 0 ] && [ "$(asked desktop)" -eq 0 ]'
check "about what may travel alone" eval 'grep -q "zebras" "$work/laptop.asked" && ! grep -q diary "$work/laptop.asked"'
check "the log says what went where" sent_as laptop answered
id=$(id_on phone "Is fond of okapis")
on phone why "$id"
check "the phone knows what it rests on" grep -q zebras "$work/out"
check "all are the same again" until_so 30 same laptop desktop phone
check "the words are in no file of the laptop" until_so 30 nowhere laptop
check "nor of the desktop" until_so 30 nowhere desktop

# --- another takes over
down laptop
check "the other one takes over" until_so 40 thinker_is desktop desktop phone
check "without having been asked so far" test "$(asked desktop)" -eq 0
observe phone notes rivers
on phone think
check "and thinks about what comes then" until_so 30 knows phone "Is fond of tapirs"
check "and once" eval 'grep -q rivers "$work/desktop.asked" && ! grep -q rivers "$work/laptop.asked" && ! grep -q zebras "$work/desktop.asked"'
up laptop
# The lease is short: on a busy machine it may run out, and either has it then.
one_thinker() { thinker_is desktop laptop desktop phone || thinker_is laptop laptop desktop phone; }
check "who comes back knows of it, and all agree who thinks" until_so 60 eval 'knows laptop "fond of tapirs" && one_thinker'

# --- forgetting what it rested on
check "all are the same" until_so 30 same laptop desktop phone
on phone forget --source notes --force
check "what another device made of it goes, too" until_so 30 eval 'knows_not phone "fond of" && knows_not laptop "fond of" && knows_not desktop "fond of"'
finish
