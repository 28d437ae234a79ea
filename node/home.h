/* The data folder: where it is, who may use it, and the device's identity, which lives outside the database.
 *
 *   selfsame.db (+ -wal, -shm)   the store
 *   device                       text: device id, name, current log, lease (no secrets)
 *   keys                         the device's secrets (node/keys.h); 0600
 *   share                        what the sources share, as last applied (node/share.h)
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

#include "base/limits.h"
#include "node/keys.h"

struct home {
    char path[LIMIT_PATH_BYTES];
    int lock_fd; /* -1: not held */
    struct id device, log;
    char name[LIMIT_NAME_BYTES + 1];
    struct keys keys;     /* zeros while locked */
    bool locked;          /* the key file does not open by itself: home_unlock() */
    uint8_t lease[2][16]; /* the database holds one of these two */
};

/* The folder to use: `given`, else SELFSAME_HOME, else $XDG_DATA_HOME/selfsame, else
 * $HOME/.local/share/selfsame. */
int home_locate(const char *given, char out[LIMIT_PATH_BYTES], struct err *e) MUST_CHECK;
/* A device name: 1 to 64 bytes of UTF-8 without control characters. ERR_USAGE. */
int home_name_check(struct bytes name, struct err *e) MUST_CHECK;
/* Makes the folder and the identity. ERR_EXISTS when there is a device already. */
int home_create(const char *path, struct bytes name, const struct rng *rng, struct err *e) MUST_CHECK;
/* Checks permissions and reads the identity; a key file that does not open by itself leaves h->locked.
 * ERR_NOTFOUND (hint: init), ERR_PERM (hint: chmod), ERR_FORMAT, ERR_VERSION; ERR_ATTENTION: the key file is
 * gone; ERR_VERIFY: it is another device's. Holds no lock. */
int home_open(struct home *h, const char *path, struct err *e) MUST_CHECK;
/* The same without looking at the keys. */
int home_open_keyless(struct home *h, const char *path, struct err *e) MUST_CHECK;
/* Opens the keys; `u` NULL: by themselves. Errors as keys_open() and home_open(). */
int home_unlock(struct home *h, const struct keyfile_unlock *u, struct err *e) MUST_CHECK;
/* Forgets the keys; h->locked is set. */
void home_wipe_keys(struct home *h);
/* Writes `keys` anew, atomically and durably. */
int home_save_keys(struct home *h, const struct rng *rng, struct err *e) MUST_CHECK;
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
