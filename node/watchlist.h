/* Which sources and paths the node was told to watch: local settings, read by the watcher, edited through the
 * control interface. */
#ifndef NODE_WATCHLIST_H
#define NODE_WATCHLIST_H

#include "node/node.h"

#include <cjson/cJSON.h>

#define WATCHES_MAX 64

/* fn gets each entry; it returns 0 to go on. */
int watchlist_each(struct node *n, int (*fn)(void *ctx, const char *source, const char *path), void *ctx,
                   struct err *e) MUST_CHECK;
/* Adds one (known source, absolute path that exists), or removes it (ERR_NOTFOUND). Tells the running
 * watcher. */
int watchlist_add(struct node *n, const char *source, const char *path, struct err *e) MUST_CHECK;
int watchlist_remove(struct node *n, const char *source, const char *path, struct err *e) MUST_CHECK;
/* "watching" of doc. */
int watchlist_put(struct node *n, cJSON *doc) MUST_CHECK;

#endif
