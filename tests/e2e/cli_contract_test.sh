# The contract of the command line: members of every --json document, formats, ids, help.
# shellcheck shell=bash disable=SC1091,SC2016
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"

P=(id text confidence probability decay score origin pinned last_supported evidence devices prefix kind scope verdict edited created contradicting status)

run
check "without a device the next command is named" eval 'status_is 0 && said "selfsame init --name NAME"'
run init --name laptop --json
check "init answers with the status of the new device" eval 'status_is 0 && has_keys device digest && [ "$(value name)" = laptop ]'
check "the data folder is the user's alone" [ "$(stat -c %a "$SELFSAME_HOME")" = 700 ]
check "and so is every file in it" [ -z "$(find "$SELFSAME_HOME" -type f ! -perm 600)" ]
run init --name other
check "a second init is refused and changes nothing" failed_with 1 "already holds a device"

touch "$HOME/.bash_history"
run
check "without observations the histories found are named" eval 'status_is 0 && said "selfsame import bash" && said .bash_history'

run tell --json --confidence 9 --decay 7 --scope work --pin prefers plain-text mail
check "tell --json gives the proposition" has_keys proposition redacted existed "${P[@]}"
id=$(value id)
check "ids have 26 characters" [ ${#id} -eq 26 ]
run tell prefers plain-text mail
check "telling it again says that it is known" eval 'status_is 0 && complained "already known"'
run import jsonl "$TEST_DATA/observe/jsonl/restic_commits.jsonl" --json
check "import --json gives the counts" has_keys read added known dropped redacted skipped bad bad_records propositions path 'done'
check "import says what it read" [ "$(value added)" = 60 ]

run show --json --all
check "show --json has every member of a proposition" has_keys propositions older total "${P[@]}"
run show --json
check "show --json leads with the pinned one" [ "$(value id)" = "$id" ]
run query --json plain mail
check "query --json has every member of a proposition" has_keys query results "${P[@]}"
check "query --json repeats the query" [ "$(value query)" = "plain mail" ]
check "the best answer comes first" [ "$(value id)" = "$id" ]
run why --json "$id"
check "why --json has evidence, counts and history" has_keys proposition reasoning evidence evidence_total counts history
check "why --json names what was done when" has_keys time class device what value
run status --json
check "status --json has its members" has_keys device digest digest_words propositions shown observations ops sources \
    paused_until watching node running store path bytes peers attention
run log --json
check "log --json lists observations" has_keys observations time source
run log --audit --json
check "log --audit --json lists decisions" has_keys audit
run log --sent --json
check "log --sent --json lists what was sent" has_keys sent
run log --sent
check "log --sent says that there is nothing" eval 'status_is 0 && said "Nothing was sent"'
run log --sent --audit
check "log takes one of --sent and --audit" failed_with 2 "without each other"
run doctor --json
check "doctor --json lists checks" eval 'status_is 0 && has_keys checks ok name text'
run config --json
check "config --json lists settings" has_keys settings key value default about set changed
run import --list --json
check "import --list --json lists sources" has_keys sources name summary path_hint
run watch --json
check "watch --json lists watches" has_keys watching
run pause 1h --json
check "pause --json says until when" has_keys paused_until was_paused_until
run resume --json
check "resume ends it" eval 'has_keys paused_until && [ "$(value paused_until)" = null ]'
for verb in confirm reject pin; do
    run $verb "$id" --json
    check "$verb --json gives the proposition" has_keys proposition "${P[@]}"
    run $verb "$id" --undo --json
    check "$verb --undo takes it back" has_keys proposition
done
run edit "$id" --json prefers short plain-text mail
check "edit --json gives the proposition" eval 'has_keys proposition && [ "$(value text)" = "prefers short plain-text mail" ]'
run forget "$id" --dry-run --json
check "forget --dry-run --json names what would go" eval 'has_keys forgotten observations dry_run && [ "$(value text)" = "prefers short plain-text mail" ]'
run show --json
check "and forgets nothing" [ "$(value id)" = "$id" ]
run version --json
check "version --json" has_keys version
check "times are RFC 3339 UTC" eval 'run show --json --all; [ "$(value created)" != null ] && value created | grep -Eq "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$"'

run export
check "export writes one object a line" eval 'status_is 0 && [ "$(grep -vc "^{.*}$" "$work/out")" = 0 ] && said "\"counts\":"'
lines=$(wc -l <"$work/out")
run export --format json
check "export --format json is one document" has_keys propositions counts
check "with as many propositions" [ "$(grep -o '"prefix":' "$work/out" | wc -l)" = "$lines" ]
run export --format markdown
check "export --format markdown is one item each" [ "$(grep -c '^- ' "$work/out")" = "$lines" ]

run show --all
check "no colour when standard output is no terminal" eval '! grep -q "$(printf "\033")" "$work/out"'
run show --all --color always
check "colour when asked for" grep -q "$(printf '\033')" "$work/out"
LC_ALL=C run show --all
check "plain ASCII where the locale has no more" eval '! LC_ALL=C grep -q "[^ -~]" "$work/out"'
run tell "$(printf 'shows \033[2Jescapes \342\200\256 safely')"
run show
check "control characters are shown, not obeyed" eval 'said "\\x1B[2J" && said "\\u{202E}"'

for command in $("$SELFSAME" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    run "$command" -h
    check "$command -h explains it" eval "status_is 0 && said 'Usage: selfsame $command'"
done

# What messages tell people to type: "selfsame COMMAND [VERB] --OPTION", in any text of the source.
while read -r command option; do
    run "$command" -h
    check "a message names '$command $option', which there is" eval "status_is 0 && said ' $option'"
done < <(cd "$here/../.." && grep -rhoE "selfsame [a-z]+( [a-z]+)? --[a-z-]+" --include=*.c --include=*.h node cli sync store |
    sed -E 's/selfsame ([a-z]+).* (--[a-z-]+)/\1 \2/' | sort -u)

run help --json
check "help --json lists the commands" eval 'status_is 0 && has_keys commands name summary usage reads options && said "\"name\":\"pair\""'
run help pair --json
check "help COMMAND --json is of that one" eval 'status_is 0 && has_keys commands && said "\"stop\"" && ! said "\"name\":\"show\""'
run help --man
check "help --man is a manual page" eval 'status_is 0 && said ".TH SELFSAME 1"'
for shell in bash zsh fish; do
    run completion $shell
    check "completion $shell" eval 'status_is 0 && said selfsame'
done
"$SELFSAME" completion bash >"$work/completion"
check "completion for bash is bash" bash -n "$work/completion"
finish
