/* The node's vectors for retrieval (node/model/embed.h): which model or table the settings name, and when it
 * is at work. */
#ifndef NODE_EMBEDDING_H
#define NODE_EMBEDDING_H

#include "node/model/embed.h"
#include "node/node.h"

/* Of this node; made on the first call. NULL: it could not be, or the keys are locked. */
struct embed *embedding(struct node *n);
/* Before what it uses is closed, and after a setting changed. */
void embedding_close(struct node *n);
/* For a command that ends, without a running node: some of what a table can fill, at once; errors are
 * logged. */
void embedding_now(struct node *n);
/* The value of embed.table: empty, or the absolute path of a sound table. */
int embedding_check(struct bytes value, struct err *e) MUST_CHECK;

#endif
