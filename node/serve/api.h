/* One function behind the command line, the control socket and the tests: a request document in, an answer
 * document out (node/CONTROL.md). */
#ifndef NODE_SERVE_API_H
#define NODE_SERVE_API_H

#include "node/node.h"

#include <cjson/cJSON.h>

/* Answers one request. On success *answer is a document that the caller frees with cJSON_Delete(). On failure
 * a negative code with *e filled (never NULL here) and *answer NULL. Core thread only. */
int api_call(struct node *n, const cJSON *request, cJSON **answer, struct err *e) MUST_CHECK;

/* Whether a command only reads, so that it may run on a folder that another process is writing. False for
 * unknown ones. */
bool api_reads(const char *cmd);

/* The same over the wire: parses a message, calls, renders an answer or an error document into out. Returns
 * 0, or ERR_NOMEM / ERR_LIMIT when out cannot hold it. */
int api_message(struct node *n, struct bytes request, struct buf *out) MUST_CHECK;
/* An error as a document, and back: api_error_of returns the code and fills *e when doc is an error document,
 * else 0. */
cJSON *api_error_document(const struct err *e);
int api_error_of(const cJSON *doc, struct err *e);

#endif
