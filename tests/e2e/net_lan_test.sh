# Two machines on a network of their own (name spaces, where the system lets us make them): discovery over IPv6
# link-local addresses, then over IPv4 that comes up while the nodes run; no address is given anywhere.
# shellcheck shell=bash disable=SC1091,SC2016,SC2034,SC2086,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"
self=${BASH_SOURCE[0]}

# Inside: as root of a name space of its own.
if [ "${1:-}" != inside ]; then
    if command -v ip >/dev/null && unshare -rn ip link add v0 type veth peer name v1 2>/dev/null; then
        unshare -rn bash "$self" inside
        exit
    fi
    skip "no network name spaces here"
    finish
fi

unshare -n sleep 300 &
space=$!
node_a='' node_b=''
lan_end() {
    kill -KILL "$space" $node_a $node_b 2>/dev/null
    cleanup
}
trap lan_end EXIT

# there COMMAND...: on the other machine.
there() { nsenter -t "$space" -n "$@"; }
is_listening() { grep -q '^listening on ' "$work/$1.out"; }
devices_of() { SELFSAME_HOME=$work/$1 "$SELFSAME" devices 2>/dev/null </dev/null; }
met() { devices_of a | grep -q '^.* b .*equal' && devices_of b | grep -q '^.* a .*equal'; }
has_code() { grep -q '"code":"[0-9]' "$work/pair"; }
space_is_other() { [ "$(readlink "/proc/$space/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

up() {
    : >"$work/a.out" >"$work/b.out"
    SELFSAME_HOME=$work/a "$SELFSAMED" >"$work/a.out" 2>>"$work/a.err" </dev/null &
    node_a=$!
    SELFSAME_HOME=$work/b nsenter -t "$space" -n "$SELFSAMED" >"$work/b.out" 2>>"$work/b.err" </dev/null &
    node_b=$!
    wait_for 10 is_listening a && wait_for 10 is_listening b
}

down() {
    kill -TERM "$node_a" "$node_b"
    wait "$node_a" "$node_b" 2>/dev/null
    node_a='' node_b=''
}

wait_for 5 space_is_other || { skip "no second name space"; finish; }
for name in a b; do
    SELFSAME_HOME=$work/$name "$SELFSAME" init --name "$name" >/dev/null
done
ip link set lo up
there ip link set lo up
ip link add v0 type veth peer name v1 netns "$space"
ip link set v0 addrgenmode none
there ip link set v1 addrgenmode none
ip link set v0 up
there ip link set v1 up
ip -6 addr add fe80::a/64 dev v0 nodad
there ip -6 addr add fe80::b/64 dev v1 nodad

check "both nodes start and listen everywhere" up
check "on the usual port" grep -q ':21736$' "$work/a.out"
SELFSAME_HOME=$work/a "$SELFSAME" pair --json --yes >"$work/pair" 2>&1 </dev/null &
host=$!
check "a code is shown" wait_for 10 has_code
code=$(sed -n '1s/.*"code":"\([0-9-]*\)".*/\1/p' "$work/pair")
SELFSAME_HOME=$work/b there "$SELFSAME" pair "$code" --yes >"$work/out" 2>"$work/err" </dev/null
status=$?
check "the host is found over IPv6" status_is 0
check "and says so" wait "$host"
check "the devices meet over IPv6" wait_for 15 met
down

# What was remembered of addresses does not help any more: no IPv6, and the IPv4 ones are new.
ip -6 addr flush dev v0
there ip -6 addr flush dev v1
check "they start without any address" up
check "nobody is met" sh -c '! "$@" | grep -q equal' sh env SELFSAME_HOME="$work/a" "$SELFSAME" devices
ip addr add 10.21.7.1/24 broadcast + dev v0
there ip addr add 10.21.7.2/24 broadcast + dev v1
check "they meet at once when the network comes up" wait_for 10 met
down
for name in a b; do
    check "nothing was logged as an error: $name" sh -c '! grep -q " error " "$1"' sh "$work/$name.err"
done
finish
