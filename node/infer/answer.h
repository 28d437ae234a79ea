/* What an endpoint answers, read tolerantly and never half. Pure functions over bytes; everything in them is
 * hostile.
 *
 * Models wrap JSON into fences and chatter, put an array where an object was asked for or the other way
 * round, leave a comma too much, write line breaks into strings, forget the last bracket. What has one
 * reading only is mended; what could be read in two ways, or ends before it is over, is refused as a whole.
 */
#ifndef NODE_INFER_ANSWER_H
#define NODE_INFER_ANSWER_H

#include "base/bytes.h"

#define ANSWER_DEPTH_MAX 32
#define ANSWER_MEMBERS_MAX 256   /* of one object */
#define ANSWER_VALUES_MAX 100000 /* of one document: each costs some memory */
#define ANSWER_KEYS_MAX 16
#define ANSWER_KEY_BYTES 64
#define ANSWER_CODE_BYTES 48
#define ANSWER_DIMS_MAX 4096
#define ANSWER_TEXT_BYTES (2u << 20) /* of a message */

/* ---- JSON that is nearly JSON */

struct json_mend {
    struct bytes in;
    size_t at;   /* where to begin; afterwards behind the value */
    bool strict; /* mend nothing */
    size_t values_max;
    size_t work;     /* bytes looked at, added to */
    unsigned depth;  /* internal */
    unsigned keys;   /* object keys taken */
    unsigned closed; /* arrays and objects completed */
    unsigned added;  /* closing brackets that were missing at the end */
    size_t values;   /* values taken */
    bool ended;      /* failed because the input was over */
    bool solid;      /* internal: the last token cannot go on */
    struct buf *out;
};

/* Appends the value at `at` to out as strict JSON. Mended: a comma before a closing bracket, comments,
 * control characters in strings, "\'", a lone surrogate (U+FFFD), True, False, None, and closing brackets
 * missing at the very end behind a string or another bracket. ERR_FORMAT, ERR_LIMIT; ERR_NOMEM. */
int json_mend(struct json_mend *m) MUST_CHECK;

/* ---- chat */

/* The part of a schema that tells which JSON document in a message is the answer. */
struct answer_shape {
    bool array;        /* else an object */
    bool list_objects; /* the elements of the array, or of the only list of the object, are objects */
    char required[ANSWER_KEYS_MAX][ANSWER_KEY_BYTES];
    size_t n_required;
    char list[ANSWER_KEY_BYTES]; /* object: its one array that could come alone; "": none */
};
/* ERR_USAGE: not a schema whose top is an object or an array. */
int answer_shape_read(struct bytes schema, struct answer_shape *out, struct err *e) MUST_CHECK;

struct answer_usage {
    bool given;
    unsigned tokens_in, tokens_out;
};
/* The first choice's message of a chat completion appended to text; its content may be a string or parts.
 * *cut: it stopped for length; *whole: it says that it stopped by itself. ERR_FORMAT. */
struct answer_message {
    struct buf *text;
    bool cut, whole;
    struct answer_usage usage;
};
int answer_message_read(struct bytes body, struct answer_message *m, struct err *e) MUST_CHECK;
/* The one JSON document of that shape in a message, appended to out as strict JSON. `whole`: closing brackets
 * missing at its end may be added. ERR_FORMAT. */
int answer_document(struct bytes text, const struct answer_shape *shape, bool whole, struct buf *out,
                    struct err *e) MUST_CHECK;

/* ---- embeddings */

struct answer_vectors {
    float *v; /* n × n_dims; the caller frees */
    size_t n, n_dims;
    struct answer_usage usage;
};
/* `n` vectors (floats, or base64 of little-endian ones), by their index, all of one dimension, finite, not
 * all zeros. ERR_FORMAT. */
int answer_vectors_read(struct bytes body, size_t n, struct answer_vectors *out, struct err *e) MUST_CHECK;

/* ---- errors */

/* The error's code or type as a word ("model_not_found"); "" when there is none. Its text is never taken: it
 * may repeat what was asked. */
void answer_error_code(struct bytes body, char out[ANSWER_CODE_BYTES + 1]);

#endif
