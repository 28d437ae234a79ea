# Sudden death at random instants: of a command that imports, of a command that tells, of nodes that sync. Each time the
# folder opens whole, everything that was said to be done is there, and in the end nothing is doubled.
#     KILLS=1000 SEED=7 bash tests/e2e/kill_test.sh     (with $SELFSAME and $SELFSAMED) runs it for longer
# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
kills=${KILLS:-24}
RANDOM=${SEED:-1}
echo "seed ${SEED:-1}, $kills kills"

# moment MS_MAX: sleeps for a random time.
moment() {
    local ms=$((RANDOM % $1))
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
}

# history FILE LINES: a shell history over ten weeks.
history() {
    awk -v n="$2" 'BEGIN { split("git status,vim notes.txt,make check,rg selfsame src,ssh build", c, ",")
        for (i = 0; i < n; i++) printf "#%d\n%s %d\n", 1770000000 + i * 600, c[i % 5 + 1], i % 97 }' >"$1"
}

observations() { quietly "$1" status --json | sed -n 's/.*"observations":\([0-9]*\).*/\1/p'; }
texts() { quietly "$1" show --all --max 500 --json | tr '{' '\n' | sed -n 's/.*"text":"\([^"]*\)".*/\1/p' | sort; }
# again DEVICE: starts its node where it was before.
again() {
    local where
    where=$(address_of "$1")
    SELFSAME_HOME=$work/$1 "$SELFSAMED" --listen "$where" --no-discovery >"$work/$1.log" 2>>"$work/$1.err" </dev/null &
    pid_of[$1]=$!
    until_so 10 is_listening "$1"
}
whole() { on "$1" doctor && [ "$status" -eq 0 ]; }

# killed MS_MAX DEVICE ARGUMENTS...: starts selfsame there and kills it; 0 when it had ended by itself before, and well.
killed() {
    SELFSAME_HOME=$work/$2 "$SELFSAME" "${@:3}" >"$work/out" 2>"$work/err" </dev/null &
    local it=$!
    moment "$1"
    kill -KILL $it 2>/dev/null
    wait $it 2>/dev/null
}

# --- imports
history "$work/history" 6000
make_device still
on still import bash "$work/history"
check "an import that is left alone succeeds" status_is 0
make_device killed
done_before=0 broken_opens=0
for _ in $(seq $((kills / 3))); do
    killed 400 killed import bash "$work/history" && done_before=$((done_before + 1))
    whole killed || broken_opens=$((broken_opens + 1))
done
echo "      imports: $((kills / 3)) started, $done_before ended before the kill"
check "a folder opens whole after every killed import" [ "$broken_opens" -eq 0 ]
on killed import bash "$work/history"
check "the import that is let through succeeds" status_is 0
check "no record is lost or doubled" [ "$(observations killed)" = "$(observations still)" ]
# A claim may name its device.
texts still | sed 's/\bstill\b/killed/' | sort >"$work/texts.still"
texts killed >"$work/texts.killed"
check "the model is that of an undisturbed import" diff "$work/texts.still" "$work/texts.killed"

# --- telling
: >"$work/told"
broken_opens=0
for i in $(seq $((kills / 3))); do
    killed 100 killed tell "said number $i of the killed" && echo "said number $i of the killed" >>"$work/told"
    whole killed || broken_opens=$((broken_opens + 1))
done
echo "      commands: $((kills / 3)) started, $(wc -l <"$work/told") ended before the kill"
check "a folder opens whole after every killed command" [ "$broken_opens" -eq 0 ]
all_there() {
    texts "$1" >"$work/texts.$1"
    while read -r line; do
        [ "$(grep -cxF -- "$line" "$work/texts.$1")" -eq 1 ] || { echo "      $1 lacks: $line"; return 1; }
    done <"$work/told"
}
check "what was said to be told is there, once" all_there killed

# --- nodes
up killed
make_device other
up other
check "two devices are paired" join_up killed other
cutoff=$((kills - 2 * (kills / 3)))
nodes=(killed other)
for i in $(seq "$cutoff"); do
    victim=${nodes[RANDOM % 2]} writer=${nodes[RANDOM % 2]}
    { on "$writer" tell "round $i by $writer" && [ "$status" -eq 0 ] && echo "round $i by $writer" >>"$work/told"; } &
    teller=$!
    moment 120
    kill -KILL "${pid_of[$victim]}"
    wait "${pid_of[$victim]}" 2>/dev/null
    wait "$teller"
    again "$victim" || break
done
check "nodes start again after every kill" [ "${#pid_of[@]}" -eq 2 ]
check "they meet and hold the same model" until_so 60 same killed other
check "what was said to be told is on the one" all_there killed
check "and on the other" all_there other
for name in "${nodes[@]}"; do
    down "$name"
    check "the folder of $name is whole" whole "$name"
done
finish
