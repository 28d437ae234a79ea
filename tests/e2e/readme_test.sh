#!/bin/sh
# The README's tour is true: every "$ selfsame …" line of its console blocks is run, in order, in a fresh data
# folder, and what it prints is compared with the page. What differs from run to run is masked on both sides: ids, "… ago",
# times of this very run, digest words, sizes. Ids in commands are those that the page printed earlier: they are translated
# to the ids of this run by their place.
set -eu
: "${SELFSAME:?}"
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/selfsame-readme.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$SELFSAME" "$work/bin/selfsame"
PATH=$work/bin:$PATH
export PATH SELFSAME_HOME="$work/home" TZ=UTC LC_ALL=C.UTF-8
unset COLUMNS

# The console blocks of the tour, in a row.
awk '/^## /{ tour = /Five minutes/ } tour && /^```console$/{ on = 1; next } /^```$/{ on = 0 } on' "$root/README.md" >"$work/page"
grep -q '^\$ selfsame' "$work/page" || { echo "the README has no tour"; exit 1; }

# The short id that begins the rows of a listing, one a line; "-" where a line has none.
ids() {
    sed -E -e 's/^( +[0-9]+  )?[@◆○×~] +([0-9a-z]{7,12})  .*$/ID \2/' -e t -e 's/^device .* ([0-9a-z]{7,12})$/ID \1/' -e t -e 's/.*/-/'
}

mask() {
    sed -E -e 's/([@◆○×~] +)[0-9a-z]{7,12}  /\1IDENTIF  /' -e 's/^(device +[^ ]+ +)[0-9a-z]{7,12}$/\1IDENTIF/' \
        -e 's/[0-9]+ (min|h|d|mo|y) ago|just now/AGO/g' -e 's/ +AGO */ AGO /g' \
        -e 's/^(digest +).*/\1WORDS/' -e 's/[0-9.]+ (kB|MB) on disk/SIZE on disk/' \
        -e "s/^(   )20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}  ([^ ]+ +(model|user) )/\1NOW  \2/" \
        -e "s|made in .*|made in FOLDER|" -e 's/ +$//'
}

: >"$work/map"
bad=0
blocks=0
# Runs one command of the page and compares.
try() {
    command=$1
    while read -r theirs ours; do
        short=$(printf '%s' "$theirs" | cut -c1-4)
        command=$(printf '%s' "$command" | sed -E "s/ $short[0-9a-z]*( |\$)/ $ours\\1/")
    done <"$work/map"
    blocks=$((blocks + 1))
    (cd "$root" && eval "$command") >"$work/ours" 2>&1 </dev/null || true
    ids <"$work/theirs" >"$work/theirs.ids"
    ids <"$work/ours" >"$work/ours.ids"
    paste -d ' ' "$work/theirs.ids" "$work/ours.ids" | awk '$1 == "ID" && $3 == "ID" { print $2, $4 }' >>"$work/map"
    mask <"$work/theirs" >"$work/theirs.masked"
    mask <"$work/ours" >"$work/ours.masked"
    if ! diff -u "$work/theirs.masked" "$work/ours.masked" >"$work/diff"; then
        printf 'FAIL  %s\n' "$1"
        sed 's/^/      /' "$work/diff"
        bad=$((bad + 1))
    else
        printf 'ok    %s\n' "$1"
    fi
}

pending=
: >"$work/theirs"
while IFS= read -r line; do
    case $line in
    '$ '*)
        [ -z "$pending" ] || try "$pending"
        pending=${line#??}
        : >"$work/theirs"
        ;;
    *) printf '%s\n' "$line" >>"$work/theirs" ;;
    esac
done <"$work/page"
[ -z "$pending" ] || try "$pending"
echo "$blocks commands of the tour, $bad not as the page says"
[ "$bad" -eq 0 ] && [ "$blocks" -ge 8 ]
