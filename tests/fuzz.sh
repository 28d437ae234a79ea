#!/usr/bin/env bash
# Fuzzes for numbers: each target runs until it has had 10 000 000 executions or SECONDS (3600) of its own, whichever
# comes first, one after the other, the fast ones first. Also the target "fuzz_all".
#
#   fuzz.sh [SECONDS] [NAME...]    builds the preset "fuzz", runs all targets or those named
#   fuzz.sh --table                what all runs so far add up to
#
# Every run is a line in build-fuzz/fuzz-runs.tsv, so that what was interrupted goes on where it stopped, and what has
# its number is left out until the source of the target changes: name, sum of that source, executions, seconds, seconds
# of CPU, counters covered, how it ended (full, time, stopped, failed). Inputs that gave something new gather in
# build-fuzz/tests/found/NAME; one that failed is build-fuzz/failed-NAME-*, and the target waits for its mend.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
build=build-fuzz
runs=$build/fuzz-runs.tsv
executions_max=${EXECUTIONS:-10000000}
first_look=5
child=""
# Freed memory is watched for 8 MB long instead of 256, in the cache of the processor: a third faster.
export ASAN_OPTIONS=quarantine_size_mb=8:malloc_context_size=8:${ASAN_OPTIONS:-}

# sum NAME: of its source.
sum() {
    cksum <"tests/fuzz/$1_fuzz.c" | cut -d ' ' -f 1
}

# total NAME FIELD: over the runs of the source as it is, since it last failed.
total() {
    awk -F '\t' -v name="$1" -v sum="$(sum "$1")" -v field="$2" '
        $1 == name && $2 == sum { total = $7 == "failed" ? 0 : total + $field }
        END { printf "%d\n", total }' "$runs"
}

has_its_number() {
    [ "$(total "$1" 3)" -ge "$executions_max" ] || [ "$(total "$1" 4)" -ge "$seconds_max" ]
}

# Executions a second so far.
rate() {
    awk -v n="$(total "$1" 3)" -v s="$(total "$1" 4)" 'BEGIN { printf "%d\n", (s ? n / s : 0) }'
}

stat_of() {
    sed -n "s/^stat::$1: *//p" "$2" | tail -n 1
}

# How the run of a log ended, given its exit code.
ending() {
    if [ "$stopped" = yes ]; then
        echo stopped
    elif [ "$1" -ne 0 ]; then
        echo failed
    elif [ "$2" -ge "$3" ]; then
        echo full
    else
        echo time
    fi
}

# run NAME SECONDS: one run of at most that long, and its line.
run() {
    local name=$1 log=$build/fuzz-$1.log left rc start cpu executions
    left=$((executions_max - $(total "$name" 3)))
    start=$(date +%s.%N)
    mkdir -p "$build/tests/found/$name"
    (
        ulimit -c 0
        exec "$build/fuzzing/${name}_fuzz" -runs="$left" -max_total_time="$2" -print_final_stats=1 -timeout=30 \
            -verbosity=1 -artifact_prefix="$build/failed-$name-" "$build/tests/found/$name" \
            "tests/fuzz/corpus/$name"
    ) >"$log" 2>&1 &
    child=$!
    cpu=0
    while kill -0 "$child" 2>/dev/null; do
        cpu=$(cpu_seconds "$child" "$cpu")
        sleep 1
    done
    wait "$child"
    rc=$?
    child=""
    executions=$(stat_of number_of_executed_units "$log")
    printf '%s\t%s\t%d\t%.0f\t%d\t%d\t%s\n' "$name" "$(sum "$name")" "${executions:-0}" \
        "$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { print b - a }')" "$cpu" "$(covered "$log")" \
        "$(ending "$rc" "${executions:-0}" "$left")" >>"$runs"
    tail -n 1 "$runs"
    [ "$stopped" = no ] || exit 130
}

# cpu_seconds PID BEFORE: user and system time of a process so far; BEFORE when it is gone.
cpu_seconds() {
    awk -v tick="$(getconf CLK_TCK)" -v before="$2" '
        { sub(/^.*\) /, ""); total = int(($12 + $13) / tick) }
        END { print (total ? total : before) }' "/proc/$1/stat" 2>/dev/null || echo "$2"
}

covered() {
    sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$1" | tail -n 1 | grep . || echo 0
}

stopped=no
stop() {
    stopped=yes
    [ -z "$child" ] || kill -TERM "$child"
}
trap stop INT TERM HUP

table() {
    local name
    printf '%-16s %12s %8s %8s %8s %8s  %s\n' target executions seconds cpu exec/s covered 'last ended'
    for name in $(cut -f 1 "$runs" | sort -u); do
        [ -e "tests/fuzz/${name}_fuzz.c" ] || continue
        printf '%-16s %12d %8d %8d %8d %8d  %s\n' "$name" "$(total "$name" 3)" "$(total "$name" 4)" \
            "$(total "$name" 5)" "$(rate "$name")" \
            "$(awk -F '\t' -v name="$name" '$1 == name && $6 > most { most = $6 } END { print most + 0 }' "$runs")" \
            "$(awk -F '\t' -v name="$name" '$1 == name { last = $7 } END { print last }' "$runs")"
    done
}

build_programs() {
    cmake --preset fuzz >"$build/fuzz-configure.log" && cmake --build --preset fuzz --target fuzz >"$build/fuzz-build.log" ||
        { tail -n 30 "$build"/fuzz-configure.log "$build"/fuzz-build.log >&2; exit 1; }
    # Copies, so that building goes on beside a long run.
    mkdir -p "$build/fuzzing"
    cp "$build"/tests/*_fuzz "$build/fuzzing/"
}

mkdir -p "$build"
touch "$runs"
[ "${1:-}" != --table ] || { table; exit; }
seconds_max=3600
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    seconds_max=$1
    shift
fi
names=${*:-$(cd tests/fuzz && ls ./*_fuzz.c | sed 's/^..//;s/_fuzz\.c$//')}
build_programs
for name in $names; do
    [ "$(total "$name" 4)" -gt 0 ] || run "$name" "$first_look"
done
for name in $(for name in $names; do echo "$(rate "$name") $name"; done | sort -rn | cut -d ' ' -f 2); do
    has_its_number "$name" || run "$name" $((seconds_max - $(total "$name" 4)))
done
table
