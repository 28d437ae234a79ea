#include "node/observe/stamped.h"

#include "base/cursor.h"
#include "node/observe/lines.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURSOR_VERSION 1

static bool describes(const struct stamped *s, struct bytes cursor)
{
    struct rd rd;
    rd_init(&rd, cursor);
    bool known = rd_u8(&rd) == CURSOR_VERSION;
    uint64_t size = rd_varint(&rd), ino = rd_varint(&rd);
    int64_t mtime_ns = rd_svarint(&rd);
    return rd_end(&rd) == 0 && known && size == s->size && ino == s->ino && mtime_ns == s->mtime_ns;
}

int stamped_open(struct stamped *s, const char *path, struct bytes cursor, bool *same, struct err *e)
{
    struct stat st;
    *s = (struct stamped){.fd = -1};
    int rc = regular_open(path, &s->fd, &s->size, e);
    if (rc)
        return rc;
    if (fstat(s->fd, &st) < 0) {
        rc = err_errno(e, errno, "cannot look at '%s'", path);
        stamped_close(s);
        return rc;
    }
    s->size = (uint64_t)st.st_size;
    s->ino = (uint64_t)st.st_ino;
    s->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    *same = describes(s, cursor);
    return 0;
}

void stamped_close(struct stamped *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

int stamped_cursor(const struct stamped *s, struct buf *out)
{
    wr_u8(out, CURSOR_VERSION);
    wr_varint(out, s->size);
    wr_varint(out, s->ino);
    wr_svarint(out, s->mtime_ns);
    return out->err;
}
