/* A strict pull tokenizer for JSON (RFC 8259) of any size, in constant memory.
 *
 * It reads from a descriptor or from memory and yields one token at a time; nothing is built. A string is
 * decoded into one buffer that holds at most LIMIT_OBSERVATION_BYTES: what is behind that is read and
 * dropped, and the token says so. Strict where others are lenient: no comments, no trailing commas, no
 * control characters in strings, nothing behind the document. Lenient where raw input must come through:
 * bytes that are not valid UTF-8 are kept, a lone surrogate escape becomes U+FFFD. Nesting is bounded by
 * JSON_DEPTH_MAX.
 */
#ifndef NODE_OBSERVE_JSON_STREAM_H
#define NODE_OBSERVE_JSON_STREAM_H

#include "base/bytes.h"

/* Deeper nesting is refused: what people's programs write is below ten. */
#define JSON_DEPTH_MAX 32
/* Digits of one number. */
#define JSON_NUMBER_BYTES 64
/* Members of all open objects together while one value is made canonical. */
#define JSON_MEMBERS_MAX 512

enum json_kind {
    JSON_END, /* behind the document */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_token {
    enum json_kind kind;
    struct bytes text; /* key or string (decoded), number (as written); borrowed until the next token */
    bool cut;          /* the string was longer than is kept */
};

struct json_stream {
    int fd; /* borrowed; -1 for memory */
    const uint8_t *p;
    size_t at, n;    /* window on the input */
    uint8_t *window; /* owned; NULL for memory */
    uint64_t base;   /* input bytes before the window */
    uint64_t line;   /* 1-based line of the last token */
    unsigned depth;
    bool in_object[JSON_DEPTH_MAX];
    int expect; /* internal */
    int err;    /* sticky */
    struct buf text;
};

/* Reads from fd, which stays the caller's. ERR_NOMEM. */
int json_init_fd(struct json_stream *s, int fd) MUST_CHECK;
/* Reads from memory, which must stay until release. */
void json_init_bytes(struct json_stream *s, struct bytes b);
void json_release(struct json_stream *s);
/* Bytes of input used so far. */
uint64_t json_offset(const struct json_stream *s);

/* The next token. ERR_FORMAT (text names line and byte), ERR_LIMIT (nesting), ERR_IO, ERR_NOMEM; sticky. */
int json_next(struct json_stream *s, struct json_token *t, struct err *e) MUST_CHECK;
/* Reads to the end of the value whose first token is `first`. */
int json_skip(struct json_stream *s, const struct json_token *first, struct err *e) MUST_CHECK;
/* Reads on until only `depth` containers are open (s->depth at an earlier time): out of a value that was
 * given up. */
int json_leave(struct json_stream *s, unsigned depth, struct err *e) MUST_CHECK;

/* An object that is being written in canonical form: no white space, members sorted by their written key,
 * strings in short escapes and valid UTF-8, numbers as written. Add a member, append its value to `text`
 * (json_put_string, buf_printf, json_canonical), add the next; end sorts them. */
struct json_members {
    struct buf text;
    struct buf scratch;
    struct json_member {
        size_t at, key, n; /* where its text starts, length of its key text, length of all of it */
    } m[JSON_MEMBERS_MAX];
    size_t n;
};
/* For an object of at most max bytes. */
void json_members_init(struct json_members *m, size_t max);
void json_members_release(struct json_members *m);
void json_members_clear(struct json_members *m);
/* Starts a member. ERR_LIMIT, ERR_NOMEM. */
int json_members_add(struct json_members *m, struct bytes key) MUST_CHECK;
/* Appends the value whose first token is `first` to m->text. ERR_FORMAT for a member that occurs twice,
 * ERR_LIMIT for too many members or bytes or a string that was cut; the stream is then somewhere inside the
 * value. */
int json_canonical(struct json_stream *s, const struct json_token *first, struct json_members *m,
                   struct err *e) MUST_CHECK;
/* Sorts what was added and appends the object to out; nothing when there are no members. ERR_FORMAT when a
 * key occurs twice. */
int json_members_end(struct json_members *m, struct buf *out) MUST_CHECK;

/* Appends b as a JSON string, quotes included; invalid UTF-8 becomes U+FFFD. */
int json_put_string(struct buf *out, struct bytes b);
/* A number's text × 1000, cut to an integer: seconds to milliseconds. ERR_LIMIT beyond ±9·10^15. */
int json_number_milli(struct bytes text, int64_t *out) MUST_CHECK;

#endif
