/* The watcher: inotify on what the user told the node to watch, no polling. A change is picked up after a
 * short rest, so that a burst of writes costs one reading; a source that takes long to read (a browser's
 * database) rests in proportion. Nothing is read during a pause; its records are dropped afterwards
 * (node/pause.h). */
#ifndef NODE_WATCH_H
#define NODE_WATCH_H

#include "node/node.h"

struct watch;

int watch_open(struct watch **out, struct node *n, struct err *e) MUST_CHECK;
int watch_fd(const struct watch *w); /* inotify */
/* Takes in what inotify reported. */
void watch_events(struct watch *w);
/* Runs what is due now, one bounded step. Returns when to call again: monotonic ms, 0 = at once, TIME_NONE =
 * only after the next event. */
int64_t watch_step(struct watch *w);
void watch_close(struct watch *w); /* NULL fine */

#endif
