# Restored databases, copied folders, lost keys, with real files and processes.
# shellcheck shell=bash disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
make_device laptop
make_device desktop
on laptop tell "said at first"
up laptop
up desktop
check "two devices are paired" join_up laptop desktop
check "and the same" until_so 20 same laptop desktop

# --- an older backup of the whole folder
down desktop
cp -a "$work/desktop" "$work/backup"
up desktop
on desktop tell "said after the backup"
check "it reaches the other" until_so 20 knows laptop "said after the backup"
down desktop
rm -rf "$work/desktop"
cp -a "$work/backup" "$work/desktop"
up desktop
check "what was said after the backup comes back" until_so 20 knows desktop "said after the backup"
on desktop tell "said after the restore"
check "and what is said now arrives" until_so 20 knows laptop "said after the restore"
check "both are the same" until_so 20 same laptop desktop
restored_told() {
    attention_on desktop | grep -q 'new log'
}
check "status says what happened" restored_told

# --- an older backup that goes on before it meets anybody: two histories of one log
down desktop
cp -a "$work/desktop" "$work/backup2"
up desktop
on desktop tell "said in one history"
check "what is said in one history arrives" until_so 20 knows laptop "said in one history"
down desktop
rm -rf "$work/desktop"
cp -a "$work/backup2" "$work/desktop"
on desktop tell "said in the other history"
up desktop
check "what is said in the other arrives as well" until_so 20 knows laptop "said in the other history"
check "and the first comes back" until_so 20 knows desktop "said in one history"
parted_told() {
    attention_on desktop | grep -q 'both histories'
}
check "status says what happened" until_so 20 parted_told
on desktop tell "said after the two histories"
check "the device goes on" until_so 20 knows laptop "said after the two histories"
check "both are the same" until_so 20 same laptop desktop
not_diverged() {
    ! quietly "$1" status --json | grep -q '"state":"diverged"'
}
check "and no log is said to differ" eval 'not_diverged laptop && not_diverged desktop'
on laptop doctor
check "the logs verify" test "$status" -eq 0

# --- an older database alone
down desktop
cp "$work/backup/selfsame.db" "$work/desktop/selfsame.db"
rm -f "$work/desktop/selfsame.db-wal" "$work/desktop/selfsame.db-shm"
up desktop
check "an older database catches up" until_so 20 same laptop desktop
on desktop tell "said after the second restore"
check "and goes on" until_so 20 knows laptop "said after the second restore"
check "nothing was lost" knows laptop "said after the restore"

# --- a copy that runs beside the original
down desktop
cp -a "$work/desktop" "$work/copy"
up desktop
up copy
noticed() {
    attention_on "$1" | grep -q 'another machine uses the keys'
}
check "the device notices its copy" until_so 60 noticed desktop
check "and the copy the device" until_so 60 noticed copy
on desktop tell "said in spite of it"
check "both have stopped writing" test "$status" -eq 7
down desktop
down copy
on copy init --renew
check "the copy gets keys of its own" test "$status" -eq 0
up copy
up desktop
on desktop tell "said by the original"
check "the original goes on" until_so 20 knows laptop "said by the original"
check "the copy is paired as a device of its own" join_up laptop copy
check "and all are the same" until_so 20 same laptop desktop copy

# --- recovery words
on laptop devices words
words=$(grep -oE '[0-9]+ [a-z]+' "$work/out" | sed 's/.* //' | tr '\n' ' ')
check "24 words are shown" test "$(printf '%s' "$words" | wc -w)" -eq 24
printf '%s\n' "$words" >"$work/words"
SELFSAME_HOME=$work/laptop run_with "$work/words" devices words --check
check "typed back they count" test "$status" -eq 0
members() {
    quietly desktop devices --json | grep -q 'recovery words'
}
check "and every device knows of them" until_so 20 members
down copy
rm "$work/copy/keys"
SELFSAME_HOME=$work/copy run_with "$work/words" init --renew --words
check "they bring a device without keys back" test "$status" -eq 0
up copy
on copy tell "said after the recovery"
check "into its group" until_so 30 knows laptop "said after the recovery"
down copy

# --- a lost key file
down desktop
rm "$work/desktop/keys"
on desktop status
check "a lost key file needs attention" eval '[ "$status" -eq 7 ] && grep -q -- "--renew" "$work/err"'
on desktop init --renew
check "the device gets new keys" test "$status" -eq 0
check "and still holds its model" knows desktop "said at first"
up desktop
check "it is paired again" join_up laptop desktop
check "both are the same once more" until_so 20 same laptop desktop
finish
