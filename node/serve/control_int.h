/* What both ends of the control socket share. */
#ifndef NODE_SERVE_CONTROL_INT_H
#define NODE_SERVE_CONTROL_INT_H

#include "base/err.h"

#define CONTROL_SOCKET "control.sock"
#define CONTROL_URL_BYTES 114 /* "ipc://" and what a socket address holds (sun_path: 108 with its NUL) */

/* The socket's URL for a data folder. ERR_LIMIT. */
int control_url(const char *home, char out[CONTROL_URL_BYTES], struct err *e) MUST_CHECK;
/* Fills e from an nng error number; returns our code. */
int control_nng_error(struct err *e, int rv, const char *what);

#endif
