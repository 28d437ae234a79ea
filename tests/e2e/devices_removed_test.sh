# What `devices` says and refuses; a device that was removed is told so by every command that would reach the others, and
# starts again as a new device without counting anything twice.
# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
for name in laptop desktop phone; do
    make_device $name
done
on phone import jsonl "$TEST_DATA/demo/notes.jsonl"
check "the phone has a history" status_is 0

# --- what is asked for exactly
on laptop devices rename nobody x
check "a device alone knows its own name" failed_with 5 "there is no device 'nobody'"
on laptop devices words extra
check "no words are shown when more was typed" failed_with 2 "takes no argument 'extra'"
on laptop devices rotate now
check "nor is a key changed" failed_with 2 "takes no argument 'now'"
on laptop devices --check
check "an option that does not belong is not ignored" failed_with 2 "--check does not go with"
on laptop devices words --check --revoke
check "nor are two at once" failed_with 2 "do not go together"
on laptop devices remove
check "what is missing is named" failed_with 2 "the device is missing"

for name in laptop desktop phone; do
    up $name
done
check "two devices are paired" join_up laptop desktop
check "and a third" join_up laptop phone
check "all are the same" until_so 20 same laptop desktop phone
on laptop devices rename desktop phone
check "no two devices of one name" failed_with 1 "another device is called 'phone'"
on laptop devices words
grep -oE '[0-9]+ [a-z]+' "$work/out" | sed 's/.* //' | tr '\n' ' ' >"$work/words"
SELFSAME_HOME=$work/laptop run_with "$work/words" devices words --check --json
check "words --check has a document" eval 'status_is 0 && has_keys ok && [ "$(value ok)" = true ]'
on laptop devices rotate
check "the list tells which key is in use, and who has not confirmed it" eval 'status_is 0 && said "key 2, in use since" && said "not confirmed yet by desktop, phone"'
confirmed() {
    on laptop devices
    said "key 2, in use since" && ! said "not confirmed"
}
on laptop tell "said under the new key" # what they acknowledge
check "until they have" until_so 60 confirmed

# --- removed
counted() { quietly laptop show --all --json | tr '{' '\n' | grep -F '"text":"Likes early jazz"' | grep -o '"evidence":[0-9]*'; }
check "what the phone has seen counts" test "$(counted)" = '"evidence":1'
on laptop devices remove phone --force
check "the phone is removed" eval 'status_is 0 && grep -q "phone *removed" "$work/out"'
told() {
    on phone devices
    said "this device; removed from the group"
}
check "it says so of itself" until_so 20 told
check "and what to do" said "selfsame init --renew"
on phone status --json
check "it waits for nobody" eval 'said "\"peers\":[]" && said "was removed from its group"'
for command in "devices words" "devices rotate" "devices rename phone x" "sync" "pair"; do
    # shellcheck disable=SC2086
    on phone $command
    check "there, '$command' says that it was removed" failed_with 7 "was removed from its group"
done
on phone tell "said after the removal"
on phone forget "$(id_on phone "said after the removal")" --force
check "who forgets there is told that the others do not hear of it" eval 'status_is 0 && said "the others are not told" && ! said "they erase it"'

# --- and again
down phone
on phone init --renew
check "it starts again as a new device" status_is 0
hub_before=$hub
hub=
up phone
hub=$hub_before
check "and is paired" join_up laptop phone
check "all are the same" until_so 20 same laptop phone
check "what it had seen counts once" test "$(counted)" = '"evidence":1'
on phone import jsonl "$TEST_DATA/demo/notes.jsonl"
check "also when it reads it again" eval 'status_is 0 && [ "$(counted)" = "\"evidence\":1" ]'
finish
