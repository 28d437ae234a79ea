/* Inside of the redactor: the scan that all detectors share, and the detectors.
 *
 * The scan walks the text once. At each byte a 256-entry table says which detectors could start there; a
 * detector looks at a bounded neighbourhood and either names a span or declines. Only a span that was found
 * may be unbounded (it is consumed), or a run whose start the previous byte rules out for every later
 * position (it is read once). So the whole is linear; `steps` counts the bytes that detectors look at, and a
 * test holds it to a constant per byte.
 */
#ifndef NODE_MODEL_REDACT_INT_H
#define NODE_MODEL_REDACT_INT_H

#include "node/model/redact.h"

/* What a byte can be part of. */
enum {
    CH_DIGIT = 1 << 0,
    CH_LOWER = 1 << 1,
    CH_UPPER = 1 << 2,
    CH_HEX_LOWER = 1 << 3, /* a-f */
    CH_HEX_UPPER = 1 << 4, /* A-F */
    CH_UNDER = 1 << 5,
    CH_DASH = 1 << 6,
    CH_DOT = 1 << 7,
    CH_PLUS_SLASH = 1 << 8,
    CH_EQUAL = 1 << 9,
    CH_BLANK = 1 << 10, /* space and tab */
    CH_END = 1 << 11,   /* line ends */
    CH_QUOTE = 1 << 12, /* " ' ` */
    CH_LOCAL = 1 << 13, /* the local part of an address, beyond letters and digits: . _ % + - */
};
#define CH_ALPHA (CH_LOWER | CH_UPPER)
#define CH_ALNUM (CH_ALPHA | CH_DIGIT)
#define CH_WORD (CH_ALNUM | CH_UNDER | CH_DASH)
#define CH_SPACE (CH_BLANK | CH_END)

extern const uint16_t redact_chars[256];

/* A command whose flags carry secrets; see redact_command.c. */
struct redact_command;

#define WAITING_MAX 4

struct hit {
    size_t from, to;
    enum redact_class cls;
    const char *label; /* static; "" for classes that need none */
};

struct scan {
    const uint8_t *p;
    size_t n;
    unsigned classes;
    enum redact_context context;
    size_t at;                       /* where the walk is */
    size_t floor;                    /* end of the last span: no span may begin before it */
    struct hit waiting[WAITING_MAX]; /* found, but the walk is not there yet; in order */
    size_t n_waiting;
    size_t steps;                         /* bytes that detectors have looked at */
    const struct redact_command *command; /* the command whose arguments these are, or NULL */
    size_t echo_from, echo_to; /* the argument of the last `echo`, for pipes into a password prompt */
};

void scan_init(struct scan *s, struct bytes in, unsigned classes, enum redact_context context);
/* The next span, or false at the end. */
bool scan_next(struct scan *s, struct hit *h);

static inline bool ch_is(const struct scan *s, size_t at, unsigned mask)
{
    return at < s->n && (redact_chars[s->p[at]] & mask) != 0;
}
/* The byte at `at`, 0 past the end. */
static inline uint8_t ch_at(const struct scan *s, size_t at)
{
    return at < s->n ? s->p[at] : 0;
}
static inline uint8_t ch_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}
/* The byte before `at` is not in mask (or there is none). */
static inline bool ch_starts(const struct scan *s, size_t at, unsigned mask)
{
    return at == 0 || (redact_chars[s->p[at - 1]] & mask) == 0;
}
/* Length of the run of bytes in mask from `at`, at most max; counts steps. */
size_t scan_run(struct scan *s, size_t at, unsigned mask, size_t max);
/* The text at `at` is `word` (ASCII, exact or in lower case). */
bool scan_is(const struct scan *s, size_t at, const char *word);
bool scan_iis(const struct scan *s, size_t at, const char *lower);
/* A separator inside grouped numbers: space, dash, no-break space, narrow no-break space, hyphens and dashes
 * of U+2010..2013. Returns its bytes, 0 if none. */
size_t scan_group_separator(const struct scan *s, size_t at);
/* The value looks made up: one character over and over, runs of x or *, hardly any different characters. */
bool redact_is_dummy(struct bytes value);

/* Detectors: true and *h filled if a span is found that `at` triggers. */
bool card_at(struct scan *s, size_t at, struct hit *h);
bool iban_at(struct scan *s, size_t at, struct hit *h);
bool private_key_at(struct scan *s, size_t at, struct hit *h);
/* Tokens that start with a literal of the table; those known by a number, by an inner mark. */
bool token_at(struct scan *s, size_t at, struct hit *h);
bool token_number_at(struct scan *s, size_t at, struct hit *h);
bool token_mark_at(struct scan *s, size_t at, struct hit *h);
/* Names that stand for secrets, followed by a value. */
bool password_name_at(struct scan *s, size_t at, struct hit *h);
/* The same for a name and a value that stand apart, as in JSON. */
bool password_named(struct bytes name, struct bytes value);
/* "://user:password@" seen from the colon; "?sig=" seen from the '?' or '&'. */
bool password_url_at(struct scan *s, size_t at, struct hit *h);
bool password_query_at(struct scan *s, size_t at, struct hit *h);
/* Command words set s->command; flags of that command are seen from their dash. */
void command_word_at(struct scan *s, size_t at);
void command_end_at(struct scan *s, size_t at);
bool command_flag_at(struct scan *s, size_t at, struct hit *h);
bool command_pipe_at(struct scan *s, size_t at, struct hit *h);
bool email_at(struct scan *s, size_t at, struct hit *h);
bool phone_at(struct scan *s, size_t at, struct hit *h);

/* The token table is in the order its search relies on. */
bool redact_tokens_sorted(void);

/* Values (redact_value.c). A value is read from `at`: quoted or bare. */
struct value {
    size_t from, to;   /* without the quotes */
    uint8_t quote;     /* 0 when bare */
    const char *stops; /* bytes beyond white space and quotes that end a bare one */
};
/* Reads the value at `at`, of a bare one at most VALUE_BYTES_MAX bytes; false if there is none. */
#define VALUE_BYTES_MAX 512u
bool value_read(struct scan *s, size_t at, const char *stops, struct value *v);
/* A variable, a substitution, a placeholder, one of our own marks: nothing to hide. */
bool value_is_reference(const struct scan *s, const struct value *v);
/* As above, or a word that stands for "put yours here", code or a path. */
bool value_is_placeholder(const struct scan *s, const struct value *v);
/* Letters and digits mixed, or symbols: not a word of prose. */
bool value_is_strong(const struct scan *s, const struct value *v);
bool value_is_digits(const struct scan *s, const struct value *v);
/* Fills a password hit over the value, to its very end; true. */
bool value_hit(struct scan *s, const struct value *v, struct hit *h);

#endif
