# Pairing that goes wrong says what happened and what to do; locking; names; words.
# shellcheck shell=bash disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
for name in laptop desktop phone; do
    make_device $name
done
on laptop pair
check "without a node pairing says to start it" test "$status" -eq 3
up laptop
up desktop
up phone
address=$(address_of laptop)

on desktop pair 1234-5678 --address "$address" --yes
check "nobody shows a code" eval '[ "$status" -eq 5 ] && complained "shows no code now"'
on desktop pair 12 --address "$address" --yes
check "nonsense is wrong usage" test "$status" -eq 2
show_code laptop
wrong=$(printf '%s' "$code" | tr '0123456789' '1234567890')
for _ in 1 2 3; do
    on desktop pair "$wrong" --address "$address" --yes
    check "a wrong code is refused" test "$status" -eq 6
done
wait "$pair_pid"
check "after three tries the code is void" test "$?" -eq 6
on desktop pair "$code" --address "$address" --yes
check "also the right one" test "$status" -ne 0
check "a new code works" join_up laptop desktop
on desktop pair 1234-5678 --address "$address" --yes
check "who has other devices joins no second group" eval '[ "$status" -ne 0 ] && grep -q "already belongs" "$work/err"'

# --- names
on desktop devices rename desktop workstation
check "a device is renamed" test "$status" -eq 0
named() {
    quietly laptop devices --json | grep -q '"name":"workstation"'
}
check "everywhere" until_so 20 named

# --- history
on laptop tell "said before the phone came"
check "a device joins without history" join_up laptop phone --history none
on laptop tell "said after the phone came"
check "it reads what follows" until_so 20 knows phone "said after the phone came"
check "and not what was before" knows_not phone "said before the phone came"

# --- locking
printf 'correct horse battery\n' >"$work/passphrase"
SELFSAME_HOME=$work/laptop run_with "$work/passphrase" passphrase
check "a passphrase is set" test "$status" -eq 0
on laptop lock
check "the node is locked" test "$status" -eq 0
locked() {
    quietly laptop show >/dev/null
    [ $? -eq 4 ]
}
check "locked: exit status 4" until_so 5 locked
printf 'wrong horse battery\n' >"$work/wrong"
SELFSAME_HOME=$work/laptop run_with "$work/wrong" unlock
check "a wrong passphrase opens nothing" test "$status" -eq 4
SELFSAME_HOME=$work/laptop run_with "$work/passphrase" unlock
check "the right one does" test "$status" -eq 0
check "and all is there" knows laptop "said after the phone came"
on desktop tell "said while the laptop was back"
hub_again() {
    knows laptop "said while the laptop was back"
}
check "an unlocked node meets the others again" until_so 60 hub_again
check "the passphrase is in no file" test -z "$(grep -rlF 'correct horse' "$work/laptop" 2>/dev/null)"
finish
