#!/bin/sh
# The lint must be able to fail: a small tree that breaks every rule once, and the same tree mended.
set -eu
lint=$(cd "$(dirname "$0")" && pwd)/lint.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
mkdir -p base store node cli tests/base
failed=0

fail() {
    echo "lint_test: $1" >&2
    failed=1
}

# must_name FILE:LINE TEXT: the violation is reported, at that place.
must_name() {
    grep -qF -- "$1: $2" report || fail "not reported: $1: $2"
}

good() {
    printf '#ifndef BASE_A_H\n#define BASE_A_H\nint a(void);\n#endif\n' >base/a.h
    printf '#include "base/a.h"\n\n#include <time.h>\n\n/* time(0), strcpy( and atoi( are only words here */\n' >base/a.c
    printf 'int a(void)\n{\n    const char *s = "strcpy(a, b)";\n    return s[0];\n}\n' >>base/a.c
    printf 'int node(void);\n' >node/n.h
    printf '#include "node/n.h"\n\n#include "base/a.h"\n\n#include <nng/nng.h>\n' >node/n.c
    printf '#include "base/a.h"\n\n#include <sqlite3.h>\n' >tests/base/a_test.c
    rm -f store/*.[ch] cli/*.[ch]
}

long_function() {
    printf 'int long_one(void)\n{\n'
    awk 'BEGIN { for (i = 0; i < 69; i++) print "    a();" }'
    printf '}\n'
}

good
sh "$lint" "$tree" >report || fail "a clean tree is refused: $(cat report)"

printf '#include <stdio.h>\n#include "base/a.h"\n#include "node/n.h"\n#include "a.h"\n#include <assert.h>\n' >base/a.c
printf 'static int counter;\nint a(void)\n{\n    strcpy(x, y);\n    return (int)time(NULL);\n}\n' >>base/a.c
printf 'int b(void) {\n    return atoi("1");\n}\n' >>base/a.c
printf '#include <sqlite3.h>\n#include <sodium.h>\n' >cli/c.c
printf '#include <nng/nng.h>\n#include <curl/curl.h>\n#include <cjson/cJSON.h>\n#include "tests/x.h"\n' >store/s.c
printf '#include "store/s_int.h"\n' >node/n.h
long_function >node/long.c
printf '#include <stdio.h>\n#include "base/a.h"\n\tint x;\nint y; \n/* TO%s: later */\n' DO >tests/base/a_test.c

if sh "$lint" "$tree" >report; then
    fail "a bad tree is accepted"
fi
must_name base/a.c:1 'own header first: expected "base/a.h"'
must_name base/a.c:3 'arrow: base/ may not include "node/n.h"'
must_name base/a.c:4 'include path from the root: "a.h"'
must_name base/a.c:5 'banned: <assert.h>'
must_name base/a.c:6 'purity: variable at file scope'
must_name base/a.c:9 'banned: strcpy()'
must_name base/a.c:10 'purity: time()'
must_name base/a.c:12 'function brace on its own line'
must_name base/a.c:13 'banned: atoi()'
must_name cli/c.c:1 'library: <sqlite3.h> belongs to store/'
must_name cli/c.c:2 'library: <sodium.h> belongs to crypto/'
must_name store/s.c:1 'library: <nng/nng.h> belongs to node/'
must_name store/s.c:2 'library: <curl/curl.h> belongs to node/'
must_name store/s.c:3 'library: <cjson/cJSON.h> belongs to node cli/'
must_name store/s.c:4 'arrow: store/ may not include "tests/x.h"'
must_name node/n.h:1 'internal header: "store/s_int.h"'
must_name node/long.c:72 'length: long_one() has 71 lines'
must_name tests/base/a_test.c:1 'own header first: expected "base/a.h"'
must_name tests/base/a_test.c:3 'tab'
must_name tests/base/a_test.c:4 'trailing blank'
must_name tests/base/a_test.c:5 'left to be done'
[ "$(wc -l <report)" -eq 21 ] || fail "expected 21 reports, got: $(cat report)"

mkdir "$tree/empty"
if sh "$lint" "$tree/empty" >report 2>&1; then
    fail "a tree without sources is accepted"
fi
exit $failed
