/* Files that their program writes anew each time (an ActivityWatch export, recently-used.xbel): there is no
 * place in them to go on from, so the cursor is what the file looked like. While it looks the same there is
 * nothing to read; else all of it is read again, and the store drops what it has seen. */
#ifndef NODE_OBSERVE_STAMPED_H
#define NODE_OBSERVE_STAMPED_H

#include "base/bytes.h"

struct stamped {
    int fd; /* -1 when closed */
    uint64_t size;
    uint64_t ino;
    int64_t mtime_ns;
};

/* Opens a regular file (regular_open's errors) and takes its stamp. *same: it is the file that the cursor
 * describes. */
int stamped_open(struct stamped *s, const char *path, struct bytes cursor, bool *same,
                 struct err *e) MUST_CHECK;
/* Fine on one that failed to open. */
void stamped_close(struct stamped *s);
/* Appends the cursor; to be asked for only when the whole file was read. */
int stamped_cursor(const struct stamped *s, struct buf *out) MUST_CHECK;

#endif
