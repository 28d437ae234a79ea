/* Word lists of the heuristics, ascending (a test checks), and the words of a title. */
#include "node/infer/words.h"

#include "node/infer/features.h"

#include <stdlib.h>
#include <string.h>

static const char *const common[] = {
    "a",
    "about",
    "above",
    "actually",
    "add",
    "added",
    "adding",
    "adds",
    "after",
    "again",
    "against",
    "all",
    "allow",
    "allowed",
    "allows",
    "along",
    "already",
    "also",
    "although",
    "always",
    "amp",
    "an",
    "and",
    "another",
    "any",
    "anyone",
    "anything",
    "april",
    "are",
    "around",
    "as",
    "ask",
    "at",
    "august",
    "available",
    "avoid",
    "away",
    "back",
    "bad",
    "based",
    "be",
    "because",
    "become",
    "been",
    "before",
    "behind",
    "being",
    "below",
    "best",
    "better",
    "between",
    "big",
    "bit",
    "both",
    "branch",
    "broken",
    "bug",
    "build",
    "builds",
    "but",
    "by",
    "call",
    "called",
    "calls",
    "can",
    "cannot",
    "case",
    "change",
    "changed",
    "changes",
    "check",
    "checks",
    "clean",
    "cleanup",
    "click",
    "code",
    "com",
    "comment",
    "comments",
    "commit",
    "compile",
    "could",
    "create",
    "created",
    "current",
    "data",
    "day",
    "days",
    "december",
    "default",
    "delete",
    "detail",
    "details",
    "did",
    "different",
    "disable",
    "do",
    "docs",
    "document",
    "does",
    "doing",
    "don",
    "done",
    "dont",
    "down",
    "drop",
    "during",
    "each",
    "easy",
    "either",
    "else",
    "email",
    "enable",
    "end",
    "error",
    "errors",
    "even",
    "ever",
    "every",
    "everyone",
    "everything",
    "example",
    "examples",
    "existing",
    "extra",
    "fail",
    "failed",
    "fails",
    "failure",
    "false",
    "far",
    "feature",
    "february",
    "few",
    "file",
    "files",
    "find",
    "first",
    "fix",
    "fixed",
    "fixes",
    "fixing",
    "follow",
    "following",
    "for",
    "found",
    "free",
    "friday",
    "from",
    "full",
    "function",
    "functions",
    "further",
    "get",
    "gets",
    "getting",
    "github",
    "give",
    "given",
    "go",
    "going",
    "good",
    "google",
    "got",
    "great",
    "had",
    "handle",
    "handling",
    "has",
    "have",
    "having",
    "he",
    "hello",
    "help",
    "helper",
    "her",
    "here",
    "hi",
    "high",
    "him",
    "his",
    "home",
    "how",
    "however",
    "if",
    "implement",
    "implementation",
    "implemented",
    "improve",
    "improved",
    "improvement",
    "improvements",
    "in",
    "include",
    "including",
    "index",
    "info",
    "initial",
    "inside",
    "install",
    "instead",
    "into",
    "is",
    "issue",
    "issues",
    "it",
    "its",
    "itself",
    "januar",
    "january",
    "july",
    "june",
    "just",
    "keep",
    "kind",
    "know",
    "large",
    "last",
    "later",
    "latest",
    "least",
    "left",
    "less",
    "let",
    "like",
    "line",
    "lines",
    "link",
    "list",
    "little",
    "local",
    "log",
    "login",
    "logo",
    "long",
    "look",
    "made",
    "mail",
    "main",
    "make",
    "makes",
    "making",
    "manual",
    "many",
    "march",
    "master",
    "may",
    "maybe",
    "me",
    "memory",
    "merge",
    "merged",
    "message",
    "method",
    "might",
    "minor",
    "missing",
    "mode",
    "monday",
    "more",
    "most",
    "move",
    "moved",
    "much",
    "must",
    "my",
    "name",
    "need",
    "needed",
    "needs",
    "never",
    "new",
    "news",
    "next",
    "no",
    "none",
    "normal",
    "not",
    "note",
    "nothing",
    "november",
    "now",
    "null",
    "number",
    "october",
    "of",
    "off",
    "official",
    "old",
    "on",
    "once",
    "one",
    "online",
    "only",
    "open",
    "or",
    "order",
    "org",
    "other",
    "others",
    "our",
    "out",
    "outside",
    "over",
    "own",
    "page",
    "pages",
    "part",
    "people",
    "per",
    "place",
    "please",
    "point",
    "possible",
    "pre",
    "problem",
    "proper",
    "properly",
    "pull",
    "push",
    "put",
    "question",
    "quick",
    "quite",
    "rather",
    "re",
    "read",
    "readme",
    "real",
    "really",
    "refactor",
    "refactoring",
    "release",
    "releases",
    "remove",
    "removed",
    "removes",
    "removing",
    "rename",
    "renamed",
    "request",
    "required",
    "result",
    "results",
    "return",
    "returns",
    "revert",
    "right",
    "run",
    "running",
    "said",
    "same",
    "saturday",
    "save",
    "search",
    "second",
    "section",
    "see",
    "seem",
    "seems",
    "send",
    "september",
    "set",
    "sets",
    "setting",
    "settings",
    "several",
    "she",
    "should",
    "show",
    "shows",
    "sign",
    "similar",
    "simple",
    "simplify",
    "since",
    "single",
    "site",
    "size",
    "small",
    "so",
    "some",
    "something",
    "soon",
    "start",
    "started",
    "state",
    "status",
    "step",
    "still",
    "stop",
    "string",
    "style",
    "such",
    "sunday",
    "support",
    "supported",
    "sure",
    "sync",
    "system",
    "take",
    "tell",
    "test",
    "tested",
    "testing",
    "tests",
    "text",
    "than",
    "thank",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "thing",
    "things",
    "this",
    "those",
    "through",
    "thursday",
    "time",
    "times",
    "to",
    "today",
    "together",
    "tomorrow",
    "too",
    "top",
    "true",
    "try",
    "tuesday",
    "two",
    "type",
    "types",
    "typo",
    "typos",
    "undefined",
    "under",
    "unless",
    "until",
    "unused",
    "up",
    "update",
    "updated",
    "updates",
    "updating",
    "upon",
    "us",
    "usage",
    "use",
    "used",
    "useful",
    "user",
    "users",
    "uses",
    "using",
    "value",
    "values",
    "various",
    "version",
    "very",
    "via",
    "view",
    "wait",
    "want",
    "wants",
    "warning",
    "warnings",
    "was",
    "watch",
    "way",
    "we",
    "web",
    "website",
    "wednesday",
    "week",
    "welcome",
    "well",
    "went",
    "were",
    "what",
    "when",
    "where",
    "whether",
    "which",
    "while",
    "who",
    "why",
    "will",
    "window",
    "with",
    "within",
    "without",
    "word",
    "words",
    "work",
    "working",
    "works",
    "world",
    "would",
    "write",
    "wrong",
    "year",
    "years",
    "yes",
    "yet",
    "you",
    "your",
    "youtube",
};

static const char *const common_tools[] = {
    "apropos", "awk",     "basename", "bc",       "cal",    "cat",      "chgrp",    "chmod",    "chown",
    "clear",   "cmp",     "comm",     "cp",       "cut",    "date",     "dd",       "df",       "diff",
    "dirname", "du",      "egrep",    "env",      "expr",   "fgrep",    "file",     "find",     "free",
    "grep",    "groups",  "gunzip",   "gzip",     "head",   "hostname", "id",       "ifconfig", "ip",
    "kill",    "killall", "less",     "ln",       "locate", "ls",       "lsof",     "man",      "mkdir",
    "mktemp",  "more",    "mount",    "mv",       "nano",   "netstat",  "nl",       "passwd",   "paste",
    "pgrep",   "ping",    "pkill",    "printenv", "printf", "ps",       "pwd",      "readlink", "realpath",
    "reboot",  "rm",      "rmdir",    "sed",      "seq",    "service",  "shutdown", "sleep",    "sort",
    "split",   "stat",    "su",       "tail",     "tar",    "tee",      "test",     "top",      "touch",
    "tr",      "tree",    "tty",      "uname",    "uniq",   "unzip",    "uptime",   "vi",       "wc",
    "which",   "who",     "whoami",   "xargs",    "yes",    "zcat",     "zip",
};

static const char *const shell_words[] = {
    "alias",    "bg",       "bind",   "break",    "builtin",  "caller",    "case",    "cd",     "compgen",
    "complete", "continue", "coproc", "declare",  "dirs",     "disown",    "do",      "done",   "echo",
    "elif",     "else",     "end",    "esac",     "eval",     "exec",      "exit",    "export", "false",
    "fc",       "fg",       "fi",     "for",      "function", "functions", "getopts", "hash",   "help",
    "history",  "if",       "in",     "jobs",     "let",      "local",     "logout",  "popd",   "printf",
    "pushd",    "pwd",      "read",   "readonly", "return",   "select",    "set",     "shift",  "shopt",
    "source",   "suspend",  "test",   "then",     "time",     "times",     "trap",    "true",   "type",
    "typeset",  "ulimit",   "umask",  "unalias",  "unset",    "until",     "wait",    "where",  "while",
};

/* Behind a pipe these filter what comes. */
static const char *const filters[] = {
    "ack",  "ag",   "awk", "bat", "cat",  "egrep", "fgrep", "grep", "head", "jq", "less",
    "more", "most", "rg",  "sed", "sort", "tail",  "tee",   "tr",   "uniq", "wc", "xargs",
};

/* Index + 1 = group. */
static const char *const purposes[] = {
    "for searching files",
    "for finding files",
    "for listing files",
    "for showing files",
    "for paging",
    "for editing",
    "as a shell",
    "for JavaScript packages",
    "for Python packages",
    "for containers",
    "for building",
    "for fetching URLs",
    "for terminal sessions",
    "for Debian packages",
    "for compiling C",
    "for watching processes",
    "for reading manuals",
    "for version control",
    "for changing folders",
    "for disk usage",
    "for copying files",
    "for network listing",
    "for debugging C",
    "for Kubernetes",
    "for diffs",
};

static const struct {
    const char *tool;
    int group;
} alternatives[] = {
    {"ack", 1},      {"ag", 1},          {"apt", 14},     {"apt-get", 14}, {"aptitude", 14}, {"aria2c", 12},
    {"atop", 16},    {"autojump", 19},   {"bash", 7},     {"bat", 4},      {"batcat", 4},    {"bazel", 11},
    {"btop", 16},    {"bun", 8},         {"cat", 4},      {"clang", 15},   {"code", 6},      {"codium", 6},
    {"conda", 9},    {"cp", 21},         {"curl", 12},    {"delta", 25},   {"diff", 25},     {"difft", 25},
    {"docker", 10},  {"du", 20},         {"dua", 20},     {"dust", 20},    {"egrep", 1},     {"elvish", 7},
    {"emacs", 6},    {"emacsclient", 6}, {"exa", 3},      {"eza", 3},      {"fd", 2},        {"fdfind", 2},
    {"find", 2},     {"fish", 7},        {"fossil", 18},  {"gcc", 15},     {"gdb", 23},      {"gedit", 6},
    {"git", 18},     {"glances", 16},    {"grep", 1},     {"helix", 6},    {"hg", 18},       {"htop", 16},
    {"http", 12},    {"hx", 6},          {"info", 17},    {"jj", 18},      {"just", 11},     {"k9s", 24},
    {"kak", 6},      {"kate", 6},        {"kubectl", 24}, {"less", 5},     {"lldb", 23},     {"locate", 2},
    {"ls", 3},       {"lsd", 3},         {"lsof", 22},    {"make", 11},    {"man", 17},      {"meson", 11},
    {"micro", 6},    {"more", 5},        {"most", 5},     {"nala", 14},    {"nano", 6},      {"ncdu", 20},
    {"nerdctl", 10}, {"netstat", 22},    {"ninja", 11},   {"npm", 8},      {"nu", 7},        {"nvim", 6},
    {"pip", 9},      {"pip3", 9},        {"pipenv", 9},   {"pipx", 9},     {"plocate", 2},   {"pnpm", 8},
    {"podman", 10},  {"poetry", 9},      {"rg", 1},       {"rsync", 21},   {"scons", 11},    {"scp", 21},
    {"screen", 13},  {"ss", 22},         {"subl", 6},     {"svn", 18},     {"tcc", 15},      {"tldr", 17},
    {"tmux", 13},    {"top", 16},        {"ugrep", 1},    {"uv", 9},       {"vi", 6},        {"vim", 6},
    {"wget", 12},    {"xh", 12},         {"yarn", 8},     {"zellij", 13},  {"zoxide", 19},   {"zsh", 7},
};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static int word_compare(const void *key, const void *element)
{
    return bytes_cmp(*(const struct bytes *)key, bytes_str(*(const char *const *)element));
}

static bool listed(struct bytes word, const char *const *list, size_t n)
{
    return bsearch(&word, list, n, sizeof *list, word_compare) != NULL;
}

bool word_is_common(struct bytes word)
{
    return listed(word, common, COUNT(common));
}

bool tool_is_common(struct bytes tool)
{
    return listed(tool, common_tools, COUNT(common_tools));
}

bool word_is_shell(struct bytes word)
{
    return listed(word, shell_words, COUNT(shell_words));
}

bool tool_is_filter(struct bytes tool)
{
    return listed(tool, filters, COUNT(filters));
}

static int alternative_compare(const void *key, const void *element)
{
    return word_compare(key, element); /* the name comes first in the row */
}

int tool_group(struct bytes tool)
{
    const void *row =
        bsearch(&tool, alternatives, COUNT(alternatives), sizeof alternatives[0], alternative_compare);
    return row == NULL ? 0
                       : alternatives[((size_t)((const char *)row - (const char *)alternatives)) /
                                      sizeof alternatives[0]]
                             .group;
}

const char *tool_group_purpose(int group)
{
    return group >= 1 && (size_t)group <= COUNT(purposes) ? purposes[group - 1] : "";
}

/* ---- titles -----------------------------------------------------------------------------------------------
 */

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' ? (c | 0x20) <= 'z' || c >= 0x80 : false;
}

static bool is_word_byte(uint8_t c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

/* Worth counting: long enough or an acronym, mostly letters, not the name of a hash. */
static bool word_is_telling(struct bytes w, size_t letters, size_t upper)
{
    bool acronym = w.n >= 3 && upper == w.n;
    if (w.n > 40 || letters * 2 <= w.n || !is_letter(w.p[0]))
        return false;
    return w.n >= 4 || acronym;
}

static struct bytes lower_append(struct bytes w, struct buf *out)
{
    size_t at = out->n;
    for (size_t i = 0; i < w.n; i++)
        (void)buf_put(out, w.p[i] >= 'A' && w.p[i] <= 'Z' ? (uint8_t)(w.p[i] + 32) : w.p[i]);
    return bytes_slice(buf_view(out), at, out->n);
}

static struct bytes title_word(struct bytes title, size_t *at, size_t *letters, size_t *upper)
{
    *letters = *upper = 0;
    while (*at < title.n && !is_word_byte(title.p[*at]))
        ++*at;
    size_t from = *at;
    for (; *at < title.n && is_word_byte(title.p[*at]); ++*at) {
        *letters += is_letter(title.p[*at]) ? 1 : 0;
        *upper += title.p[*at] >= 'A' && title.p[*at] <= 'Z' ? 1 : 0;
    }
    return bytes_slice(title, from, *at - from);
}

int title_topics(struct bytes title, struct buf *words, name_fn fn, void *ctx)
{
    char seen[TOPIC_WORDS_MAX][41];
    size_t n = 0, at = 0, letters, upper;
    while (at < title.n && at < 400 && n < TOPIC_WORDS_MAX) {
        struct bytes w = title_word(title, &at, &letters, &upper);
        if (w.n == 0 || !word_is_telling(w, letters, upper))
            continue;
        w = lower_append(w, words);
        bool skip = w.n == 0 || word_is_common(w);
        for (size_t i = 0; i < n && !skip; i++)
            skip = bytes_eq(w, bytes_str(seen[i]));
        if (skip)
            continue;
        memcpy(seen[n], w.p, w.n);
        seen[n++][w.n] = '\0';
        int rc = fn(ctx, w);
        if (rc != 0)
            return rc;
    }
    return 0;
}
