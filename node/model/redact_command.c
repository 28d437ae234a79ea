/* Secrets on command lines that only the command gives away: `mysql -psecret`, `curl -u user:secret`,
 * `sshpass -p secret`, `docker login -p secret`, `echo secret | sudo -S`.
 *
 * A table of commands and flags. The walk notes the command when it passes its name and forgets it where the
 * command ends, so a flag is looked up once and nothing is read twice. Flags that name what they carry
 * (--password, --token) belong to redact_password.c and work for every command.
 */
#include "node/model/redact_int.h"

#include <string.h>

enum flag_kind {
    FLAG_NEXT,     /* -p secret, -p=secret */
    FLAG_GLUED,    /* -psecret */
    FLAG_BOTH,     /* either */
    FLAG_USERPASS, /* -u user:secret */
    FLAG_PERCENT,  /* -U user%secret */
    FLAG_COMMA,    /* -u user,secret */
    FLAG_COOKIE,   /* -b name=secret */
    FLAG_SOURCE,   /* -passin pass:secret */
    FLAG_LAST,     /* -b file user secret: the last operand; other letters may stand in the cluster */
};

struct redact_command {
    const char *name;
    const char *flag;
    enum flag_kind kind;
};

/* Sorted by the first two bytes of the name; all rows of a name together. */
static const struct redact_command commands[] = {
    {"7z", "-p", FLAG_GLUED},
    {"7za", "-p", FLAG_GLUED},
    {"7zz", "-p", FLAG_GLUED},
    {"az login", "-p", FLAG_NEXT},
    {"bcp", "-P", FLAG_BOTH},
    {"buildah login", "-p", FLAG_NEXT},
    {"cf login", "-p", FLAG_NEXT},
    {"crackmapexec", "-p", FLAG_NEXT},
    {"curl", "-u", FLAG_USERPASS},
    {"curl", "-U", FLAG_USERPASS},
    {"curl", "--user", FLAG_USERPASS},
    {"curl", "--proxy-user", FLAG_USERPASS},
    {"curl", "-b", FLAG_COOKIE},
    {"curl", "--cookie", FLAG_COOKIE},
    {"docker login", "-p", FLAG_NEXT},
    {"evil-winrm", "-p", FLAG_NEXT},
    {"gpg", "--passphrase", FLAG_NEXT},
    {"helm registry login", "-p", FLAG_NEXT},
    {"htpasswd", "-b", FLAG_LAST},
    {"http", "-a", FLAG_USERPASS},
    {"http", "--auth", FLAG_USERPASS},
    {"https", "-a", FLAG_USERPASS},
    {"hydra", "-p", FLAG_NEXT},
    {"influx", "-password", FLAG_NEXT},
    {"keytool", "-storepass", FLAG_NEXT},
    {"keytool", "-keypass", FLAG_NEXT},
    {"ldapadd", "-w", FLAG_BOTH},
    {"ldapdelete", "-w", FLAG_BOTH},
    {"ldapmodify", "-w", FLAG_BOTH},
    {"ldappasswd", "-w", FLAG_BOTH},
    {"ldapsearch", "-w", FLAG_BOTH},
    {"ldapwhoami", "-w", FLAG_BOTH},
    {"lftp", "-u", FLAG_COMMA},
    {"mariadb", "-p", FLAG_GLUED},
    {"mariadb-dump", "-p", FLAG_GLUED},
    {"mongo", "-p", FLAG_NEXT},
    {"mongodump", "-p", FLAG_NEXT},
    {"mongoexport", "-p", FLAG_NEXT},
    {"mongoimport", "-p", FLAG_NEXT},
    {"mongorestore", "-p", FLAG_NEXT},
    {"mongosh", "-p", FLAG_NEXT},
    {"mycli", "-p", FLAG_BOTH},
    {"mysql", "-p", FLAG_GLUED},
    {"mysqladmin", "-p", FLAG_GLUED},
    {"mysqlcheck", "-p", FLAG_GLUED},
    {"mysqldump", "-p", FLAG_GLUED},
    {"mysqlimport", "-p", FLAG_GLUED},
    {"mysqlshow", "-p", FLAG_GLUED},
    {"netexec", "-p", FLAG_NEXT},
    {"nxc", "-p", FLAG_NEXT},
    {"oc login", "-p", FLAG_NEXT},
    {"openssl", "-k", FLAG_NEXT},
    {"openssl", "-K", FLAG_NEXT},
    {"openssl", "-passin", FLAG_SOURCE},
    {"openssl", "-passout", FLAG_SOURCE},
    {"openssl", "-pass", FLAG_SOURCE},
    {"podman login", "-p", FLAG_NEXT},
    {"rar", "-p", FLAG_GLUED},
    {"rar", "-hp", FLAG_GLUED},
    {"rdesktop", "-p", FLAG_NEXT},
    {"redis-cli", "-a", FLAG_NEXT},
    {"rpcclient", "-U", FLAG_PERCENT},
    {"skopeo login", "-p", FLAG_NEXT},
    {"smbclient", "-U", FLAG_PERCENT},
    {"smbmap", "-p", FLAG_NEXT},
    {"sqlcmd", "-P", FLAG_BOTH},
    {"ssh-keygen", "-N", FLAG_NEXT},
    {"ssh-keygen", "-P", FLAG_NEXT},
    {"sshpass", "-p", FLAG_BOTH},
    {"unrar", "-p", FLAG_GLUED},
    {"unzip", "-P", FLAG_BOTH},
    {"useradd", "-p", FLAG_NEXT},
    {"usermod", "-p", FLAG_NEXT},
    {"wfuzz", "--basic", FLAG_USERPASS},
    {"xfreerdp", "/p:", FLAG_GLUED},
    {"zip", "-P", FLAG_BOTH},
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static int pair_cmp(const char *name, uint8_t a, uint8_t b)
{
    return (uint8_t)name[0] != a ? (uint8_t)name[0] - a : (uint8_t)name[1] - b;
}

/* The command whose name stands at `at` as whole words, or NULL. */
static const struct redact_command *command_find(struct scan *s, size_t at)
{
    size_t lo = 0, hi = N_COMMANDS;
    uint8_t a = s->p[at], b = ch_at(s, at + 1);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (pair_cmp(commands[mid].name, a, b) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < N_COMMANDS && pair_cmp(commands[lo].name, a, b) == 0; lo++) {
        s->steps += 2;
        if (scan_is(s, at, commands[lo].name) && ch_is(s, at + strlen(commands[lo].name), CH_SPACE))
            return &commands[lo];
    }
    return NULL;
}

/* The words behind echo or printf, up to a pipe. */
static void note_echo(struct scan *s, size_t at)
{
    struct value v;
    size_t word = at + scan_run(s, at, CH_ALPHA, 8);
    while (ch_is(s, word, CH_BLANK) && ch_at(s, word + 1) == '-' && ch_is(s, word + 2, CH_ALPHA))
        word += 2 + scan_run(s, word + 2, CH_ALPHA, 8);
    word += scan_run(s, word, CH_BLANK, 8);
    s->echo_to = 0;
    if (value_read(s, word, "|", &v) && v.to - v.from < VALUE_BYTES_MAX) {
        s->echo_from = v.from;
        s->echo_to = v.to;
    }
}

void command_word_at(struct scan *s, size_t at)
{
    if (at > 0 && ch_is(s, at - 1, CH_WORD))
        return; /* nearly always */
    if (at > 0 && !ch_is(s, at - 1, CH_SPACE | CH_QUOTE) && strchr("/(;|&$", s->p[at - 1]) == NULL)
        return;
    const struct redact_command *c = command_find(s, at);
    if (c != NULL)
        s->command = c;
    else if (scan_is(s, at, "echo ") || scan_is(s, at, "printf "))
        note_echo(s, at);
}

void command_end_at(struct scan *s, size_t at)
{
    bool continued = s->p[at] == '\n' && at > 0 && s->p[at - 1] == '\\';
    bool separates = s->p[at] == '\n' || ch_is(s, at + 1, CH_SPACE);
    if (separates && !continued)
        s->command = NULL;
}

/* One shell word from `at`: quoted and bare parts glued together. */
static size_t shell_word_end(struct scan *s, size_t at, size_t max)
{
    size_t i = at;
    uint8_t quote = 0;
    for (; i < s->n && i - at < max && s->p[i] != '\n'; i++) {
        uint8_t c = s->p[i];
        if (quote == 0 && ch_is(s, i, CH_BLANK))
            break;
        if (quote != 0 && c == quote)
            quote = 0;
        else if (quote == 0 && ch_is(s, i, CH_QUOTE))
            quote = c;
    }
    s->steps += i - at + 1;
    return i;
}

/* The part of the word behind its first `mark`, without quotes around it; of the word at most max bytes. */
static bool part_after(struct scan *s, size_t at, uint8_t mark, size_t max, struct value *v)
{
    size_t end = shell_word_end(s, at, max), i = at;
    while (i < end && s->p[i] != mark)
        i++;
    if (i >= end)
        return false;
    *v = (struct value){.from = i + 1, .to = end, .quote = '"', .stops = ""};
    if (v->to > v->from && ch_is(s, v->to - 1, CH_QUOTE))
        v->to--;
    if (v->to > v->from && ch_is(s, v->from, CH_QUOTE))
        v->from++;
    return v->to > v->from;
}

static bool is_bare_stand_in(const struct scan *s, const struct value *v)
{
    static const char *const names[] = {"password", "passwd",   "pass", "token",
                                        "secret",   "changeme", "pw",   NULL};
    struct bytes text = bytes_of(s->p + v->from, v->to - v->from);
    for (const char *const *n = names; *n != NULL; n++)
        if (bytes_ieq(text, bytes_str(*n)))
            return true;
    return false;
}

/* The last of at least two operands; a redirection, its file descriptor and the next command are none. */
static bool last_operand(struct scan *s, size_t at, struct value *v)
{
    struct value word;
    size_t operands = 0;
    while (value_read(s, at, ";|&<>", &word)) {
        bool redirected = strchr("<>", ch_at(s, word.to)) != NULL && ch_at(s, word.to) != 0;
        if (redirected && word.quote == 0 && value_is_digits(s, &word))
            break;
        if (operands > 0 || word.quote != 0 || s->p[word.from] != '-') {
            *v = word;
            operands++;
        }
        at = word.to + (word.quote != 0);
        at += scan_run(s, at, CH_BLANK, 8);
    }
    return operands >= 2;
}

static bool read_flag_value(struct scan *s, size_t at, enum flag_kind kind, size_t max, struct value *v)
{
    switch (kind) {
    case FLAG_USERPASS:
        return part_after(s, at, ':', max, v);
    case FLAG_PERCENT:
        return part_after(s, at, '%', max, v);
    case FLAG_COMMA:
        return part_after(s, at, ',', max, v);
    case FLAG_COOKIE:
        return part_after(s, at, '=', max, v) && v->to - v->from >= 8;
    case FLAG_SOURCE:
        return scan_is(s, at, "pass:") && value_read(s, at + 5, ";|&", v);
    case FLAG_LAST:
        return last_operand(s, at, v);
    case FLAG_NEXT:
    case FLAG_GLUED:
    case FLAG_BOTH:
        break;
    }
    return value_read(s, at, ";|&", v) && !(s->p[v->from] == '-' && v->quote == 0);
}

/* The short flag of row `c` may close a cluster: -su user:secret. Returns the position behind the flag, 0 if
 * it is another. */
static size_t flag_end(struct scan *s, size_t at, const struct redact_command *c)
{
    size_t n = strlen(c->flag);
    if (c->kind == FLAG_LAST) {
        size_t letters = s->p[at] == '-' ? scan_run(s, at + 1, CH_ALNUM, 12) : 0;
        bool among = letters > 0 && memchr(s->p + at + 1, c->flag[1], letters) != NULL;
        return among ? at + 1 + letters : 0;
    }
    if (scan_is(s, at, c->flag))
        return at + n;
    if (n != 2 || c->kind == FLAG_GLUED || s->p[at] != '-')
        return 0;
    size_t cluster = scan_run(s, at + 1, CH_ALPHA, 5);
    return cluster > 1 && cluster < 5 && s->p[at + cluster] == (uint8_t)c->flag[1] ? at + 1 + cluster : 0;
}

static bool row_matches(struct scan *s, size_t at, const struct redact_command *c, struct hit *h)
{
    struct value v;
    size_t end = flag_end(s, at, c);
    if (end == 0)
        return false;
    bool apart = ch_is(s, end, CH_BLANK | CH_EQUAL);
    if (apart ? c->kind == FLAG_GLUED : c->kind == FLAG_NEXT || (c->flag[1] == '-'))
        return false;
    end += scan_run(s, end, CH_BLANK | CH_EQUAL, 8);
    if (!read_flag_value(s, end, c->kind, VALUE_BYTES_MAX, &v) || value_is_reference(s, &v) ||
        (c->kind == FLAG_USERPASS && is_bare_stand_in(s, &v)))
        return false;
    if (v.to + 2 >= end + VALUE_BYTES_MAX && !read_flag_value(s, end, c->kind, SIZE_MAX, &v))
        return false;
    return value_hit(s, &v, h);
}

bool command_flag_at(struct scan *s, size_t at, struct hit *h)
{
    const struct redact_command *c = s->command;
    if (c == NULL || !ch_starts(s, at, CH_ALNUM | CH_UNDER | CH_DASH | CH_DOT | CH_PLUS_SLASH))
        return false;
    for (const struct redact_command *row = c; row < commands + N_COMMANDS && strcmp(row->name, c->name) == 0;
         row++)
        if (row_matches(s, at, row, h))
            return true;
    return false;
}

static bool reads_password(const struct scan *s, size_t at)
{
    return scan_is(s, at, "sudo -S") || scan_is(s, at, "passwd --stdin") || scan_is(s, at, "chpasswd") ||
           scan_is(s, at, "password-stdin") || scan_is(s, at, "with-token") || scan_is(s, at, "smbpasswd -s");
}

/* `reader <<< secret`: the reader stands shortly before. */
static bool here_string_at(struct scan *s, size_t at, struct hit *h)
{
    struct value v;
    size_t from = at > 48 ? at - 48 : 0;
    bool reader = false;
    for (size_t i = from; i < at && !reader; i++)
        reader = reads_password(s, i);
    s->steps += at - from;
    if (!reader || !value_read(s, at + 3 + scan_run(s, at + 3, CH_BLANK, 8), ";|&", &v) ||
        value_is_reference(s, &v))
        return false;
    return value_hit(s, &v, h);
}

/* `echo secret | reader`, seen from the reader, and here-strings. */
bool command_pipe_at(struct scan *s, size_t at, struct hit *h)
{
    if (s->p[at] == '<')
        return scan_is(s, at, "<<<") && ch_starts(s, at, CH_ALNUM) && here_string_at(s, at, h);
    if (s->echo_to == 0 || s->echo_to < s->floor || !reads_password(s, at))
        return false;
    size_t pipe = s->echo_to;
    while (pipe < at && (ch_is(s, pipe, CH_BLANK | CH_QUOTE)))
        pipe++;
    s->steps += pipe - s->echo_to;
    struct value v = {.from = s->echo_from, .to = s->echo_to, .quote = '"', .stops = ""};
    s->echo_to = 0;
    if (ch_at(s, pipe) != '|' || at - pipe > 200 || value_is_reference(s, &v))
        return false;
    size_t user = v.from;
    while (scan_is(s, at, "chpasswd") && user < v.to && s->p[user] != ':')
        user++;
    if (user + 1 < v.to && user > v.from)
        v.from = user + 1;
    return value_hit(s, &v, h);
}
