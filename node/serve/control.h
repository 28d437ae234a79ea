/* The control socket: nng rep0 over ipc (node/CONTROL.md). nng's threads only move messages into a bounded
 * queue; requests are answered on the core thread, by control_serve(). */
#ifndef NODE_SERVE_CONTROL_H
#define NODE_SERVE_CONTROL_H

#include "node/node.h"

#include <cjson/cJSON.h>

struct control;

/* Listens on control.sock in the folder of `n`, mode 0600. The folder's lock must be held: an old socket file
 * is then stale and removed. */
int control_open(struct control **out, const struct node *n, struct err *e) MUST_CHECK;
/* Readable while requests wait. */
int control_fd(const struct control *c);
/* Answers what waits now. */
int control_serve(struct control *c, struct node *n, struct err *e) MUST_CHECK;
void control_close(struct control *c); /* NULL fine; waits for nng's threads */

/* The other end, for the command line. ERR_NOTRUNNING when nobody listens. */
struct control_client;
int control_connect(struct control_client **out, const char *home, struct err *e) MUST_CHECK;
/* One request, one answer (an error document is turned into the error it stands for). ERR_NOTRUNNING when the
 * node goes away in between. */
int control_call(struct control_client *c, const cJSON *request, cJSON **answer, struct err *e) MUST_CHECK;
void control_disconnect(struct control_client *c); /* NULL fine */

#endif
