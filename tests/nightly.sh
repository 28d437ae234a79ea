#!/usr/bin/env bash
# What takes too long for ./check: sanitizers and analysis, coverage, and the long runs of what it does briefly.
#
#   tests/nightly.sh [STEP...]     the named steps, or all of them; one line each, last "N steps passed, N failed"
#   tests/nightly.sh --list        the steps and what they do
#
# Nothing is installed: what is missing fails its step with what to type. The output of a step goes to
# build-nightly/STEP.log; its end is shown when it failed. What a tool reports and is none is listed with its reason in
# tests/analysis/. How long: JOBS (processors), SIM_COUNT (10000 seeds), KILLS (1000), FUZZ_SECONDS (60 a fuzzer).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. tests/setup.sh
unset CC CFLAGS CPPFLAGS LDFLAGS DESTDIR MAKEFLAGS
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
out=build-nightly
folders="base crypto store sync node cli"

steps=(
    "cppcheck       cppcheck over the product, warnings, performance and portability"
    "tidy           clang-tidy over the product, with .clang-tidy"
    "analyzer       gcc -fanalyzer over the product"
    "tsan           ThreadSanitizer: tests of node/, and of both programs"
    "valgrind       memcheck: unit tests of base/, crypto/, store/ and sync/"
    "constant_time  memcheck with poisoned secrets: no branch and no index depends on one"
    "coverage       lines of crypto/, store/ and sync/, branches of merge and codecs, with floors"
    "faults         every n of the fault loops"
    "mutants        deliberate bugs are found"
    "sim            ten thousand seeds of the simulator"
    "kill           a thousand sudden deaths"
    "fuzz           every fuzzer, a minute each"
)

# need COMMAND...: which package to install, when one is missing.
need() {
    local command missing=""
    for command in "$@"; do
        command -v "$command" >/dev/null || missing="$missing $command"
    done
    [ -z "$missing" ] && return 0
    echo "missing:$missing; as root run: sh tests/setup.sh nightly"
    return 1
}

# preset NAME [TARGET...]: configured and built.
preset() {
    local folder=build-$1
    [ "$1" = release ] && folder=build
    cmake --preset "$1" >/dev/null || return 1
    shift
    cmake --build "$folder" --parallel "$jobs" ${1:+--target "$@"}
}

sources() {
    # shellcheck disable=SC2086
    git ls-files $(printf '%s/*.c ' $folders)
}

# not_in LIST: of "file:line: …[check]" on stdin, those whose "file check" is not in the list; and lines of the list
# that fit none of them any more.
not_in() {
    awk -v list="$1" '
        BEGIN { while ((getline line < list) > 0) if (line != "" && line !~ /^#/) known[line] = 0 }
        {
            file = $1
            sub(/:.*/, "", file)
            check = $0
            sub(/.*\[/, "", check)
            sub(/\].*/, "", check)
            if ((file " " check) in known) { known[file " " check]++; next }
            print
            bad = 1
        }
        END {
            for (k in known) if (known[k] == 0) { print "listed in " list ", but not found any more: " k; bad = 1 }
            exit bad
        }'
}

step_cppcheck() {
    need cppcheck || return 1
    # shellcheck disable=SC2086
    cppcheck -q -j "$jobs" --std=c11 --platform=unix64 --enable=warning,performance,portability -I . -D_GNU_SOURCE \
        --suppressions-list=tests/analysis/cppcheck.txt --error-exitcode=1 $folders
}

step_tidy() {
    need clang-tidy-14 || return 1
    cmake --preset asan >/dev/null || return 1
    sources | xargs -P "$jobs" -n 4 clang-tidy-14 -p build-asan --quiet >"$out/tidy-all.log" 2>/dev/null
    # A finding in a header comes with every file that includes it; the paths below our own folder are the short ones.
    sed -n "s#^$PWD/##; s/,-warnings-as-errors\]/]/; / \(error\|warning\): .*\]$/p" "$out/tidy-all.log" | sort -u |
        not_in tests/analysis/tidy.txt
}

step_analyzer() {
    need gcc || return 1
    # Warnings are errors here, so that ninja comes back to a file that has one; every file is looked at.
    cmake -G Ninja -B build-analyzer -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc -DBUILD_TESTING=OFF \
        -DSELFSAME_DOCS=OFF -DCMAKE_C_FLAGS="-fanalyzer -fdiagnostics-plain-output" >/dev/null || return 1
    # shellcheck disable=SC2086
    ninja -C build-analyzer -j "$jobs" -k 0 $folders >"$out/analyzer-build.log" 2>&1
    analyzer_findings | not_in tests/analysis/analyzer.txt || return 1
    ! grep -E 'error:' "$out/analyzer-build.log" | grep -v 'Werror=analyzer-'
}

# "file: [-Werror=analyzer-…]" a line; what gcc reports of no line of its own belongs to the object that was compiled.
analyzer_findings() {
    awk -v root="$PWD/" '
        /^FAILED: / { file = $2; sub(/^CMakeFiles\/[a-z]*\.dir\//, "", file); sub(/\.o$/, "", file) }
        /error:.*Werror=analyzer/ {
            sub(/^.*\[-Werror=/, "[")
            print file ": " $0
        }' "$out/analyzer-build.log" | sort -u
}

step_tsan() {
    need clang-14 setarch || return 1
    preset tsan || return 1
    # Addresses that are spread too widely do not fit the shadow memory of clang 14.
    setarch -R ctest --test-dir build-tsan --output-on-failure --no-tests=error -R '^(base|node|e2e|cli|self)/'
}

step_valgrind() {
    need valgrind || return 1
    preset debug || return 1
    find build-debug/tests -maxdepth 1 -type f -executable | grep -E '/(base|crypto|store|sync)_[a-z0-9_]*_test$' | sort |
        GROUP_SEEDS=20 FRAMES_SEEDS=4 xargs -P "$jobs" -I '{}' sh -c '
            log='"$out"'/valgrind-$(basename {}).log
            valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
                --suppressions=tests/analysis/valgrind.supp {} >$log 2>&1 && echo "ok {}" && exit
            echo "FAILED {}"; grep -E "^==|FAILED" $log | head -n 40; exit 1'
}

step_constant_time() {
    need valgrind || return 1
    preset debug constant_time || return 1
    valgrind -q --suppressions=tests/analysis/constant_time.supp build-debug/tests/constant_time
}

step_coverage() {
    need gcov python3 || return 1
    preset coverage || return 1
    find build-coverage -name '*.gcda' -delete
    SIM_SEEDS=5 ctest --test-dir build-coverage --no-tests=error --parallel "$jobs" --timeout 1200 \
        -E '^(e2e|lint)/' --output-on-failure >"$out/coverage-tests.log" 2>&1 ||
        { tail -n 30 "$out/coverage-tests.log"; return 1; }
    python3 tests/coverage.py build-coverage
}

step_faults() {
    preset debug && cmake --build build-debug --target faults
}

step_mutants() {
    bash tests/mutants.sh
}

step_sim() {
    preset release sim_replay && ./build/tests/sim_replay 1 "${SIM_COUNT:-10000}"
}

step_kill() {
    preset release selfsame selfsamed || return 1
    SELFSAME=$PWD/build/selfsame SELFSAMED=$PWD/build/selfsamed TEST_DATA=$PWD/tests/data TEST_SOURCE=$PWD \
        KILLS=${KILLS:-1000} SEED=${SEED:-7} bash tests/e2e/kill_test.sh
}

step_fuzz() {
    need clang-14 || return 1
    preset fuzz fuzz || return 1
    local source name bad=0
    for source in tests/fuzz/*_fuzz.c; do
        name=$(basename "$source" _fuzz.c)
        mkdir -p "build-fuzz/tests/found/$name" "tests/fuzz/corpus/$name"
        ./build-fuzz/tests/"$name"_fuzz -max_total_time="${FUZZ_SECONDS:-60}" -print_final_stats=1 \
            "build-fuzz/tests/found/$name" "tests/fuzz/corpus/$name" || { echo "fuzzer '$name' failed"; bad=1; }
    done
    return $bad
}

passed=0
failed=0
finish() {
    echo "$passed steps passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
trap 'failed=$((failed + 1)); finish' INT TERM HUP

run_step() {
    local start=$SECONDS log=$out/$1.log
    if "step_$1" >"$log" 2>&1 </dev/null; then
        printf 'ok      %-16s %5d s   %s\n' "$1" $((SECONDS - start)) "$(tail -n 1 "$log" | cut -c 1-90)"
        passed=$((passed + 1))
        return
    fi
    printf 'FAILED  %-16s %5d s   %s\n' "$1" $((SECONDS - start)) "$log"
    tail -n 60 "$log"
    failed=$((failed + 1))
}

if [ "${1-}" = --list ]; then
    printf '%s\n' "${steps[@]}"
    exit
fi
mkdir -p "$out"
[ $# -gt 0 ] || set -- "${steps[@]%% *}"
for step in "$@"; do
    if [ "$(type -t "step_$step")" != function ]; then
        echo "no step '$step'; the steps are: ${steps[*]%% *}" >&2
        exit 2
    fi
done
for step in "$@"; do
    run_step "$step"
done
finish
