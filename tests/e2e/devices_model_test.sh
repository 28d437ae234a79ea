# Three devices become one group and hold one model: pairing by code, converging, editing apart, forgetting,
# removing.
# shellcheck shell=bash disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
for name in laptop desktop phone; do
    make_device $name
done
on laptop import jsonl "$TEST_DATA/observe/jsonl/restic_commits.jsonl"
on laptop tell "prefers plain-text mail"
on desktop tell "works in Lisbon"
on phone tell "drinks tea"
up laptop
up desktop
up phone

# --- pairing
check "a code pairs two devices" join_up laptop desktop
check "and a third" join_up laptop phone
check "all hold the same model" until_so 30 same laptop desktop phone
for name in laptop desktop phone; do
    for text in "prefers plain-text mail" "works in Lisbon" "drinks tea"; do
        check "$name knows: $text" knows $name "$text"
    done
done
on laptop devices --json
check "devices names all three" test "$(grep -o '"name":"[a-z]*"' "$work/out" | sort -u | wc -l)" -eq 3
both_equal() {
    [ "$(quietly laptop status --json | grep -o '"state":"equal"' | wc -l)" -eq 2 ]
}
check "status calls both others equal" until_so 20 both_equal

# --- live
on desktop tell "likes sailing"
check "what is told on one is known on the others at once" until_so 5 knows phone "likes sailing"

# --- conflict and resolution
id=$(id_on laptop "works in Lisbon")
down desktop
on laptop edit "$id" "works in Porto"
on desktop edit "$id" "works in Faro"
check "a device edits without its node" test "$status" -eq 0
up desktop
conflicting() {
    quietly "$1" conflicts --json | grep -q '"field":"text"'
}
calm() {
    ! conflicting "$1"
}
for name in laptop desktop phone; do
    check "$name shows the conflict" until_so 20 conflicting $name
done
on phone conflicts --json
check "both versions are named" eval 'grep -q Porto "$work/out" && grep -q Faro "$work/out"'
on phone resolve "$id" --take 2
check "one device resolves it" test "$status" -eq 0
for name in laptop desktop phone; do
    check "$name has no conflict any more" until_so 20 calm $name
done
check "and all are the same again" until_so 20 same laptop desktop phone

# --- forgetting
id=$(id_on phone "prefers plain-text mail")
on phone forget --force "$id" --json
check "forgetting says who has not confirmed" grep -q '"pending":' "$work/out"
for name in laptop desktop phone; do
    check "$name has forgotten" until_so 20 knows_not $name "plain-text mail"
done
id=$(id_on laptop "likes sailing")
down desktop
on laptop forget --force "$id"
check "to people too, by name" grep -q 'Not confirmed yet by .*desktop' "$work/out"
up desktop
check "who was away forgets when it is back" until_so 20 knows_not desktop "likes sailing"
check "and all are the same after that" until_so 20 same laptop desktop phone

# --- removing
on laptop devices remove --force phone
check "a device is removed" test "$status" -eq 0
removed_there() {
    attention_on phone | grep -q 'removed'
}
check "the phone says that it was removed" until_so 20 removed_there
on laptop tell "keeps bees"
on phone tell "said by a stranger"
check "the others go on together" until_so 20 knows desktop "keeps bees"
sleep 1
check "the phone learns nothing more" knows_not phone "keeps bees"
check "nothing comes from it any more" knows_not laptop "said by a stranger"
on laptop devices rotate
check "keys are changed by hand" test "$status" -eq 0
on laptop tell "after the rotation"
check "and the other reads what follows" until_so 20 knows desktop "after the rotation"
check "the rest are the same" until_so 20 same laptop desktop
for name in laptop desktop phone; do
    check "the node of $name ends cleanly" down $name
done
for name in laptop desktop phone; do
    on $name doctor
    check "doctor finds nothing on $name" test "$status" -eq 0
done
finish
