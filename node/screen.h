/* Screenshots: the command of the settings (`screenshot.command`) prints a picture, at most once in
 * `screenshot.every`; when the screen has changed it is described (node/pictures.h) and what is said of it
 * kept, never the picture. Nothing is taken without a command, during a pause, while the keys are locked,
 * when a rule of the audit drops the source `screenshot` now, or when the endpoint could not be asked at
 * once.
 *
 * The running node only. Core thread. Page: node/observe/IMAGES.md. */
#ifndef NODE_SCREEN_H
#define NODE_SCREEN_H

#include "node/node.h"

#define SCREEN_EVERY_MS_MIN 10000
#define SCREEN_COMMAND_MS 20000 /* for the command */

struct screen;
/* Fills n->screen; pictures_open() first. */
int screen_open(struct node *n, struct err *e) MUST_CHECK;
void screen_close(struct node *n);     /* fine when not open; before pictures_close() */
int screen_fd(const struct screen *s); /* readable when screen_step() has something to do */
/* Moves on; returns when it wants to be called again (monotonic ms), TIME_NONE: after its fd, or never. */
int64_t screen_step(struct node *n);
/* A setting changed. */
void screen_wake(struct node *n);

struct screen_state {
    bool on; /* a command is set */
    uint64_t taken,
        unchanged;     /* since it was opened: pictures that the command printed; of them seen before */
    char trouble[480]; /* why none is taken, or kept; "" */
};
void screen_look(const struct node *n, struct screen_state *out); /* all zero when not open */

/* `screenshot.every`: a duration of at least SCREEN_EVERY_MS_MIN. ERR_USAGE. */
int screen_every_check(struct bytes value, struct err *e) MUST_CHECK;

#endif
