# Settings that concern other devices: what a source shares, discovery.
# shellcheck shell=bash disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
make_device laptop
make_device desktop
on laptop share
check "counts and times are the default" eval 'grep -q "^all others *counts" "$work/out"'
on desktop share bash text
check "a source is set" eval '[ "$status" -eq 0 ] && grep -q "^bash *text" "$work/out"'
on desktop share '*' nothing
check "and all others" grep -q '^all others *nothing' "$work/out"
on desktop share bash everything
check "another level is wrong usage" eval '[ "$status" -eq 2 ] && grep -q default "$work/err"'
on desktop share bash
check "no level is wrong usage" test "$status" -eq 2

level() {
    quietly "$1" share --json | tr '{' '\n' | sed -n "s/.*\"source\":\"$2\",\"level\":\"\([a-z]*\)\".*/\1/p"
}
others() {
    quietly "$1" share --json | sed -n 's/.*"others":"\([a-z]*\)".*/\1/p'
}
up laptop
up desktop
check "two devices are paired" join_up laptop desktop
check "and the same" until_so 20 same laptop desktop
check "joining keeps the joiner's levels" test "$(level desktop bash)/$(others desktop)" = text/nothing
check "and brings none of them to the other" test "$(level laptop bash)/$(others laptop)" = /counts
on laptop share '*' text
on laptop tell "said after sharing all"
check "something arrives" until_so 20 knows desktop "said after sharing all"
check "but no wider sharing" test "$(level desktop bash)/$(others desktop)" = text/nothing
on desktop share '*' default
check "back to the default" test "$(others desktop)" = counts

# --- evidence of two devices: content only where it is shared, and whose it is
for name in laptop desktop; do
    on $name import jsonl "$TEST_DATA/demo/notes.jsonl"
done
check "both have seen the same notes" until_so 20 same laptop desktop
names_its_device() {
    on "$1" why "$(id_on "$1" "Is vegetarian")"
    grep -q "+ 2026-05-12 06:10  $2 *note *groceries: I am vegetarian, so no chorizo" "$work/out"
}
check "why on the desktop quotes what the laptop shares, in full" until_so 20 names_its_device desktop laptop
check "and what is its own" names_its_device desktop desktop
check "the laptop sees what is its own" names_its_device laptop laptop
check "and not what the desktop keeps to itself" eval '! names_its_device laptop desktop'
check "but that it counts" grep -q "desktop *note *1 for" "$work/out"

# --- discovery
on desktop config discovery off
check "discovery is a setting" test "$status" -eq 0
SELFSAME_HOME=$work/tablet run init --name tablet
SELFSAME_HOME=$work/tablet run config discovery off
SELFSAME_HOME=$work/tablet "$SELFSAMED" --listen 127.0.0.1:0 >"$work/tablet.log" 2>"$work/tablet.err" </dev/null &
pid_of[tablet]=$!
check "a node starts with discovery off" until_so 10 is_listening tablet
check "it opens no socket for it" eval '! ls -l /proc/${pid_of[tablet]}/fd | grep -oE "socket:\[[0-9]+" | tr -dc "0-9\n" | grep -qwFf - <(awk "NR>1{print \$10}" /proc/net/udp /proc/net/udp6)'
on tablet pair 1234-5678
check "a code without an address says what to do" eval '[ "$status" -eq 5 ] && grep -q "discovery is off" "$work/err" && grep -q -- "--address" "$work/err"'
finish
