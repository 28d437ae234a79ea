# Two machines on a network of their own, seen from outside: what a port scan gets, ten thousand strangers, a captured
# wire, a link that is cut, a peer that stands still, a disk that is full.
#     STRANGERS=10000 bash tests/e2e/blackbox_test.sh     (with $SELFSAME and $SELFSAMED)
# shellcheck shell=bash disable=SC1091,SC2016,SC2034,SC2086,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"
self=${BASH_SOURCE[0]}
strangers=${STRANGERS:-2000}

# Inside: as root of name spaces of its own, for the network and for mounts.
if [ "${1:-}" != inside ]; then
    if command -v ip >/dev/null && command -v python3 >/dev/null &&
        unshare -rnm sh -c 'ip link add v0 type veth peer name v1 && mount -t tmpfs none /mnt' 2>/dev/null; then
        unshare -rnm bash "$self" inside
        exit
    fi
    skip "no name spaces here"
    finish
fi

unshare -n sleep 600 >/dev/null 2>&1 &
space=$!
declare -A pid=()
capture=
end_all() {
    kill -CONT "${pid[@]}" 2>/dev/null
    kill -KILL "$space" $capture "${pid[@]}" 2>/dev/null
    umount "$work/small" 2>/dev/null
    cleanup
}
trap end_all EXIT

# there COMMAND...: on the other machine.
there() { nsenter -t "$space" -n "$@"; }
space_is_other() { [ "$(readlink "/proc/$space/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
home_of() { if [ "$1" = small ]; then echo "$work/small/home"; else echo "$work/$1"; fi; }
is_listening() { grep -q '^listening on ' "$work/$1.out"; }
say() { SELFSAME_HOME=$(home_of "$1") run "${@:2}"; }
knows() { SELFSAME_HOME=$(home_of "$1") "$SELFSAME" query "$2" 2>/dev/null </dev/null | grep -qF -- "$2"; }
digest() { SELFSAME_HOME=$(home_of "$1") "$SELFSAME" status --json 2>/dev/null | grep -o '"digest":"[^"]*"'; }
not() { ! "$@"; }
same() { [ -n "$(digest "$1")" ] && [ "$(digest "$1")" = "$(digest "$2")" ]; }
has_code() { grep -q '"code":"[0-9]' "$work/code"; }
peak_kb() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pid[$1]}/status"; }

# up NAME [nsenter...]: starts a node, everything before its name is how.
up() {
    : >"$work/$1.out"
    local peer=(--peer 10.21.7.1:7001)
    [ "$1" != a ] || peer=()
    SELFSAME_HOME=$(home_of "$1") "${@:2}" "$SELFSAMED" --listen "$(listen_of "$1")" --no-discovery "${peer[@]}" \
        >"$work/$1.out" 2>>"$work/$1.err" </dev/null &
    pid[$1]=$!
    wait_for 20 is_listening "$1"
}
listen_of() { case $1 in b) echo 10.21.7.2:7002 ;; a) echo 10.21.7.1:7001 ;; c) echo 10.21.7.1:7003 ;; *) echo 10.21.7.1:7004 ;; esac; }

# pair_to NAME [COMMAND...]: pairs it with a.
pair_to() {
    local host
    : >"$work/code"
    SELFSAME_HOME=$work/a "$SELFSAME" pair --json --yes >"$work/code" 2>&1 </dev/null &
    host=$!
    wait_for 10 has_code || return 1
    SELFSAME_HOME=$(home_of "$1") "${@:2}" "$SELFSAME" pair \
        "$(sed -n '1s/.*"code":"\([0-9-]*\)".*/\1/p' "$work/code")" --address 10.21.7.1:7001 --yes \
        >"$work/out" 2>"$work/err" </dev/null && wait "$host"
}

wait_for 5 space_is_other || { skip "no second name space"; finish; }
ip link set lo up
there ip link set lo up
ip link add v0 type veth peer name v1 netns "$space"
ip addr add 10.21.7.1/24 dev v0
there ip addr add 10.21.7.2/24 dev v1
ip link set v0 up
there ip link set v1 up
# By its own process id, so that it can be ended.
nsenter -t "$space" -n python3 -c '
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("v1", 0))
out = open(sys.argv[1], "wb", 0)
while True:
    try:
        out.write(s.recv(65536))
    except OSError:  # the link is down
        pass' "$work/wire" >/dev/null 2>&1 &
capture=$!

for name in a b c; do say $name init --name "machine-$name"; done
check "two nodes start" up a
check "on two machines" up b nsenter -t "$space" -n
check "they are paired" pair_to b nsenter -t "$space" -n

# --- a port scan's view
check "one port is open, and no other" [ "$(ss -Hltn | wc -l)" -eq 1 ]
cat >"$work/stranger.py" <<'PY'
import os, socket, sys, time
def talk(data, wait):
    s = socket.create_connection(("10.21.7.1", 7001), 5)
    s.settimeout(wait)
    got = b""
    try:
        s.sendall(data)
        while len(got) < 4096:
            piece = s.recv(4096)
            if not piece: break
            got += piece
    except OSError:
        pass
    s.close()
    return got
hello = bytes.fromhex("160301002e0100002a0303") + bytes(40)
probes = [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", hello, b"\0SP\0\0\x10\0\0", bytes(range(256)) * 16]
if sys.argv[1] == "scan":
    got = [talk(p, 2) for p in probes]
    # What the transport itself says to any caller, before it knows whom it talks to, names nobody.
    sys.exit(0 if all(len(g) <= 8 and g == got[0][:len(g)] for g in got) else print(got) or 1)
held, end, made = [], time.monotonic() + float(sys.argv[3]), 0
for i in range(int(sys.argv[2])):
    if time.monotonic() > end:
        break
    made += 1
    try:
        s = socket.create_connection(("10.21.7.1", 7001), 2)
        s.sendall(os.urandom(64 + i % 200))
        held.append(s)
    except OSError:
        pass
    if len(held) > 200:
        held.pop(0).close()
print("     ", made, "strangers called")
PY
check "a stranger learns no more than that something is there" there python3 "$work/stranger.py" scan

# --- strangers, while members meet
there python3 "$work/stranger.py" flood "$strangers" $((20 + strangers / 40)) &
flood=$!
lost=0
for i in 1 2 3 4 5 6; do
    say a tell "told amid strangers, number $i"
    wait_for 20 knows b "told amid strangers, number $i" || lost=$((lost + 1))
done
check "what is told amid strangers arrives" [ "$lost" -eq 0 ]
wait "$flood"
check "and both hold the same model" wait_for 20 same a b

# --- the link
ip link set v0 down
say a tell "told while the link was cut, here"
SELFSAME_HOME=$work/b there "$SELFSAME" tell "told while the link was cut, there" >/dev/null
check "what is told while the link is cut stays where it is" not knows a "told while the link was cut, there"
ip link set v0 up
check "a link that heals brings both together" wait_for 60 same a b
check "with what was told here" knows b "told while the link was cut, here"
check "and there" knows a "told while the link was cut, there"

# --- a peer that stands still
check "a third device on this machine" up c
check "is paired" pair_to c
check "and holds the same" wait_for 30 same a c
kill -STOP "${pid[b]}"
before=$(peak_kb a)
awk 'BEGIN { for (i = 0; i < 20000; i++)
    printf "keeps bead %d of %d in jar %d because of its colour and its weight\n", i, i * 7919 % 20011, i % 83 }' >"$work/beads"
say a tell --file "$work/beads"
check "a peer that stands still keeps nobody from writing" status_is 0
check "nor the other device from hearing of it" wait_for 60 same a c
grown=$(($(peak_kb a) - before))
echo "      the writer grew by $grown KB"
if grep -q __asan_init "$SELFSAMED"; then
    skip "memory of a sanitized node says nothing"
else
    check "nor does it fill the writer's memory" [ "$grown" -lt 40000 ]
fi
kill -CONT "${pid[b]}"
check "when it goes on it catches up" wait_for 90 same a b

# --- a disk that is full
mkdir "$work/small"
mount -t tmpfs -o size=90m,mode=0700 none "$work/small"
say small init --name machine-small
check "a device on a small disk" status_is 0
say small tell "was there before the disk was full"
fill() { dd if=/dev/zero bs=4k 2>/dev/null >>"$work/small/ballast"; }
fill
say small tell --file "$work/beads"
check "a full disk is said to be full, and what to do" failed_with 1 "free some space"
check "what was there is there" knows small "was there before the disk was full"
fill
SELFSAME_HOME=$work/small/home timeout 20 "$SELFSAMED" --listen 127.0.0.1:0 --no-discovery >"$work/out" 2>"$work/err"
status=$?
check "its node says so, and what to do" complained "free some space"
rm "$work/small/ballast"
say small tell "was told when there was room again"
check "with room again it goes on" status_is 0
check "and is whole" say small doctor
check "its node starts" up small
check "it is paired" pair_to small
check "and holds the same" wait_for 60 same a small
kill -TERM "${pid[small]}"
wait "${pid[small]}"
check "it ends in order" [ $? -eq 0 ]
unset "pid[small]"

# --- the wire
kill -TERM $capture
capture=
check "something was captured" [ "$(stat -c %s "$work/wire")" -gt 100000 ]
for secret in "told amid strangers" "told while the link" "keeps bead" machine-a machine-b; do
    check "the wire does not show '$secret'" sh -c '! LC_ALL=C grep -qaF -- "$1" "$2"' sh "$secret" "$work/wire"
done
for name in a b c; do
    kill -TERM "${pid[$name]}"
    wait "${pid[$name]}"
    check "ends in order: $name" [ $? -eq 0 ]
    check "is whole: $name" env SELFSAME_HOME="$work/$name" "$SELFSAME" doctor >/dev/null
done
finish
