/* Inside of the audit: rules and the redaction of JSON text. */
#ifndef NODE_MODEL_AUDIT_INT_H
#define NODE_MODEL_AUDIT_INT_H

#include "node/model/audit.h"

/* ---- rules (audit_rules.c) ---- */

enum rule_field { RULE_SOURCE, RULE_APP, RULE_SITE, RULE_PATH, RULE_TITLE, RULE_COMMAND, RULE_FIELDS };

/* One line. An empty glob (n = 0) is a condition not given. */
struct rule {
    bool drop;
    bool private_only;
    unsigned line;                  /* 1-based line of the rules text */
    struct bytes glob[RULE_FIELDS]; /* borrowed from the rules text */
    int from_min, to_min;           /* minutes of the day, from_min < 0: any hour */
    uint8_t days;                   /* bit 0 Monday … bit 6 Sunday; 0: any day */
};

/* Reads one line into *r. *given is false for a blank or a comment. */
int rule_parse(struct bytes line, struct rule *r, bool *given, struct err *e) MUST_CHECK;
bool rule_matches(const struct rule *r, const struct observation *o);
/* '*' and '?', ASCII case-insensitive. Time at most glob.n * text.n. */
bool glob_matches(struct bytes glob, struct bytes text);
/* The host of a URL, lower part of the authority without user and port; empty when there is none. */
struct bytes url_host(struct bytes url);

/* ---- JSON (audit_json.c) ---- */

/* Appends the JSON text with what `classes` names replaced inside its strings and numbers, keys included;
 * what has a secret's name loses its value. ERR_FORMAT if `in` is not one JSON value (nesting at most 32).
 * The rest is kept byte for byte. */
int json_redact(struct bytes in, unsigned classes, struct buf *out, struct redact_counts *counts) MUST_CHECK;

#endif
