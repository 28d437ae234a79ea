# A device whose whole folder is lost is made anew from the recovery words alone; words that are wrong, revoked,
# replaced or used let nobody in.
# shellcheck shell=bash disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
for name in laptop desktop phone; do
    make_device $name
    up $name
done
on laptop tell "said before there were words"
check "two devices are paired" join_up laptop desktop
check "and a third" join_up laptop phone
address=$(address_of desktop)

# new_words DEVICE FILE: makes words there, types them back.
new_words() {
    on "$1" devices words
    grep -oE '[0-9]+ [a-z]+' "$work/out" | sed 's/.* //' | tr '\n' ' ' >"$2"
    SELFSAME_HOME=$work/$1 run_with "$2" devices words --check
    [ "$status" -eq 0 ] && [ "$(wc -w <"$2")" -eq 24 ]
}
# recover DEVICE FILE
recover() {
    SELFSAME_HOME=$work/$1 run_with "$2" recover --address "$address"
}
words_known() {
    quietly "$1" devices --json | tr '{' '\n' | grep '"words":true' | grep -c '"state":"active"' | grep -qx "$2"
}
check "words are made and typed back" new_words laptop "$work/first"
check "every device knows of them" until_so 20 words_known desktop 1
check "new words are made on another device" new_words desktop "$work/second"
check "and replace the first ones everywhere" until_so 20 words_known laptop 1
check "words are no device that somebody waits for" eval '! quietly phone status --json | grep -q "recovery words"'
on phone tell "said on the phone"
check "all three are the same" until_so 20 same laptop desktop phone
before=$(digest_of desktop)

# --- all of the phone is lost
down phone
rm -rf "$work/phone"
make_device phone
on phone tell "said on the new phone"
SELFSAME_HOME=$work/phone run_with "$work/second" recover
check "without a node it says to start it" eval '[ "$status" -eq 3 ] && grep -q selfsamed "$work/err"'
hub_before=$hub
hub=
up phone
hub=$hub_before

printf 'abandon ability able about above absent absorb abstract absurd abuse access accident account accuse achieve acid acoustic acquire across act action actor actress actual\n' >"$work/nonsense"
recover phone "$work/nonsense"
check "words that do not belong together are wrong usage" eval '[ "$status" -eq 2 ] && grep -qi "word" "$work/err"'
printf 'legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title\n' >"$work/foreign"
recover phone "$work/foreign"
check "words of nobody are refused" eval '[ "$status" -eq 6 ] && grep -q "does not know these" "$work/err"'
recover phone "$work/first"
check "words that were replaced say so" eval '[ "$status" -ne 0 ] && grep -q "no longer count" "$work/err"'
check "the device is as it was" eval '[ "$(quietly phone devices --json | grep -o "\"name\"" | wc -l)" -eq 1 ]'
SELFSAME_HOME=$work/phone run_with "$work/second" recover --address 127.0.0.1:1
check "nobody there: it says what to do" eval '[ "$status" -eq 5 ] && complained "127.0.0.1:1: " && complained "selfsamed"'
recover phone "$work/second"
check "the words that count make the device anew" test "$status" -eq 0
cat "$work/out"
check "it says to write down new ones" grep -q 'devices words' "$work/out"
check "the whole model comes in" until_so 30 knows phone "said before there were words"
check "with what the lost device had said" knows phone "said on the phone"
check "and what it had of its own is kept" until_so 20 knows desktop "said on the new phone"
check "also for devices that were not asked" until_so 30 knows laptop "said on the new phone"
check "all are the same" until_so 30 same laptop desktop phone
check "the model grew by what was said" test "$(digest_of desktop)" != "$before"

# --- used words, revoked words
check "the used words are revoked" until_so 20 words_known laptop 0
make_device tablet
hub=
up tablet
hub=$hub_before
recover tablet "$work/second"
check "used words let nobody in again" eval '[ "$status" -ne 0 ] && grep -q "no longer count" "$work/err"'
check "the new device can make new ones" new_words phone "$work/third"
SELFSAME_HOME=$work/tablet run_with "$work/second" recover --address "$address" --json
check "recover --json fails with a document" eval '[ "$status" -ne 0 ] && silent && grep -q "^{\"schema\":1,\"error\":{\"code\":" "$work/err" && complained "no longer count"'
down tablet
rm -rf "$work/tablet"
make_device tablet
hub=
up tablet
hub=$hub_before
SELFSAME_HOME=$work/tablet run_with "$work/third" recover --address "$address" --json
check "recover --json answers with how it went, and nothing else" eval '[ "$status" -eq 0 ] && [ ! -s "$work/err" ] && has_keys phase words peer text hint && [ "$(value phase)" = "done" ] && [ "$(value words)" = true ]'
check "the words are in no answer" eval '! grep -qF "$(cut -d" " -f1-4 "$work/third")" "$work/out"'
check "and the model comes in" until_so 30 knows tablet "said before there were words"
on tablet devices remove tablet --force
check "a device can take itself out" status_is 0
make_device slate
hub=
up slate
hub=$hub_before
check "new words again" new_words phone "$work/third"
check "which the others know" until_so 20 words_known desktop 1
on laptop devices words --revoke
check "any device revokes them" test "$status" -eq 0
check "everywhere" until_so 20 words_known desktop 0
recover slate "$work/third"
check "revoked words let nobody in" eval '[ "$status" -ne 0 ] && grep -q "no longer count" "$work/err"'
check "words are in no file and no log" test -z "$(grep -rlF "$(cut -d' ' -f1-4 "$work/second")" "$work"/{laptop,desktop,phone,tablet} "$work"/*.err "$work"/*.log 2>/dev/null)"
revoked_opens_nothing() {
    printf 'correct horse battery\n' >"$work/passphrase"
    SELFSAME_HOME=$work/phone run_with "$work/passphrase" passphrase
    on phone lock
    SELFSAME_HOME=$work/phone run_with "$work/third" unlock --words
    [ "$status" -eq 4 ]
}
check "nor do they open the key file they were made for" revoked_opens_nothing
finish
