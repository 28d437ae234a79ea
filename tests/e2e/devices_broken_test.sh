# A pairing that breaks off, with real processes and a terminal: two who join at once, Ctrl-C, a closed window, kill -9 of
# the command and of either node, also at every single message of the handing over. Each time both sides say what
# happened, each device is whole (alone as it was, or a member), and pairing again ends with one model that has lost
# nothing and doubled nothing.
# shellcheck shell=bash disable=SC1091,SC2016,SC2034,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
cc -O2 -D_GNU_SOURCE -o "$work/tap" "$here/tap.c" || exit 1
tap_pid=
broken_end() {
    [ -z "$tap_pid" ] || kill -KILL "$tap_pid" 2>/dev/null
    devices_end
}
trap broken_end EXIT

# alone_up DEVICE: starts its node without peers that it would look for.
alone_up() {
    hub=none
    SELFSAME_HOME=$work/$1 "$SELFSAMED" --listen 127.0.0.1:0 --no-discovery >"$work/$1.log" 2>"$work/$1.err" </dev/null &
    pid_of[$1]=$!
    until_so 10 is_listening "$1"
}
murder() {
    kill -KILL "${pid_of[$1]}" && wait "${pid_of[$1]}" 2>/dev/null
    unset "pid_of[$1]"
}

# terminal NAME DEVICE ARGUMENTS...: runs selfsame there on a terminal of its own, in the background. What it prints goes
# to NAME.tty, what is sent to it comes from NAME.keys, its exit status to NAME.rc.
terminal() {
    rm -f "$work/$1".{tty,rc,keys}
    mkfifo "$work/$1.keys"
    # The shell in between notes the process id of what it becomes.
    (
        SELFSAME_HOME=$work/$2 NO_COLOR=1 TERM=xterm \
            script -qefc "echo \$\$ >$work/$1.pid; exec $SELFSAME ${*:3}" /dev/null <"$work/$1.keys" >"$work/$1.tty" 2>&1
        echo $? >"$work/$1.rc"
    ) &
    exec {keys[$1]}>"$work/$1.keys"
}
declare -A keys
type_in() { printf '%b' "$2" >&"${keys[$1]}"; }
shows() { grep -qF -- "$2" "$work/$1.tty"; }
ends_with() { until_so 20 test -s "$work/$1.rc" && [ "$(cat "$work/$1.rc")" -eq "$2" ]; }
code_in() { until_so 10 shows "$1" "Ctrl-C ends it" && code=$(grep -o '[0-9]\{4\}-[0-9]\{4\}' "$work/$1.tty" | head -n 1); }
asked() { until_so 10 shows "$1" "[y/N]"; }
said_in() { tr -d '\r' <"$work/$1.tty" | grep -q "$2"; }
# on_terminal: what broken() shows of it.
tty_check() {
    cp "$work/$2.tty" "$work/out" 2>/dev/null
    check "$1" "${@:3}"
}
free_to_pair() { quietly "$1" pair --stop --json | grep -q '"phase":"\(none\|failed\|done\)"'; }
members() { quietly "$1" devices --json | tr '{' '\n' | grep -c '"state":"active"'; }
alone() { [ "$(members "$1")" -eq 1 ]; }

for name in laptop desktop phone; do
    make_device $name
    on $name tell "said on the $name before"
    alone_up $name
done
address=$(address_of laptop)

# --- a person at a terminal
terminal host laptop pair
tty_check "a terminal shows the code, and a picture of it" host eval 'code_in host && shows host "▄▄▄▄▄"'
wrong=$(printf '%s' "$code" | tr '0123456789' '1234567890')
on desktop pair "$wrong" --address "$address" --yes
tty_check "who shows the code is told of a wrong one" host until_so 10 shows host "2 of 3 tries are left"
type_in host '\n' # pressed before anything is asked
terminal joiner desktop pair "$code" --address "$address"
tty_check "both are asked" joiner eval 'asked joiner && asked host'
on phone pair "$code" --address "$address" --yes
check "who comes meanwhile is told that this code is taken" eval 'status_is 5 && complained "shows no code now" && complained "one device in at a time"'
type_in joiner 'n\n'
tty_check "a no ends it" joiner ends_with joiner 130
tty_check "and the question on the other side" host eval 'ends_with host 130 && said_in host "user said no"'

terminal host laptop pair
code_in host
type_in host '\003'
tty_check "Ctrl-C ends a code" host eval 'ends_with host 130 && said_in host "nothing was changed"'
on desktop pair "$code" --address "$address" --yes
check "which counts no longer" eval 'status_is 5 && complained "shows no code now"'

terminal host laptop pair
code_in host
terminal joiner desktop pair "$code" --address "$address"
asked joiner && asked host
type_in joiner '\003'
tty_check "Ctrl-C at the question is no answer, it ends the pairing" joiner eval 'ends_with joiner 130 && said_in joiner "ended here"'
tty_check "the other side is told" host eval 'ends_with host 1 && said_in host "went away before both had said yes"'

terminal host laptop pair
code_in host
kill -HUP "$(cat "$work/host.pid")"
tty_check "a closed window ends the code" host ends_with host 130
terminal host laptop pair
check "a new one can be shown at once" code_in host
terminal joiner desktop pair "$code" --address "$address"
asked joiner && asked host
kill -KILL "$(cat "$work/joiner.pid")"
type_in host 'y\n'
tty_check "a killed command is noticed by its node, which tells the other side" host eval 'until_so 40 ends_with host 1 && said_in host "went away"'
check "and is free again" free_to_pair desktop
show_code laptop
kill -KILL "$pair_pid"
wait "$pair_pid" 2>/dev/null
on laptop pair
check "a code without a command is in the way" eval 'status_is 4 && complained "selfsame pair --stop"'
on laptop pair --stop
check "until it is stopped" eval 'status_is 0 && complained "nothing was changed"'
on laptop pair --stop
check "once" eval 'status_is 0 && complained "no pairing is under way"'
show_code laptop
kill -KILL "$pair_pid"
wait "$pair_pid" 2>/dev/null
code_gone() {
    on laptop pair "$code" --address 127.0.0.1:1
    [ "$status" -ne 4 ]
}
check "or ends by itself" until_so 40 code_gone
on laptop pair "$code" --address 127.0.0.1:1
check "nobody at an address: it names address and reason" eval 'status_is 5 && complained "127.0.0.1:1: " && complained "selfsamed"'
check "after all this every device is alone, as it was" eval 'alone laptop && alone desktop && alone phone'

# --- two joiners at once
show_code laptop
for name in desktop phone; do
    SELFSAME_HOME=$work/$name "$SELFSAME" pair "$code" --address "$address" --yes >"$work/$name.out" 2>&1 </dev/null &
    keys[$name]=$!
done
wait "${keys[desktop]}"
desktop_in=$?
wait "${keys[phone]}"
phone_in=$?
check "of two joiners one gets in" test "$((desktop_in == 0)) $((phone_in == 0))" != "0 0"
check "and one does not" test "$((desktop_in == 0)) $((phone_in == 0))" != "1 1"
second=phone first=desktop
[ "$desktop_in" -eq 0 ] || { second=desktop first=phone; }
cp "$work/$second.out" "$work/err"
check "which is told why" eval 'complained "shows no code now"'
check "and stays alone" alone $second
check "with a new code it gets in" join_up laptop $second
check "all know what each had said, once" until_so 20 same laptop desktop phone
each_once() {
    local name
    for name in laptop desktop phone; do
        [ "$(quietly "$1" show --all --json | grep -o "said on the $name before" | wc -l)" -eq 1 ] || return 1
    done
}
check "nothing doubled" eval 'each_once laptop && each_once desktop && each_once phone'

# --- either node is killed at every message of a pairing
for name in laptop desktop phone; do
    down $name
done

# The two whom it happens to are the same all the time while nothing has come of it.
fresh() {
    local name
    for name in host joiner; do
        rm -rf "${work:?}/$name"
        make_device $name
        on $name tell "said on the $name before"
        alone_up $name
    done
}
tap_up() {
    "$work/tap" "$(address_of host | sed 's/.*://')" "$work/wire" "$1" >"$work/tap.port" &
    tap_pid=$!
    until_so 10 test -s "$work/tap.port"
}
# wire_still: whether nothing has been said for a while; the sizes of what passed are compared.
wire_still() {
    local before
    before=$(stat -c %s "$work/wire")
    sleep 0.3
    [ "$(stat -c %s "$work/wire")" -eq "$before" ] && [ "$before" -gt 0 ]
}
# broken_at N VICTIM: pairs through a relay that stops after N messages, kills the victim's node there.
broken_at() {
    tap_up "$1"
    show_code host
    SELFSAME_HOME=$work/joiner "$SELFSAME" pair "$code" --address "127.0.0.1:$(cat "$work/tap.port")" --yes \
        >"$work/joiner.out" 2>&1 </dev/null &
    joiner_pid=$!
    until_so 20 wire_still
    murder "$2"
    kill -KILL "$tap_pid"
    wait "$tap_pid" 2>/dev/null
    tap_pid=
    wait "$joiner_pid"
    joiner_rc=$?
    # A host that has learnt nothing yet goes on showing its code.
    [ "$2" = host ] || on host pair --stop
    wait "$pair_pid"
    host_rc=$?
    alone_up "$2"
}
whole() {
    on "$1" doctor
    [ "$status" -eq 0 ]
}
# mended: pairs the two again, unless the joiner is a member already and they only need to meet.
mended() {
    if alone joiner; then
        join_up host joiner || return 1
    fi
    down joiner
    SELFSAME_HOME=$work/joiner "$SELFSAMED" --listen 127.0.0.1:0 --no-discovery --peer "$(address_of host)" \
        >"$work/joiner.log" 2>"$work/joiner.err" </dev/null &
    pid_of[joiner]=$!
    until_so 20 same host joiner && [ "$(members host)" -eq 2 ] && [ "$(members joiner)" -eq 2 ]
}
once_each() {
    local name
    for name in host joiner; do
        [ "$(quietly "$1" show --all --json | grep -o "said on the $name before" | wc -l)" -eq 1 ] || return 1
    done
}
# 5: both are asked; 7: both have said yes; then begin, next, records, next, end, done.
members_seen=0
for place in 5:host 6:joiner 8:host 9:joiner 10:host 12:joiner 13:host; do
    at=${place%:*} victim=${place#*:}
    fresh
    broken_at $at $victim
    survivor=$([ $victim = host ] && echo joiner || echo host)
    check "after $at messages, $victim killed: both are whole" eval 'whole host && whole joiner'
    alone joiner || members_seen=$((members_seen + 1))
    check "after $at messages, $victim killed: paired again they have one model" mended
    check "after $at messages, $victim killed: nothing lost, nothing doubled" eval 'once_each host && once_each joiner'
    down host
    down joiner
done
check "the last places were behind the end: the joiner was a member" test "$members_seen" -gt 0
finish
