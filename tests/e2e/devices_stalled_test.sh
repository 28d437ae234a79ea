# A peer that stops reading: the others go on undisturbed, memory stays bounded, and it catches up when it is back.
# shellcheck shell=bash disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
LINES=2000
ROUNDS=3
for name in laptop desktop phone; do
    make_device $name
    up $name
done
check "two devices are paired" join_up laptop desktop
check "and a third" join_up laptop phone
check "all are the same" until_so 20 same laptop desktop phone
memory_kb() {
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${pid_of[$1]}/status"
}
# much ROUND: a file of things to tell, about a megabyte.
much() {
    awk -v r="$1" -v n=$LINES 'BEGIN { for (i = 0; i < n; i++) printf "round %d line %d %s\n", r, i, substr("'"$filler"'", 1, 300) }'
}
filler=$(printf 'a long sentence that takes up room in what waits for others %.0s' 1 2 3 4 5 6)
much 0 >"$work/much"
on laptop tell --file "$work/much"
check "a first round reaches everybody" until_so 60 same laptop desktop phone
first=$(memory_kb laptop)
first_desktop=$(memory_kb desktop) # which has no stalled peer, and merges as much
kill -STOP "${pid_of[phone]}"
for round in $(seq $ROUNDS); do
    much "$round" >"$work/much"
    on laptop tell --file "$work/much"
    check "round $round reaches the one that reads" until_so 60 same laptop desktop
done
last=$(memory_kb laptop)
more=$((last - first - ($(memory_kb desktop) - first_desktop)))
echo "$((ROUNDS * LINES)) changes that one peer does not take cost its sender $more KiB more than the other device"
if grep -q __asan_init "$SELFSAMED"; then
    skip "memory of a sanitized node says nothing"
else
    check "memory does not grow by what waits" test "$more" -lt 6144
fi
on laptop status
check "and status says who is behind" grep -q 'phone.*lacks' "$work/out"
kill -CONT "${pid_of[phone]}"
check "the one that had stopped catches up" until_so 90 same laptop desktop phone
finish
