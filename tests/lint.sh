#!/bin/sh
# Checks what no compiler checks. Usage: lint.sh [ROOT]; prints one "file:line: rule" per violation.
#
#   arrows      cli → node → sync → store → crypto → base: a folder includes itself and those below it
#   libraries   each foreign header only in the folder that owns it
#   own header  x.c includes x.h, or the x_int.h of its folder, before anything else; its test includes x.h
#   length      no function over 70 lines
#   purity      below node/ no clock, no randomness, no environment, no variable at file scope
#   banned      functions that have a safe counterpart
#   tidiness    no tabs, no trailing blanks, nothing left to be done
set -eu
cd "${1:-$(dirname "$0")/..}"

sources() {
    for folder in base crypto store sync node cli tests; do
        [ ! -d "$folder" ] || find "$folder" -path tests/data -prune -o -type f \
            \( -name '*.[ch]' -o -name '*.sh' -o -name '*.md' -o -name CMakeLists.txt \) -print
    done
    for file in CMakeLists.txt check demo README.md .ci/run; do
        [ ! -f "$file" ] || echo "$file"
    done
}

list=$(sources | sort)
[ -n "$list" ] || { echo "lint: no sources in '$PWD'" >&2; exit 2; }

# No path of ours has white space, so the list may be split.
# shellcheck disable=SC2086
awk -v list="$list" '
function complain(rule) {
    printf "%s:%d: %s\n", FILENAME, FNR, rule
    bad = 1
}

# Does the line call one of the words (separated by |), not as a member of something?
function calls(words) {
    return match(" " code, "[^A-Za-z0-9_.>](" words ")[ ]*\\(")
}

function called_name(    s) {
    s = substr(" " code, RSTART + 1, RLENGTH - 1)
    sub(/[ ]*\($/, "", s)
    return s
}

BEGIN {
    n = split("base crypto store sync node cli", folders, " ")
    for (i = 1; i <= n; i++)
        rank[folders[i]] = i
    n = split(list, files, "\n")
    for (i = 1; i <= n; i++)
        exists[files[i]] = 1
    owner["sqlite3.h"] = "store"
    owner["sodium.h"] = "crypto"
    owner["nng"] = "node"
    owner["curl"] = "node"
    owner["cjson"] = "node cli"
    owner["qrencode.h"] = "cli"
    owner["expat.h"] = "node"
    banned = "strcpy|strcat|strncat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|rand|srand|alloca|tmpnam|mktemp"
    impure = "time|gettimeofday|clock_gettime|localtime|localtime_r|gmtime|mktime|getenv|secure_getenv|setenv|" \
             "random|rand_r|getrandom|getentropy|arc4random|arc4random_buf|sleep|usleep|nanosleep|setlocale"
    undone = "(^|[^A-Za-z])(TO" "DO|FIX" "ME|X" "XX|HA" "CK)([^A-Za-z]|$)"
}

FNR == 1 {
    split(FILENAME, part, "/")
    folder = part[1]
    is_c = FILENAME ~ /\.[ch]$/
    is_test = folder == "tests"
    in_comment = in_body = included = 0
    own = FILENAME
    sub(/\.c$/, ".h", own)
    if (is_test) {
        sub(/^tests\//, "", own)
        sub(/_test\.h$/, ".h", own)
    }
    if (FILENAME !~ /\.c$/ || !(own in exists))
        own = ""
}

/\t/ && FILENAME !~ /\.md$/ { complain("tab") }
/[ \t]$/ { complain("trailing blank") }
$0 ~ undone { complain("left to be done") }
!is_c { next }

# --- includes ---
/^#[ ]*include/ {
    target = $0
    sub(/^#[ ]*include[ ]*/, "", target)
    quoted = substr(target, 1, 1) == "\""
    gsub(/[<>"]/, "", target)
    sub(/[ ].*$/, "", target)
    split(target, step, "/")
    included++
    internal = own
    sub(/\.h$/, "_int.h", internal)
    if (included == 1 && own != "" && target != own && (is_test || target != internal))
        complain("own header first: expected \"" own "\"")
    if (quoted && index(target, "/") == 0)
        complain("include path from the root: \"" target "\"")
    if (quoted && !is_test && (step[1] == "tests" || ((step[1] in rank) && rank[step[1]] > rank[folder])))
        complain("arrow: " folder "/ may not include \"" target "\"")
    from = FILENAME
    sub(/\/[^\/]*$/, "", from)
    to = target
    sub(/\/[^\/]*$/, "", to)
    if (quoted && target ~ /_int\.h$/ && from != to && from != "tests/" to && from != "tests/fuzz")
        complain("internal header: \"" target "\" belongs to " to "/")
    if (!is_test && (step[1] in owner) && index(" " owner[step[1]] " ", " " folder " ") == 0)
        complain("library: <" target "> belongs to " owner[step[1]] "/")
    if (!is_test && target == "assert.h")
        complain("banned: <assert.h>, use base/check.h")
    next
}

# --- code without comments, strings and characters ---
{
    code = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
    gsub(/\047([^\047\\]|\\.)*\047/, "0", code)
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", code)
    if (in_comment && match(code, /\*\//)) {
        code = substr(code, RSTART + 2)
        in_comment = 0
    } else if (in_comment) {
        code = ""
    }
    if (match(code, /\/\*/)) {
        code = substr(code, 1, RSTART - 1)
        in_comment = 1
    }
}

# --- functions: a brace alone in the first column opens and closes them ---
code ~ /^[A-Za-z_].*\)[ ]*\{$/ && code !~ /=/ { complain("function brace on its own line") }
code ~ /^[A-Za-z_].*\(/ && !in_body {
    name = code
    sub(/\(.*$/, "", name)
    sub(/^.*[^A-Za-z0-9_]/, "", name)
}
code ~ /^\{$/ && !in_body { in_body = FNR }
code ~ /^\}/ && in_body {
    if (FNR - in_body + 1 > 70 && !(is_test && name == "main"))
        complain("length: " name "() has " (FNR - in_body + 1) " lines, at most 70")
    in_body = 0
}

!is_test && calls(banned) { complain("banned: " called_name() "()") }
!is_test && rank[folder] < rank["node"] && calls(impure) { complain("purity: " called_name() "() below node/") }
!is_test && rank[folder] < rank["node"] && code ~ /^static [^(]*[;={]/ && code !~ /(const|struct [a-z_0-9]+ \{)/ {
    complain("purity: variable at file scope below node/")
}

END { exit bad }
' $list
