/* Passwords and tokens that a name gives away: assignments (shell, configuration, code, JSON, XML), headers,
 * long flags of any command, user info and query parameters of URLs.
 *
 * A name is an identifier that holds one of a few words as a word of its own (my_password_2, PGPASSWORD,
 * dbPass) and whose last word does not turn it into something else (password_file, token_url, secretId). What
 * then counts as a secret depends on how the value is joined to the name: a quoted or tightly assigned one is
 * taken for what it is, one behind ": " must not look like a word of prose.
 */
#include "node/model/redact_int.h"

#include <string.h>

#define NAME_SIDE_MAX 48 /* bytes of the identifier looked at on either side of the word */
#define BLANKS_MAX 8
#define REVERSED_BYTES_MAX 128

enum name_kind { NAME_PASSWORD, NAME_SHORT, NAME_SECRET, NAME_KEY, NAME_HEADER, NAME_COOKIE, NAME_BEARER };

struct name_word {
    const char *word;
    enum name_kind kind;
    bool whole; /* must begin a word: "pass" is no part of "compass" */
};

/* Longer words first where one begins like another. */
static const struct name_word words[] = {
    {"authorization", NAME_HEADER, true}, {"apikey", NAME_KEY, false},
    {"bearer", NAME_BEARER, true},        {"credential", NAME_SECRET, true},
    {"cookie", NAME_COOKIE, true},        {"key", NAME_KEY, false},
    {"password", NAME_PASSWORD, false},   {"passphrase", NAME_PASSWORD, false},
    {"passcode", NAME_PASSWORD, true},    {"passwort", NAME_PASSWORD, false},
    {"passwd", NAME_PASSWORD, false},     {"passwrd", NAME_PASSWORD, false},
    {"pass", NAME_SHORT, true},           {"pwd", NAME_SHORT, false},
    {"secrete", NAME_SECRET, false},      {"secret", NAME_SECRET, false},
    {"token", NAME_SECRET, false},
};

/* An identifier with a secret's word in it, seen at that word. */
struct name {
    enum name_kind kind;
    size_t from, to; /* the whole identifier */
    size_t word_end;
    bool flag; /* it is a command's flag: -x or --x */
};

/* What joins a name and its value. */
struct joint {
    bool tight;  /* '=' with nothing around it */
    bool spaced; /* only blanks */
    bool call;   /* '(' and a quote */
    bool colon;
    bool tag;   /* <name>value</name> */
    bool query; /* ?name=value or &name=value */
    size_t value;
};

static bool word_ends(const struct scan *s, size_t from, size_t to)
{
    if (!ch_is(s, to, CH_ALPHA))
        return true;
    return ch_is(s, to, CH_UPPER) && ch_is(s, from, CH_LOWER) == ch_is(s, to - 1, CH_LOWER) &&
           ch_is(s, to - 1, CH_LOWER);
}

static bool word_begins(const struct scan *s, size_t at)
{
    return ch_starts(s, at, CH_ALPHA) || (ch_is(s, at, CH_UPPER) && !ch_starts(s, at, CH_LOWER));
}

/* The identifier's word right before `at` is one of the list. */
static bool word_before(const struct scan *s, size_t at, const char *const *list)
{
    if (at > 0 && (ch_is(s, at - 1, CH_UNDER | CH_DASH | CH_DOT)))
        at--;
    for (; *list != NULL; list++) {
        size_t n = strlen(*list);
        if (at >= n && scan_iis(s, at - n, *list))
            return true;
    }
    return false;
}

static bool is_key_name(const struct scan *s, size_t at)
{
    static const char *const heads[] = {"api",     "access",     "secret",  "private",    "auth",
                                        "account", "encryption", "signing", "master",     "session",
                                        "service", "storage",    "shared",  "deploy",     "license",
                                        "webhook", "app",        "admin",   "decryption", NULL};
    return word_before(s, at, heads);
}

/* Tokens that page through results or guard forms give nothing away; neither do public keys. */
static bool is_harmless_name(const struct scan *s, size_t at)
{
    static const char *const heads[] = {"csrf",         "xsrf",   "page", "next",   "continuation",
                                        "cancellation", "cancel", "sync", "forgot", "reset",
                                        "no",           "public", "pub",  NULL};
    return word_before(s, at, heads);
}

/* The last word of an identifier's tail says that the value is something about the secret. */
static bool is_about(const struct scan *s, size_t from, size_t to)
{
    static const char *const last[] = {
        "url",    "uri",     "file",    "path",      "id",      "ids",   "name",    "type",
        "length", "size",    "len",     "hash",      "field",   "input", "count",   "format",
        "expiry", "expires", "ttl",     "policy",    "env",     "stdin", "version", "header",
        "max",    "min",     "limit",   "pos",       "index",   "list",  "class",   "endpoint",
        "prompt", "hint",    "manager", "algorithm", "kind",    "dir",   "store",   "ring",
        "reset",  "label",   "prefix",  "param",     "var",     "ref",   "age",     "in",
        "out",    "date",    "time",    "usage",     "fn",      "func",  "rounds",  "ttl",
        "auth",   "error",   "enabled", "required",  "command", "cmd",   "helper",  "source"};
    size_t begin = to;
    while (begin > from && ch_is(s, begin - 1, CH_ALPHA) &&
           !(begin < to && ch_is(s, begin, CH_UPPER) && ch_is(s, begin - 1, CH_LOWER)))
        begin--;
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        if (strlen(last[i]) == to - begin && scan_iis(s, begin, last[i]))
            return true;
    return false;
}

static const struct name_word *word_at(const struct scan *s, size_t at)
{
    uint8_t c = ch_lower(s->p[at]), d = ch_lower(ch_at(s, at + 1));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if ((uint8_t)words[i].word[0] == c && (uint8_t)words[i].word[1] == d &&
            scan_iis(s, at, words[i].word))
            return &words[i];
    return NULL;
}

static void name_extend(struct scan *s, size_t at, struct name *n)
{
    n->from = at;
    while (n->from > 0 && at - n->from < NAME_SIDE_MAX && ch_is(s, n->from - 1, CH_WORD | CH_DOT))
        n->from--;
    s->steps += at - n->from;
    n->to = n->word_end + scan_run(s, n->word_end, CH_WORD | CH_DOT, NAME_SIDE_MAX);
    n->flag = s->p[n->from] == '-' && n->from < at && ch_starts(s, n->from, CH_ALNUM);
}

/* Our own marks hold names too. */
static bool is_in_mark(const struct scan *s, size_t at)
{
    return (at >= 1 && scan_is(s, at - 1, "[SECRET:")) || (at >= 8 && scan_is(s, at - 8, "[SECRET:"));
}

static bool name_read(struct scan *s, size_t at, struct name *n)
{
    const struct name_word *w = word_at(s, at);
    if (w == NULL || is_in_mark(s, at))
        return false;
    n->kind = w->kind;
    n->word_end = at + strlen(w->word);
    if (!word_ends(s, at, n->word_end) || ((w->whole || w->kind == NAME_HEADER) && !word_begins(s, at)))
        return false;
    if (strcmp(w->word, "key") == 0 && !is_key_name(s, at))
        return false;
    name_extend(s, at, n);
    return !is_harmless_name(s, at) && !(n->to > n->word_end && is_about(s, n->word_end, n->to));
}

static size_t skip_blanks(struct scan *s, size_t at)
{
    return at + scan_run(s, at, CH_BLANK, BLANKS_MAX);
}

/* Behind the name: the quote or bracket that closes it, if an operator follows. */
static size_t skip_closing(struct scan *s, size_t at)
{
    size_t i = at;
    if (ch_at(s, i) == '\\')
        i++;
    if (ch_is(s, i, CH_QUOTE))
        i++;
    if (scan_is(s, i, "[]"))
        i += 2;
    else if (ch_at(s, i) == ']')
        i++;
    size_t op = skip_blanks(s, i);
    return i > at && (ch_at(s, op) == ':' || ch_at(s, op) == '=' || ch_at(s, op) == '!') ? i : at;
}

static size_t operator_length(const struct scan *s, size_t at)
{
    static const char *const ops[] = {"===", "!==", "==", "!=", ":=", "=>", "=", ":", NULL};
    for (const char *const *op = ops; *op != NULL; op++)
        if (scan_is(s, at, *op))
            return strlen(*op);
    return 0;
}

static bool joint_read(struct scan *s, const struct name *n, struct joint *j)
{
    size_t end = skip_closing(s, n->to), at = skip_blanks(s, end);
    *j = (struct joint){0};
    size_t op = operator_length(s, at);
    if (op > 0) {
        j->value = skip_blanks(s, at + op);
        j->colon = op == 1 && s->p[at] == ':';
        j->tight = at == end && j->value == at + op && op == 1 && !j->colon;
        j->query = n->from > 0 && strchr("?&;", s->p[n->from - 1]) != NULL && j->tight;
        if (ch_at(s, j->value) == '@' && ch_is(s, j->value + 1, CH_QUOTE))
            j->value++;
        return true;
    }
    if (n->kind == NAME_PASSWORD && at > n->to && (scan_iis(s, at, "is ") || scan_iis(s, at, "is:"))) {
        j->colon = true;
        j->value = skip_blanks(s, at + 3);
        return true;
    }
    j->tag = ch_at(s, n->to) == '>' && n->from > 0 && s->p[n->from - 1] == '<';
    j->call = ch_at(s, n->to) == '(' && ch_is(s, n->to + 1, CH_QUOTE);
    j->spaced = at > n->to;
    j->value = j->tag || j->call ? n->to + 1 : at;
    return j->tag || j->call || j->spaced;
}

static bool bare_counts(const struct scan *s, const struct name *n, const struct joint *j,
                        const struct value *v)
{
    size_t len = v->to - v->from;
    bool strong = value_is_strong(s, v);
    if (value_is_digits(s, v) && (n->kind != NAME_PASSWORD || len < 4))
        return false;
    if (n->kind == NAME_SHORT && j->tight &&
        (s->p[v->from] == '/' || s->p[v->from] == '~' || s->p[v->from] == '.'))
        return false;
    if (j->tight || j->tag)
        return len >= 4 || (n->kind == NAME_PASSWORD && s->context == REDACT_COMMAND);
    return strong && (n->kind != NAME_KEY || len >= 12);
}

/* Prose that names a password outright: "password Tr0ub4dor". Needs upper and lower case and a digit. */
static bool prose_counts(const struct scan *s, const struct name *n, const struct value *v)
{
    unsigned seen = 0;
    for (size_t i = v->from; i < v->to; i++)
        seen |= redact_chars[s->p[i]];
    return n->kind == NAME_PASSWORD && v->to - v->from >= 8 && (seen & CH_DIGIT) != 0 &&
           (seen & CH_UPPER) != 0 && (seen & CH_LOWER) != 0 &&
           (seen & (CH_DOT | CH_DASH | CH_UNDER | CH_PLUS_SLASH)) == 0 && value_is_strong(s, v);
}

static bool quoted_counts(const struct scan *s, const struct name *n, const struct joint *j,
                          const struct value *v)
{
    size_t len = v->to - v->from;
    if (j->call || (j->spaced && !n->flag))
        return value_is_strong(s, v);
    if (value_is_digits(s, v) && len < 4)
        return false;
    return len >= 3 && (n->kind == NAME_PASSWORD || n->kind == NAME_SHORT || len >= 8);
}

/* A flag's value is the next word whatever it looks like; in prose it must not be a word. */
static bool flag_counts(const struct scan *s, const struct value *v)
{
    if (s->p[v->from] == '-')
        return false;
    return s->context == REDACT_COMMAND || v->quote != 0 || value_is_strong(s, v);
}

static const char *stops_of(const struct scan *s, const struct joint *j)
{
    if (j->query || s->context == REDACT_URL)
        return "&#;";
    if (j->tag)
        return "<";
    return s->context == REDACT_COMMAND && !j->colon ? ";|&<>)" : "";
}

/* set -x NAME value, setx NAME value, tool configure set name value. */
static bool is_set_by_word(const struct scan *s, const struct name *n)
{
    static const char *const setters[] = {" -x ", " -gx ", " -ux ", "setx ", "setenv ", "set ", NULL};
    for (const char *const *w = setters; *w != NULL; w++) {
        size_t len = strlen(*w);
        if (n->from >= len && scan_iis(s, n->from - len, *w))
            return s->context == REDACT_COMMAND;
    }
    return false;
}

/* Authorization: [scheme] credentials. */
static bool header_value(struct scan *s, size_t at, struct hit *h)
{
    struct value v;
    size_t scheme = scan_run(s, at, CH_ALPHA | CH_DASH | CH_UNDER, 24), next = skip_blanks(s, at + scheme);
    bool known = scheme >= 3 && next > at + scheme;
    if (!value_read(s, known ? next : at, ",", &v) || value_is_placeholder(s, &v))
        return false;
    bool mixed = (known && v.to - v.from >= 16) || (scan_iis(s, at, "basic ") && v.to - v.from >= 8);
    return (mixed || (value_is_strong(s, &v) && v.to - v.from >= 8)) && value_hit(s, &v, h);
}

static bool ends_cookie(const struct scan *s, size_t at)
{
    return at >= s->n || ch_is(s, at, CH_END | CH_QUOTE);
}

/* Cookie: name=value; name=value … to the end of the line or the quotes around it. */
static bool cookie_value(struct scan *s, size_t at, struct hit *h)
{
    size_t to = at;
    while (to - at < VALUE_BYTES_MAX && !ends_cookie(s, to))
        to++;
    s->steps += to - at;
    struct value v = {.from = at, .to = to, .quote = '"', .stops = ""};
    bool pairs = to > at && bytes_find(bytes_of(s->p + at, to - at), BYTES_LIT("=")) != SIZE_MAX;
    if (!pairs || to - at < 12 || value_is_placeholder(s, &v) || !value_is_strong(s, &v))
        return false;
    while (!ends_cookie(s, v.to))
        v.to++;
    return value_hit(s, &v, h);
}

static bool bearer_value(struct scan *s, const struct name *n, struct hit *h)
{
    struct value v;
    if (!value_read(s, skip_blanks(s, n->to), "", &v) || v.to - v.from < 16 || value_is_placeholder(s, &v))
        return false;
    return value_is_strong(s, &v) && value_hit(s, &v, h);
}

/* "value" == name: the quoted string before a comparison. */
static bool reversed_value(struct scan *s, const struct name *n, struct hit *h)
{
    size_t at = n->from, floor = n->from > REVERSED_BYTES_MAX ? n->from - REVERSED_BYTES_MAX : 0;
    while (at > floor && s->p[at - 1] == ' ')
        at--;
    size_t op = at;
    while (op > floor && at - op < 3 && (s->p[op - 1] == '=' || s->p[op - 1] == '!'))
        op--;
    if (at - op < 2)
        return false;
    while (op > floor && s->p[op - 1] == ' ')
        op--;
    if (op <= floor + 1 || !ch_is(s, op - 1, CH_QUOTE))
        return false;
    struct value v = {.to = op - 1, .quote = s->p[op - 1], .stops = ""};
    for (v.from = v.to; v.from > floor && s->p[v.from - 1] != v.quote && s->p[v.from - 1] != '\n'; v.from--)
        s->steps++;
    bool closed = v.from > floor && s->p[v.from - 1] == v.quote && v.to > v.from;
    return closed && !value_is_placeholder(s, &v) && value_is_strong(s, &v) && value_hit(s, &v, h);
}

static bool joined_value(struct scan *s, const struct name *n, const struct joint *j, struct hit *h)
{
    struct value v;
    if (!value_read(s, j->value, stops_of(s, j), &v))
        return false;
    /* NAME=`command` is a substitution, name := `text` a string. */
    if ((v.quote == '`' && (j->spaced || !ch_is(s, j->value - 1, CH_BLANK))) || value_is_placeholder(s, &v))
        return false;
    if (j->tag && !scan_is(s, v.to, "</"))
        return false;
    bool counts;
    if (j->spaced && !n->flag && is_set_by_word(s, n))
        counts = true;
    else if (v.quote != 0)
        counts = quoted_counts(s, n, j, &v);
    else if (n->flag && !j->colon)
        counts = flag_counts(s, &v);
    else
        counts = j->spaced ? prose_counts(s, n, &v) : bare_counts(s, n, j, &v);
    return counts && value_hit(s, &v, h);
}

static bool may_begin_word(uint8_t c)
{
    c = ch_lower(c);
    return c == 'a' || c == 'b' || c == 'c' || c == 'k' || c == 'p' || c == 's' || c == 't';
}

bool password_name_at(struct scan *s, size_t at, struct hit *h)
{
    struct name n;
    struct joint j;
    if (!may_begin_word(s->p[at]) || !name_read(s, at, &n))
        return false;
    if (n.kind == NAME_BEARER)
        return bearer_value(s, &n, h);
    if (!joint_read(s, &n, &j))
        return reversed_value(s, &n, h);
    if (n.kind == NAME_COOKIE)
        return j.colon && cookie_value(s, j.value, h);
    if (n.kind == NAME_HEADER)
        return !j.spaced && header_value(s, j.value, h);
    return joined_value(s, &n, &j, h) || reversed_value(s, &n, h);
}

bool password_named(struct bytes name, struct bytes value)
{
    struct scan s, in_value;
    struct name n;
    if (name.n == 0 || value.n == 0 || name.n > 2 * NAME_SIDE_MAX)
        return false;
    scan_init(&s, name, REDACT_DEFAULT, REDACT_TEXT);
    scan_init(&in_value, value, REDACT_DEFAULT, REDACT_TEXT);
    const struct joint joint = {.colon = true};
    const struct value v = {.from = 0, .to = value.n, .quote = '"', .stops = ""};
    for (size_t at = 0; at < name.n; at++) {
        bool named = may_begin_word(name.p[at]) && name_read(&s, at, &n) && n.kind <= NAME_KEY;
        if (named && quoted_counts(&in_value, &n, &joint, &v) && !value_is_placeholder(&in_value, &v))
            return true;
    }
    return false;
}

#define USERINFO_BYTES_MAX 512u

static bool ends_userinfo(const struct scan *s, size_t at)
{
    return at >= s->n || ch_is(s, at, CH_SPACE | CH_QUOTE) || strchr("/?#<>\\", s->p[at]) != NULL;
}

/* user:password between "//" and the last '@' of the authority. */
static bool userinfo_read(struct scan *s, size_t at, struct value *v)
{
    size_t colon = 0, i = at;
    *v = (struct value){.stops = ""};
    for (; i - at < USERINFO_BYTES_MAX && !ends_userinfo(s, i); i++) {
        if (s->p[i] == ':' && colon == 0)
            colon = i;
        if (s->p[i] == '@')
            v->to = i;
    }
    s->steps += i - at;
    v->from = colon + 1;
    return colon != 0 && v->to > v->from;
}

bool password_url_at(struct scan *s, size_t at, struct hit *h)
{
    struct value v;
    if (!scan_is(s, at, "://") || !userinfo_read(s, at + 3, &v) || value_is_reference(s, &v))
        return false;
    if (bytes_ieq(bytes_of(s->p + v.from, v.to - v.from), BYTES_LIT("changeme")))
        return false;
    return value_hit(s, &v, h);
}

/* Parameters whose names are common words: only with a value that looks like a credential. */
static bool is_credential_parameter(const struct scan *s, size_t from, size_t to)
{
    static const char *const names[] = {"sig",       "signature",  "key", "auth", "code",   "sid",
                                        "sessionid", "jsessionid", "jwt", "sas",  "ticket", "otp"};
    size_t begin = to;
    while (begin > from && ch_is(s, begin - 1, CH_ALNUM))
        begin--;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == to - begin && scan_iis(s, begin, names[i]))
            return true;
    return false;
}

bool password_query_at(struct scan *s, size_t at, struct hit *h)
{
    struct value v;
    size_t name = scan_run(s, at + 1, CH_WORD | CH_DOT, 40), eq = at + 1 + name;
    if (name < 3 || ch_at(s, eq) != '=' || !is_credential_parameter(s, at + 1, eq))
        return false;
    if (!value_read(s, eq + 1, "&#;<>)", &v) || value_is_placeholder(s, &v))
        return false;
    bool named_sig = ch_lower(s->p[at + 1]) == 's' || name > 4;
    size_t len = v.to - v.from;
    return (len >= 16 || (named_sig && len >= 10)) && value_is_strong(s, &v) && value_hit(s, &v, h);
}
