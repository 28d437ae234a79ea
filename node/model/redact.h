/* The redactor: finds secrets and private identifiers in text and replaces each with a typed placeholder,
 * [CARD], [IBAN], [SECRET:aws] … Validators decide (Luhn, mod 97 with the country's length, structure,
 * entropy), not words on the page. Runs before anything is stored; linear in the input.
 */
#ifndef NODE_MODEL_REDACT_H
#define NODE_MODEL_REDACT_H

#include "base/bytes.h"

enum redact_class {
    REDACT_CARD,        /* payment card numbers: issuer range, length, Luhn */
    REDACT_IBAN,        /* country length and mod 97 */
    REDACT_PRIVATE_KEY, /* PEM / OpenSSH / PGP private key blocks */
    REDACT_TOKEN,       /* provider tokens and API keys by their structure */
    REDACT_PASSWORD,    /* passwords and tokens on command lines, in assignments, headers and URLs */
    REDACT_EMAIL,       /* e-mail addresses (off by default) */
    REDACT_PHONE,       /* phone numbers (off by default) */
    REDACT_CLASSES
};

#define REDACT_BIT(c) (1u << (c))
#define REDACT_DEFAULT ((1u << REDACT_EMAIL) - 1u)
#define REDACT_ALL ((1u << REDACT_CLASSES) - 1u)

/* Where the text comes from: command lines have flags and assignments, URLs have user info and query
 * parameters. */
enum redact_context { REDACT_TEXT, REDACT_COMMAND, REDACT_URL };

struct redact_counts {
    uint32_t n[REDACT_CLASSES];
};

/* A span that was found, for the evaluation. */
struct redact_span {
    size_t from, to;
    enum redact_class cls;
    char label[32]; /* "aws", "github-pat" …: the part after "SECRET:"; "" for the others */
};

/* Appends `in` (valid UTF-8) to out with what `classes` (bits) names replaced. Adds to *counts. Returns 0,
 * ERR_NOMEM or ERR_LIMIT; on error out must not be used: callers drop the observation (fail closed). */
int redact(struct bytes in, unsigned classes, enum redact_context context, struct buf *out,
           struct redact_counts *counts) MUST_CHECK;
/* The spans alone, in order, without overlaps; at most `max`; returns how many. */
size_t redact_find(struct bytes in, unsigned classes, enum redact_context context, struct redact_span *spans,
                   size_t max);
/* "card", "iban", "private-key", "token", "password", "email", "phone". */
const char *redact_class_name(enum redact_class c);

#endif
