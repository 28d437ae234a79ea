# Forgetting: the bytes leave every file, and what was forgotten does not come back.
# shellcheck shell=bash disable=SC1091,SC2016
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"
run init --name laptop

erased() { sed 's/.*"observations":\([0-9]*\).*/\1/' "$work/out"; }
in_files() { grep -rqaF -- "$1" "$SELFSAME_HOME"; }

# --- a told proposition
secret="collects zanzibar stamps in secret"
run tell "$secret" --json
id=$(value id)
check "what was told is in the data folder" in_files zanzibar
run forget "$id"
check "without a terminal forget needs --force" failed_with 2 "--force"
run forget "$id" --dry-run
check "--dry-run says what would go" eval 'status_is 0 && said zanzibar'
check "and erases nothing" in_files zanzibar
run forget "$id" --force
check "forget says that it is final" eval 'status_is 0 && said "final"'
check "the bytes are in no file of the data folder" eval '! in_files zanzibar'
run why "$id"
check "the id is gone for good: status 5" eval 'status_is 5 && silent'
run query zanzibar
check "no question finds it" eval '! said zanzibar'
run doctor
check "the logs still verify" status_is 0
run tell "$secret" --json
check "said again by hand it is a new proposition" eval 'status_is 0 && [ "$(value id)" != "$id" ]'
run forget "$(value id)" --force
check "and can be forgotten again" eval 'status_is 0 && ! in_files zanzibar'

# --- a learnt proposition, with what it rests on
awk 'BEGIN { for (d = 1; d <= 28; d++) for (h = 9; h < 12; h++)
    printf "{\"time\":\"2026-10-%02dT%02d:%02d:00Z\",\"source\":\"bash\",\"command\":\"xyzzytool build %d\"}\n", d, h, d, d
    for (d = 1; d <= 24; d++) for (h = 9; h < 12; h++)
    printf "{\"time\":\"2026-11-%02dT%02d:%02d:00Z\",\"source\":\"bash\",\"command\":\"xyzzytool build %d\"}\n", d, h, d, d }' \
    >"$work/tools.jsonl"
run import jsonl "$work/tools.jsonl"
run show --all --json
learnt=$(grep -o '{"id":"[^"]*","prefix":"[^"]*","text":"[^"]*xyzzytool[^"]*"' "$work/out" | head -n 1 | sed 's/{"id":"//; s/".*//')
if [ -n "$learnt" ]; then
    run why "$learnt" --json
    check "a learnt proposition names its evidence" said "xyzzytool build"
    run forget "$learnt" --keep-observations --dry-run --json
    check "--keep-observations would keep them" [ "$(erased)" = 0 ]
    run forget "$learnt" --force --json
    check "forgetting it erases observations" [ "$(erased)" -gt 0 ]
    before=$(observations)
    run import jsonl "$work/tools.jsonl" --json
    check "importing again does not bring them back" [ "$(observations)" = "$before" ]
    run show --all --json
    check "nor the proposition" eval '! said "\"id\":\"$learnt\""'
else
    skip "nothing was learnt of a tool that was used every day"
fi

# --- a source in a span of time
run import jsonl "$TEST_DATA/observe/jsonl/restic_commits.jsonl"
subject="Fix timestamps"
check "what was observed is in the data folder" in_files "$subject"
run forget --source git --dry-run
check "forget --source --dry-run says how many" eval 'status_is 0 && said "60 observations from git"'
run forget --source git --since 2018-09-01 --until 2018-10-01 --force --json
check "a span erases what lies in it" eval 'status_is 0 && [ "$(erased)" -gt 0 ] && [ "$(erased)" -lt 60 ]'
run forget --source git --force
check "the whole source" status_is 0
check "its bytes are in no file" eval '! in_files "$subject"'
run log --source git --json
check "its log is empty" said '"observations":[]'
run import jsonl "$TEST_DATA/observe/jsonl/restic_commits.jsonl" --json
check "importing again does not bring it back" [ "$(value added)" = 0 ]
run doctor
check "the store is whole" status_is 0
finish
