#!/usr/bin/env bash
# Deliberate bugs, each of which some test must find: tests/mutants/NAME.mutant says what is wrong (about), in which
# file, which line (find) becomes which (with), and who finds it (by): "sim FIRST COUNT", seeds of the simulator, or the
# name of a ctest test.
#
#   mutants.sh --check        only that every mutant still applies: its line is there exactly once
#   mutants.sh [NAME...]      copies the tree, and for each mutant: applies it, builds what finds it, runs that, and
#                             says found or missed; last the number of each. Fails when one was missed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
root=$PWD

# field NAME FIELD
field() {
    sed -n "s/^$2: //p" "$root/tests/mutants/$1.mutant"
}

# One line becomes another; the line must be there exactly once.
apply() {
    F=$(field "$1" find) W=$(field "$1" with) awk '
        $0 == ENVIRON["F"] { print ENVIRON["W"]; n++; next }
        { print }
        END { exit n != 1 }' "$2/$(field "$1" file)" >"$3"
}

names() {
    for file in "$root"/tests/mutants/*.mutant; do
        basename "$file" .mutant
    done
}

check() {
    local bad=0 name
    for name in $(names); do
        if [ -z "$(field "$name" about)" ] || [ -z "$(field "$name" by)" ] || ! apply "$name" "$root" /dev/null; then
            echo "mutant '$name' does not apply: is its line still in $(field "$name" file), once?"
            bad=1
        fi
    done
    echo "$(names | wc -l) mutants"
    return $bad
}

work=""
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

# The program of a test, and how it is run.
target() {
    case $1 in
    sim\ *) echo sim_replay ;;
    *) echo "${1//\//_}_test" ;;
    esac
}

run() {
    case $1 in
    sim\ *) read -r _ first count <<<"$1" && timeout 600 "$work/build/tests/sim_replay" "$first" "$count" ;;
    *) timeout 600 "$work/build/tests/$(target "$1")" ;;
    esac
}

# What is to find a mutant must not fail without it.
declare -A sound
is_sound() {
    if [ -z "${sound[$1]-}" ]; then
        ninja -C "$work/build" "$(target "$1")" >"$work/log" 2>&1 && run "$1" >"$work/log" 2>&1
        sound[$1]=$?
    fi
    [ "${sound[$1]}" -eq 0 ]
}

# try NAME: 0 found, 1 missed, 2 cannot be told.
try() {
    local file by
    file=$(field "$1" file)
    by=$(field "$1" by)
    is_sound "$by" || return 2
    cp "$work/tree/$file" "$work/kept"
    apply "$1" "$work/tree" "$work/changed" || return 2
    cp "$work/changed" "$work/tree/$file"
    ninja -C "$work/build" "$(target "$by")" >"$work/log" 2>&1
    local built=$? found=1
    if [ $built -eq 0 ]; then
        run "$by" >"$work/log" 2>&1 && found=0
    fi
    cp "$work/kept" "$work/tree/$file"
    [ $built -eq 0 ] || return 2
    [ $found -eq 1 ]
}

main() {
    local name found=0 missed=0 rc
    work=$(mktemp -d)
    mkdir "$work/tree"
    git ls-files -z | xargs -0 tar cf - | tar xf - -C "$work/tree"
    cmake -G Ninja -S "$work/tree" -B "$work/build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 -DSELFSAME_DOCS=OFF \
        >"$work/log" || { cat "$work/log"; exit 1; }
    for name in "$@"; do
        try "$name"
        rc=$?
        if [ $rc -eq 0 ]; then
            found=$((found + 1))
            printf 'found   %-22s by %-14s %s\n' "$name" "$(field "$name" by)" "$(field "$name" about)"
        else
            missed=$((missed + 1))
            printf 'MISSED  %-22s by %-14s %s\n' "$name" "$(field "$name" by)" "$(field "$name" about)"
            [ $rc -eq 1 ] || tail -n 20 "$work/log"
        fi
    done
    echo "$found found, $missed missed"
    [ $missed -eq 0 ]
}

if [ "${1-}" = --check ]; then
    check
elif [ $# -gt 0 ]; then
    main "$@"
else
    # shellcheck disable=SC2046
    main $(names)
fi
