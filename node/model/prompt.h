/* What all stages that ask a language model share: a prompt with its fence, and the checks on what came back.
 *
 * Content that was observed is untrusted: it may hold orders. It goes in behind a fence, a line of 32
 * hexadecimal digits drawn anew for each request, which the instructions name. What is fenced has its control
 * characters escaped, is cut to a length, and cannot hold the fence: an occurrence (chance, or a leak) is
 * taken out. Each piece is named by an id that is valid in this request only ("o3", "p1"); an answer can cite
 * nothing else.
 *
 * An answer is as untrusted as a page: what it says is checked here and in each stage, never obeyed. */
#ifndef NODE_MODEL_PROMPT_H
#define NODE_MODEL_PROMPT_H

#include "base/bytes.h"
#include "base/clock.h"
#include "store/local.h"

#include <cjson/cJSON.h>

#define PROMPT_FENCE 32                /* characters */
#define PROMPT_OBSERVATION_BYTES 1500u /* of the text of one observation shown */
#define PROMPT_FIELD_BYTES 300u        /* of each of its other fields, and of a claim's reasoning */
#define PROMPT_BYTES_MAX (512u << 10)
#define PROMPT_CLAIM_BYTES 400u      /* a claim that a model may make */
#define PROMPT_REASONING_BYTES 1200u /* and its reasoning */
#define PROMPT_USER_BYTES 64u        /* the user's name */
#define PROMPT_LIST_MAX 20u
#define PROPOSALS_MORE 4u /* claims than records */
#define PROMPT_SCHEMA_BYTES 16384u

struct prompt {
    char fence[PROMPT_FENCE + 1];
    const char *user; /* how the user is called in it: a name, or "the user"; borrowed */
    bool named;       /* it is a name */
    struct buf system, content;
    struct buf ids; /* that were shown, each with a comma behind it */
};
/* Draws the fence. `user`: the user's name; NULL or "": "the user". Then prompt_release(). */
void prompt_init(struct prompt *p, const struct rng *rng, const char *user);
void prompt_release(struct prompt *p);
/* What every stage says of fences, orders, other people and the user's name; appended to the system part. */
void prompt_rules(struct prompt *p);
/* Fenced pieces: prompt_open(), any of prompt_field() and prompt_observation(), prompt_close(). `value`
 * empty: the field is left out. */
void prompt_open(struct prompt *p, const char *id);
void prompt_field(struct prompt *p, const char *name, struct bytes value, size_t max);
void prompt_observation(struct prompt *p, const char *id, const struct stored_observation *o);
void prompt_close(struct prompt *p);
/* The schema of the answer: the template with what this request alone allows put in. In the template
 * "enum":"$cp" stands for the ids shown that begin with c or p, and ,"pattern":"$claim" for how a claim must
 * begin; it is left out where the user's name is more than letters, digits and spaces. "$count" is the number
 * of ids, "$more" PROPOSALS_MORE more, both at most PROMPT_LIST_MAX. A server that keeps a model to its
 * schema then keeps it to what the checks below let through. */
int prompt_schema(const struct prompt *p, const char *template, struct buf *out) MUST_CHECK;
/* 0, or why the parts cannot be used. */
int prompt_error(const struct prompt *p, struct err *e) MUST_CHECK;

/* A text and its reasoning lie one behind the other at *at; of them only the lengths were known while their
 * buffer still grew. *at moves behind them. */
void texts_place(const uint8_t **at, struct bytes *text, struct bytes *reasoning);

/* ---- answers */

/* The document, an object with the array `list` of at most `max` objects; ERR_FORMAT, ERR_LIMIT otherwise.
 * The caller deletes *doc. */
int reply_open(struct bytes answer, const char *list, size_t max, cJSON **doc, const cJSON **items,
               struct err *e) MUST_CHECK;
/* A text of 1..max bytes: UTF-8 on one line, nothing that text_escape() would touch, no fence; empty: not
 * one. */
struct bytes reply_text(const struct prompt *p, const cJSON *item, const char *key, size_t max);
/* A whole number in 1..10; 0: not one. */
uint8_t reply_score(const cJSON *item, const char *key);
/* "o7" → 6 when prefix is 'o' and 7 ≤ n; SIZE_MAX: not shown. */
size_t reply_id(const cJSON *id, char prefix, size_t n);
/* A sentence about the user and nobody else: begins with the user's name (or "The user") and a verb, is no
 * order and names no fence; the claim as it is stored (without "The user" when no name is set) is appended to
 * out. */
bool reply_claim(const struct prompt *p, const cJSON *item, struct buf *out);

#endif
