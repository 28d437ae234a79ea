/* Describing a picture: the question to a model that sees, and what is taken of its answer.
 *
 * A picture is as untrusted as a page: text in it may hold orders. It stands between two lines of the fence
 * (node/model/prompt.h) in the same message. The answer is words of a model about it, untrusted too: bounded,
 * escaped, and then audited like any other record. */
#ifndef NODE_MODEL_DESCRIBE_H
#define NODE_MODEL_DESCRIBE_H

#include "node/infer/endpoint.h"
#include "node/model/prompt.h"
#include "node/observe/observe.h"

#define DESCRIBE_SEEN_BYTES 1200u
#define DESCRIBE_DOING_BYTES 400u
#define DESCRIBE_FIELD_BYTES 200u /* app, title */
#define DESCRIBE_URL_BYTES 500u
#define DESCRIBE_TOKENS 1200u /* of the answer */
#define DESCRIBE_PARTS 4

extern const char describe_schema[];

/* The message: parts[] point into p and image. */
void describe_ask(struct prompt *p, struct bytes image, const char *type,
                  struct chat_part parts[DESCRIBE_PARTS]);

struct description {
    struct buf app, title, url, text;
};
void description_init(struct description *d);
void description_release(struct description *d);
/* Fills app, title, url and text of *o (views of *d), private_window and from_model; ERR_FORMAT: the answer
 * does not say what is to be seen. */
int describe_read(const struct prompt *p, struct bytes answer, struct description *d, struct observation *o,
                  struct err *e) MUST_CHECK;

#endif
