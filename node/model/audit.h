/* Audit: the one gate between observers and everything else. Drops what the user's rules name, redacts the
 * rest, repairs text to valid UTF-8 within limits, and counts every decision without its content. Fails
 * closed: any error means the observation is dropped, and that is counted too.
 *
 * Rules are text, one a line, first match decides (grammar and meaning in AUDIT.md):
 *
 *     drop|keep [source=GLOB] [app=GLOB] [site=GLOB] [path=GLOB] [title=GLOB] [command=GLOB]
 *               [hours=HH:MM-HH:MM] [days=mon,tue-fri] [private]
 *
 * All conditions of a rule must hold. Built-in rules come first and cannot be kept away: private windows are
 * dropped; text from the model is dropped.
 */
#ifndef NODE_MODEL_AUDIT_H
#define NODE_MODEL_AUDIT_H

#include "node/model/redact.h"
#include "node/observe/observe.h"

enum audit_verdict { AUDIT_PASS, AUDIT_REDACT, AUDIT_DROP };

struct audit;

/* `rules`: the user's rule lines ("" for none); classes: redaction classes that are on. ERR_FORMAT names the
 * bad line and why. */
int audit_new(struct audit **out, struct bytes rules, unsigned classes, struct err *e) MUST_CHECK;
void audit_free(struct audit *a); /* NULL fine */

/* Checks one rule line alone (for `selfsame config`). */
int audit_rule_check(struct bytes line, struct err *e) MUST_CHECK;

/* Decides on *in. On PASS or REDACT *out is the observation to store: valid UTF-8, within limits, views
 * borrowed from `a` until the next call. On DROP *out is zeroed. Never fails: an internal failure is a DROP
 * by rule "error". in->offset_min must be known. */
enum audit_verdict audit_check(struct audit *a, const struct observation *in, struct observation *out);

/* The same redaction for a sentence that the user tells: appends to out, counts under source "tell". */
int audit_text(struct audit *a, struct bytes text, struct buf *out) MUST_CHECK;

/* Counts a decision that was taken outside (a pause) under `rule`; the content is not looked at. */
void audit_note(struct audit *a, const char *rule, struct bytes source, int64_t time_ms);

/* One line of the audit log: what was decided how often since the last take, without content. */
struct audit_count {
    char rule[64]; /* "redact:card", "private-window", "rule 3", "paused", "error" … */
    char source[65];
    uint64_t n;
    int64_t first_ms,
        last_ms; /* capture times of the first and last observation counted; 0 when none is known */
};
/* The i-th line, or false; audit_counts_clear starts anew (call it once the lines are durable). */
bool audit_counts_at(const struct audit *a, size_t i, struct audit_count *out);
void audit_counts_clear(struct audit *a);

#endif
