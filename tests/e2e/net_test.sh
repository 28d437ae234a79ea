# Real nodes over the loopback interface: options, pairing by address and by discovery, live edits, sudden death,
# strangers, a node that is locked out of its port.
# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"
declare -A pid=()
node_names=(laptop desktop phone)

stop_all() {
    for name in "${!pid[@]}"; do kill -KILL "${pid[$name]}" 2>/dev/null; done
}
trap 'stop_all; cleanup' EXIT

# as NAME ARGUMENTS...: runs selfsame on a device.
as() {
    SELFSAME_HOME=$work/$1 "$SELFSAME" "${@:2}" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

is_listening() { grep -q '^listening on ' "$work/$1.out"; }

# start NAME OPTIONS...
start() {
    : >"$work/$1.out"
    SELFSAME_HOME=$work/$1 "$SELFSAMED" "${@:2}" >"$work/$1.out" 2>>"$work/$1.err" </dev/null &
    pid[$1]=$!
    wait_for 20 is_listening "$1"
}

# stop NAME: ends it in order; its status.
stop() {
    kill -TERM "${pid[$1]}" && wait "${pid[$1]}"
    local rc=$?
    unset "pid[$1]"
    return $rc
}

address() { sed -n 's/^listening on //p' "$work/$1.out"; }

knows() { SELFSAME_HOME=$work/$1 "$SELFSAME" show --all 2>/dev/null | grep -qF -- "$2"; }
connected() { SELFSAME_HOME=$work/$1 "$SELFSAME" devices 2>/dev/null | grep -F "$2" | grep -q 'equal\|behind\|ahead'; }
digest() { SELFSAME_HOME=$work/$1 "$SELFSAME" status --json | grep -o '"digest":"[^"]*"'; }
same_model() { [ -n "$(digest "$1")" ] && [ "$(digest "$1")" = "$(digest "$2")" ]; }

has_code() { grep -q '"code":"[0-9]' "$work/$1.pair"; }

# pair HOST JOINER OPTIONS...: with the options for the joiner.
pair() {
    local code host
    : >"$work/$1.pair"
    SELFSAME_HOME=$work/$1 "$SELFSAME" pair --json --yes >"$work/$1.pair" 2>&1 </dev/null &
    host=$!
    wait_for 10 has_code "$1" || return 1
    code=$(sed -n 's/.*"code":"\([0-9-]*\)".*/\1/p' "$work/$1.pair" | head -n 1)
    as "$2" pair "$code" --yes "${@:3}" || return 1
    wait "$host" && [ "$status" -eq 0 ]
}

for name in "${node_names[@]}"; do
    as "$name" init --name "$name"
    check "a device is made: $name" status_is 0
done

# --- options
SELFSAME_HOME=$work/laptop "$SELFSAMED" --listen nonsense >"$work/out" 2>"$work/err"
status=$?
check "an address that is none is wrong usage" failed_with 2 "'nonsense' is no address"
SELFSAME_HOME=$work/laptop "$SELFSAMED" --listen 127.0.0.1:0 --peer nonsense >"$work/out" 2>"$work/err"
status=$?
check "so is a peer" failed_with 2 "'nonsense' is no address"
SELFSAME_HOME=$work/laptop "$SELFSAMED" --frobnicate >"$work/out" 2>"$work/err"
status=$?
check "so is an unknown option" failed_with 2 "unknown argument '--frobnicate'"
check "the node says where it listens" start laptop --listen 127.0.0.1:0 --no-discovery
SELFSAME_HOME=$work/desktop "$SELFSAMED" --listen "$(address laptop)" >"$work/out" 2>"$work/err"
status=$?
check "a port that is taken is said, with what to do" failed_with 4 "choose another port"

# --- pairing by address
as laptop tell prefers plain-text mail
check "a second node starts" start desktop --listen '[::1]:0' --no-discovery
check "pairing by address" pair laptop desktop --address "$(address laptop)"
check "they meet without --peer or discovery" wait_for 20 knows desktop 'plain-text mail'
check "each says the other is equal" wait_for 10 connected laptop desktop

# --- live edits
as desktop tell works in Porto
check "what is told on one is known on the other" wait_for 5 knows laptop 'works in Porto'
check "both hold the same model" wait_for 5 same_model laptop desktop

# --- sudden death and return
where=$(address laptop)
kill -KILL "${pid[laptop]}"
wait "${pid[laptop]}" 2>/dev/null
as desktop tell written while the laptop was dead
check "the laptop starts again" start laptop --listen "$where" --no-discovery
check "and gets what it missed" wait_for 20 knows laptop 'written while the laptop was dead'
check "the desktop ends in order" stop desktop
as laptop tell written while the desktop was away
check "the desktop starts on another port" start desktop --listen 127.0.0.1:0 --no-discovery
check "it remembers where the laptop was" wait_for 20 knows desktop 'written while the desktop was away'

# --- strangers
stranger() {
    local host=${where%:*} port=${where##*:}
    # What comes back within a second, after garbage was sent.
    (exec 3<>"/dev/tcp/$host/$port" && printf '%b' "$1" >&3 && timeout 1 cat <&3) 2>/dev/null
}
silent_to() { [ -z "$(stranger "$1" | tr -d '\0')" ]; }
check "a web browser gets nothing" silent_to 'GET / HTTP/1.0\r\n\r\n'
check "a session without a knock gets nothing" silent_to '\000\041S0123456789abcdef0123456789abcdef'
check "a pairing without a code gets nothing" silent_to '\000\005Pabcd'
for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/${where%:*}/${where##*:}" && printf 'garbage' >&3) 2>/dev/null
done
as laptop tell told after three hundred strangers
check "members still hear from one another" wait_for 5 knows desktop 'three hundred strangers'

# --- a third device, by discovery on this machine
check "the laptop ends" stop laptop
check "the desktop ends" stop desktop
check "the laptop starts with discovery" start laptop --listen 127.0.0.1:0
check "the desktop, too" start desktop --listen 127.0.0.1:0
check "and the phone" start phone --listen 127.0.0.1:0
check "they find each other without an address" wait_for 20 connected laptop desktop
check "pairing by discovery" pair desktop phone
as phone tell carries a phone
check "what the phone brings reaches the laptop" wait_for 20 knows laptop 'carries a phone'
check "three hold the same model: laptop and phone" wait_for 20 same_model laptop phone
check "three hold the same model: desktop and phone" wait_for 20 same_model desktop phone
for name in "${node_names[@]}"; do
    check "ends in order: $name" stop "$name"
    check "nothing was logged as an error: $name" sh -c '! grep -q " error " "$1"' sh "$work/$name.err"
done
finish
