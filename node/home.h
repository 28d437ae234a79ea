/* The data folder: where it is, who may use it, and the device's identity, which lives outside the database
 * (DESIGN §3.5).
 *
 *   selfsame.db (+ -wal, -shm)   the store
 *   device                       text: device id, name, current log, lease (no secrets)
 *   secret                       text: 32 bytes in hex that key event keys and claim ids; 0600
 *   lock                         held (flock) by whoever may write: the node, or one command without a node
 *   control.sock                 the node's control socket
 *   tmp/                         copies of browser databases while they are read
 *
 * The folder is 0700 and every file 0600; looser permissions are refused with the command that mends them.
 * The lease is a random number kept both in the database and in `device`; each opening for writing replaces
 * it. When the two differ, the database is not the one this device last wrote (restored, copied, made anew),
 * and the device opens a new log.
 */
#ifndef NODE_HOME_H
#define NODE_HOME_H

#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"

#define HOME_SECRET_BYTES 32

struct home {
    char path[LIMIT_PATH_BYTES];
    int lock_fd; /* -1: not held */
    struct id device, log;
    char name[LIMIT_NAME_BYTES + 1];
    struct secret event_secret;
    uint8_t lease[2][16]; /* the database holds one of these two */
};

/* The folder to use: `given`, else SELFSAME_HOME, else $XDG_DATA_HOME/selfsame, else
 * $HOME/.local/share/selfsame. */
int home_locate(const char *given, char out[LIMIT_PATH_BYTES], struct err *e) MUST_CHECK;
/* Makes the folder and the identity. ERR_EXISTS when there is a device already. */
int home_create(const char *path, struct bytes name, const struct rng *rng, struct err *e) MUST_CHECK;
/* Checks permissions and reads the identity. ERR_NOTFOUND (hint: init), ERR_PERM (hint: chmod), ERR_FORMAT,
 * ERR_VERSION. Holds no lock. */
int home_open(struct home *h, const char *path, struct err *e) MUST_CHECK;
/* Takes the lock, waiting at most wait_ms. ERR_INUSE. Call home_reload() behind it: whoever held the lock
 * before has renewed the lease. */
int home_lock(struct home *h, int wait_ms, struct err *e) MUST_CHECK;
/* Reads `device` again. */
int home_reload(struct home *h, struct err *e) MUST_CHECK;
/* Writes `device` anew, atomically and durably. */
int home_save(const struct home *h, struct err *e) MUST_CHECK;
/* Unlocks and wipes. */
void home_close(struct home *h);
/* "PATH/name" into out. */
int home_file(const struct home *h, const char *name, char out[LIMIT_PATH_BYTES], struct err *e) MUST_CHECK;

#endif
