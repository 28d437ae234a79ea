# Importing and telling: every sample twice, bad lines, standard input, Ctrl-C.
# shellcheck shell=bash disable=SC1091,SC2016
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"
data=$TEST_DATA/observe
run init --name laptop

# --- twice is once
while read -r source path; do
    run import "$source" "$data/$path" --json
    [ "$(value added)" -gt 0 ] 2>/dev/null
    check "$source reads $path" eval "[ $? -eq 0 ] && status_is 0"
    run import "$source" "$data/$path" --json
    check "and the second time adds nothing" eval 'status_is 0 && [ "$(value added)" = 0 ]'
done <<'SAMPLES'
bash shell/bash_history_0
bash shell/real_bash5.2_histtimeformat
zsh shell/real_zsh5.9_extended
zsh shell/zsh_history_metafied
fish shell/real_fish3.6_history
chromium browsers/chromium156_History.sqlite
chromium browserexport/brave.sqlite
firefox browsers/firefox-esr153_places.sqlite
ical icalendar/timezoned.ics
xbel xbel/recently-used.xbel
activitywatch activitywatch/aw-buckets-export.json
jsonl jsonl/restic_commits.jsonl
SAMPLES
run import jsonl - --json </dev/null
check "empty standard input is fine" status_is 0
run_with "$data/jsonl/restic_commits.jsonl" import jsonl - --json
check "from standard input the same events are known already" eval '[ "$(value read)" = 60 ] && [ "$(value added)" = 0 ]'
pushd "$data/jsonl" >/dev/null && run import jsonl ./restic_commits.jsonl --json; popd >/dev/null || exit
check "a relative path is the same file" [ "$(value read)" = 0 ]
git init -q "$work/repo" && git -C "$work/repo" -c user.name=A -c user.email=a@example.org commit -q --allow-empty -m "first step"
run import git "$work/repo" --json
check "git reads a repository" [ "$(value added)" = 1 ]

# --- bad records
cat >"$work/mixed.jsonl" <<'LINES'
{"time":"2026-02-01T10:00:00Z","source":"note","text":"a good one"}
{"time":"0000-02-01T10:00:00Z","source":"note","text":"year 0"}
{"time":"2026-02-01T10:00:01Z","source":7,"text":"a source that is none"}
{"source":"note","text":"no time"}
{"time":"2026-02-01T10:00:02Z","source":"note",
{"time":"2026-02-01T10:00:03Z","source":"note","text":"the last good one"}
LINES
run import jsonl "$work/mixed.jsonl"
check "bad records do not stop an import" eval 'status_is 0 && said "2 new" && said "4 bad"'
check "they are named with file, line and field" eval 'complained "mixed.jsonl:2: time: " && complained "mixed.jsonl:3: source: " && complained "mixed.jsonl:4: time: " && complained "mixed.jsonl:5: "'
run_with "$work/mixed.jsonl" import jsonl -
check "the same from standard input" eval 'complained "standard input:2: time: " && complained "standard input:5: "'
{
    printf '{"time":"2026-02-02T10:00:00Z","source":"note","text":"a\0b"}\n'
    printf '{"time":"2026-02-02T10:00:01Z","source":"note","text":"behind the NUL"}\n'
    printf '{"time":"2026-02-02T10:00:02Z","source":"note","text":"bad \377 byte"}\n'
} >"$work/nul.jsonl"
run_with "$work/nul.jsonl" import jsonl - --json
check "a NUL costs its line only" eval '[ "$(value bad)" = 1 ] && [ "$(value added)" = 2 ]'
printf 'no record\nneither\n' >"$work/nothing.jsonl"
run import jsonl "$work/nothing.jsonl"
check "nothing but bad records: it failed, and says so" eval 'status_is 1 && grep -q "all 2 records are bad" "$work/err"'
{
    head -c 10000000 /dev/zero | tr '\0' x
    printf '\n{"time":"2026-02-03T10:00:00Z","source":"note","text":"behind the long line"}\n'
} >"$work/long.jsonl"
run_with "$work/long.jsonl" import jsonl - --json
check "a line of 10 MB costs itself only, from standard input" eval '[ "$(value bad)" = 1 ] && [ "$(value added)" = 1 ] && [ "$(value line)" = 1 ]'
run import jsonl "$work/long.jsonl" --json
check "and from a file" eval '[ "$(value bad)" = 1 ] && [ "$(value known)" = 1 ]'
head -c 100000 /dev/urandom >"$work/garbage"
for source in bash zsh fish jsonl ical xbel activitywatch chromium firefox atuin; do
    run import $source "$work/garbage"
    check "$source survives binary garbage" [ "$status" -lt 2 ]
done
run doctor
check "and the store is whole" status_is 0

# --- telling from a file
cat >"$work/about.txt" <<'LINES'
# about me
has two cats

{"text":"prefers trains to planes","confidence":8,"decay":9,"scope":"travel","pinned":true}
{"text":"x","confidence":11}
{"text":
{"confidence":5}
plays the cello
LINES
run tell --file "$work/about.txt"
check "tell --file keeps the good lines" eval 'status_is 0 && said "3 new" && said "3 bad"'
check "and names file, line and field of the others" eval 'complained "about.txt:5: confidence: " && complained "about.txt:6: " && complained "about.txt:7: text: "'
run show --json
check "with what they say" eval 'said "plays the cello" && said "has two cats" && [ "$(value scope)" = travel ]'
run_with "$work/about.txt" tell --file -
check "tell --file - reads standard input; twice is once" eval 'status_is 0 && said "0 new" && complained "standard input:5: confidence"'
printf 'a\0b\nlikes what comes behind a NUL\n' >"$work/nul.txt"
run_with "$work/nul.txt" tell --file - --json
check "a NUL costs its line only" eval '[ "$(value bad)" = 1 ] && [ "$(value added)" = 1 ]'
run tell --file "$work/none"
check "a file that is not there: status 5" failed_with 5 "none"

# --- Ctrl-C
lines_make() {
    awk 'BEGIN { for (i = 0; i < 200000; i++)
        printf "{\"time\":\"2025-%02d-%02dT%02d:%02d:%02dZ\",\"source\":\"note\",\"text\":\"number %d\"}\n",
            i / 28 / 1000 % 12 + 1, i / 1000 % 28 + 1, i / 60 / 60 % 24, i / 60 % 60, i % 60, i }'
}
lines_make >"$work/big.jsonl"
before=$(observations)
"$SELFSAME" import jsonl "$work/big.jsonl" >"$work/out" 2>"$work/err" </dev/null &
job=$!
# A job in the background of a script ignores SIGINT; SIGTERM takes the same way.
more() { [ "$(observations)" -gt "$before" ]; }
check "what an import has read so far can be seen while it runs" wait_for 20 more
kill -TERM $job 2>/dev/null
wait $job
status=$?
check "interrupted: status 130, and says what is kept" eval '[ "$status" -eq 130 ] && complained "what was read is kept"'
run doctor
check "the store is whole" status_is 0
run import jsonl "$work/big.jsonl" --json
check "run again, it goes on" eval 'status_is 0 && [ "$(value done)" = true ]'
check "and nothing is missing or double" [ "$(observations)" -eq $((before + 200000)) ]
finish
