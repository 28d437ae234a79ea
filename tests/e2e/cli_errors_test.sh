# What goes wrong: exit statuses, hints, and that nothing is lost.
# shellcheck shell=bash disable=SC1091,SC2016
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"

run status
check "no device: status 5 and how to make one" failed_with 5 "hint: make one with: selfsame init"
run show --json
check "errors are documents with --json" eval 'status_is 5 && silent && grep -q "^{\"schema\":1,\"error\":{\"code\":\"ERR_NOTFOUND\",\"text\":.*,\"hint\":.*}}$" "$work/err"'
run init --name laptop
check "init" status_is 0
for text in "drinks tea" "drinks coffee" "drinks water" "drinks juice" "drinks milk" "eats rice" "eats bread" "eats figs"; do
    run tell "$text"
done

# --- usage
run shwo
check "unknown command: status 2 and the nearest" failed_with 2 "did you mean: selfsame show"
run show --sope work
check "unknown option: status 2 and the nearest" failed_with 2 "did you mean: --scope"
run show --max many
check "a number that is none" failed_with 2 "--max is a number"
run why
check "a missing argument" failed_with 2 "'why' needs ID"
run forget --force
check "forget needs to know what" failed_with 2 "either an ID or --source"
run tell
check "tell needs a text" failed_with 2 "needs TEXT"
run tell ""
check "an empty text is refused" eval '[ "$status" -ne 0 ] && silent'
run pause sometimes
check "a duration that is none" failed_with 2 "not a duration"
run show --at yesterday
check "a time that is none" failed_with 2 "not a time"
run config no.such.key
check "unknown setting" failed_with 5 "no setting"
run config audit.email maybe
check "a wrong value is refused" eval '[ "$status" -ne 0 ] && complained "on or off"'
run config audit.rules --add "drop nonsense"
check "a rule that does not parse is refused" eval '[ "$status" -ne 0 ] && silent'
run import nosuch "$work/x"
check "unknown source" failed_with 2 "unknown source"
run import bash "$work/no such file"
check "a file that is not there: status 5" failed_with 5 "no such file"
run import chromium "$here/cli_lib.sh"
check "a file of another kind" eval '[ "$status" -eq 1 ] && silent'
run import bash
check "no history in the usual places: status 5 and how to name it" failed_with 5 "selfsame import bash PATH"

# --- ids
run why 0000000000
check "an unknown id: status 5" failed_with 5 "error:"
run why "$(printf 'no\033id')"
check "a text that is no id" eval '[ "$status" -ne 0 ] && silent && ! grep -q "$(printf "\033")" "$work/err"'
seq 40 | sed 's/^/likes the number /' >"$work/forty"
run tell --file "$work/forty"
run show --json
id=$(grep -o '"id":"[^"]*"' "$work/out" | sed 's/"id":"//; s/"//' | sort | awk 'substr($0, 1, 1) == last { print; exit } { last = substr($0, 1, 1) }')
prefix=$(grep -o "\"id\":\"$id\",\"prefix\":\"[^\"]*\"" "$work/out" | sed 's/.*:"//; s/"//')
run why "${id%"${id#?}"}"
check "an ambiguous prefix: status 2, and says so" eval 'status_is 2 && silent && complained "begins more than one id"'
run why "$prefix"
check "a unique prefix is enough" status_is 0
run why "$(printf '%s' "$prefix" | tr '[:lower:]' '[:upper:]')"
check "in upper case too" status_is 0

# --- the data folder
chmod 755 "$SELFSAME_HOME"
run show
check "a folder that others can enter is refused, with what mends it" eval '[ "$status" -eq 1 ] && silent && complained "chmod 700"'
chmod 700 "$SELFSAME_HOME"
chmod 644 "$SELFSAME_HOME/selfsame.db"
run show
check "a database that others can read is refused, with what mends it" eval '[ "$status" -eq 1 ] && silent && complained "chmod 600"'
chmod 600 "$SELFSAME_HOME/selfsame.db"
run show
check "mended, it works again" status_is 0

# --- somebody else is writing
if command -v flock >/dev/null; then
    exec 9>>"$SELFSAME_HOME/lock"
    flock -n 9
    run tell "comes too early"
    check "a change while another process writes: status 4, after a wait" failed_with 4 "another process is writing"
    run show
    check "reading goes on" status_is 0
    exec 9>&-
fi

# --- the database
cp "$SELFSAME_HOME/selfsame.db" "$work/good.db"
printf '\177\377\377\377' | dd of="$SELFSAME_HOME/selfsame.db" bs=1 seek=60 conv=notrunc 2>/dev/null
run show
check "a database of a newer version is refused" eval '[ "$status" -eq 1 ] && silent && complained "has schema" && complained "update this program"'
cp "$SELFSAME_HOME/selfsame.db" "$work/newer.db"
run tell something
check "and left as it is" cmp -s "$SELFSAME_HOME/selfsame.db" "$work/newer.db"
head -c 20000 /dev/urandom >"$SELFSAME_HOME/selfsame.db"
run show
check "binary garbage is no database" eval '[ "$status" -eq 1 ] && silent && complained "error:"'
head -c 30000 "$work/good.db" >"$SELFSAME_HOME/selfsame.db"
run show
truncated_show=$status
run doctor
check "a truncated database is noticed" eval '[ "$truncated_show" -ne 0 ] || [ "$status" -ne 0 ]'
check "without a crash" eval '[ "$truncated_show" -lt 128 ] && [ "$status" -lt 128 ]'
cat "$work/good.db" >"$SELFSAME_HOME/selfsame.db"
run export
check "the good database is good again" eval 'status_is 0 && said "drinks tea"'

# --- a database that was deleted
mv "$SELFSAME_HOME/selfsame.db" "$work/kept.db"
rm -f "$SELFSAME_HOME/selfsame.db-wal" "$SELFSAME_HOME/selfsame.db-shm"
run show
check "a deleted database: reading says so and starts none" eval '[ "$status" -ne 0 ] && complained "backup" && [ ! -e "$SELFSAME_HOME/selfsame.db" ]'
run tell "begins again"
check "a change starts an empty one, and says so" eval 'status_is 0 && complained "an empty one was started" && complained "from a backup"'
run tell "goes on"
check "once" eval 'status_is 0 && ! complained "an empty one was started"'
rm -f "$SELFSAME_HOME/selfsame.db-wal" "$SELFSAME_HOME/selfsame.db-shm"
mv "$work/kept.db" "$SELFSAME_HOME/selfsame.db"
run tell "is back"
check "put back, nothing is said" eval 'status_is 0 && ! complained "an empty one was started"'
run export
check "and what it held is there" said "drinks tea"

# --- full disks
if [ -w /dev/full ]; then
    "$SELFSAME" show --all >/dev/full 2>"$work/err"
    status=$?
    : >"$work/out"
    check "standard output on a full disk: status 1" failed_with 1 "cannot write the output"
fi
mkdir "$work/small"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=1m,mode=700 tmpfs "$work/small" 2>/dev/null; then
    run --home "$work/small" init --name tiny
    run --home "$work/small" tell this stays
    seq 1 20000 | sed 's/^/knows the number /' >"$work/many"
    run --home "$work/small" tell --file "$work/many"
    check "a full disk: status 1, and says so" eval '[ "$status" -eq 1 ] && complained "space"'
    run --home "$work/small" show --json
    check "what was told before stays" eval 'status_is 0 && said "this stays"'
    umount "$work/small"
else
    skip "a full disk (needs the right to mount a small tmpfs)"
fi

# --- readers that go away
"$SELFSAME" show --all --color always 2>"$work/err" | head -n 1 >/dev/null
check "a reader that goes away is not worth a word" [ ! -s "$work/err" ]
finish
