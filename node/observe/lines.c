/* One buffer that starts at 64 KiB and grows to the longest line allowed; a longer line is thrown away as it
 * is read.
 *
 * Invariants: p[start] is the file's byte `base`; p[start .. start+scanned) holds no newline; the line given
 * last lies directly before p[start] until the next read, which is what lines_back relies on. */
#include "node/observe/lines.h"

#include "base/cursor.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)64 << 10)
/* The longest line, its CRLF, and one byte to see that it is too long. */
#define BUFFER_BYTES_MAX ((size_t)LIMIT_LINE_BYTES + 3)
/* The fingerprint covers this much at the head of the file and this much before the mark. */
#define PRINT_BYTES ((size_t)4096)
#define CURSOR_VERSION 1

uint64_t hash64(struct bytes b, uint64_t seed)
{
    uint64_t h = seed;
    for (size_t i = 0; i < b.n; i++)
        h = (h ^ b.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static int not_regular(const char *path, mode_t mode, struct err *e)
{
    if (S_ISDIR(mode))
        return err_set(e, ERR_FORMAT, "'%s' is a folder, not a file", path);
    return err_set(e, ERR_FORMAT, "'%s' is not a regular file", path);
}

int regular_open(const char *path, int *fd, uint64_t *size, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_errno(e, errno, "cannot open '%s'", path);
    if (!S_ISREG(st.st_mode)) /* before open: opening some devices has effects */
        return not_regular(path, st.st_mode, e);
    int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (f < 0)
        return err_errno(e, errno, "cannot open '%s'", path);
    if (fstat(f, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(f);
        return not_regular(path, st.st_mode, e);
    }
    *fd = f;
    *size = (uint64_t)st.st_size;
    return 0;
}

int lines_open(struct lines *l, const char *path, int fd, bool growing, struct err *e)
{
    *l = (struct lines){.fd = fd, .growing = growing};
    if (fd < 0) {
        int rc = regular_open(path, &l->fd, &l->size, e);
        if (rc)
            return rc;
        l->own = l->seekable = true;
    }
    l->p = malloc(CHUNK_BYTES);
    if (!l->p) {
        lines_close(l);
        return err_set(e, ERR_NOMEM, "out of memory");
    }
    l->cap = CHUNK_BYTES;
    return 0;
}

void lines_close(struct lines *l)
{
    if (l->own)
        close(l->fd);
    free(l->p);
    *l = (struct lines){.fd = -1};
}

/* Makes room behind p[end): by moving what is unread to the front, else by growing. */
static int make_room(struct lines *l)
{
    if (l->start > 0) {
        memmove(l->p, l->p + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    if (l->end < l->cap)
        return 0;
    size_t cap = l->cap * 2 < BUFFER_BYTES_MAX ? l->cap * 2 : BUFFER_BYTES_MAX;
    uint8_t *p = realloc(l->p, cap);
    if (!p)
        return ERR_NOMEM;
    l->p = p;
    l->cap = cap;
    return 0;
}

static int fill(struct lines *l, struct err *e)
{
    if (make_room(l))
        return err_set(e, ERR_NOMEM, "out of memory");
    ssize_t n;
    do
        n = read(l->fd, l->p + l->end, l->cap - l->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, errno, "cannot read");
    l->end += (size_t)n;
    l->eof = n == 0;
    return 0;
}

static void consume(struct lines *l, size_t n)
{
    l->start += n;
    l->base += n;
    l->scanned = 0;
}

/* Gives the first `n` unread bytes (line end included) as a line. */
static int emit(struct lines *l, size_t n, bool ended, struct line *out)
{
    struct bytes text = bytes_of(l->p + l->start, n);
    if (ended)
        text.n--;
    if (ended && text.n > 0 && text.p[text.n - 1] == '\r')
        text.n--;
    if (l->base == 0 && bytes_starts(text, BYTES_LIT("\xef\xbb\xbf")))
        text = bytes_slice(text, 3, text.n);
    *out = (struct line){.text = text, .no = l->no + 1, .at = l->base, .end = l->base + n, .ended = ended};
    consume(l, n);
    l->no++;
    l->last = n;
    if (text.n <= LIMIT_LINE_BYTES)
        return LINE_TEXT;
    out->text = BYTES_NONE;
    return LINE_LONG;
}

/* Throws away the rest of a line that has outgrown the buffer. */
static int skip_long(struct lines *l, struct line *out, struct err *e)
{
    struct line_mark from = lines_here(l);
    for (;;) {
        const uint8_t *nl = memchr(l->p + l->start, '\n', l->end - l->start);
        if (nl) {
            consume(l, (size_t)(nl - (l->p + l->start)) + 1);
            break;
        }
        consume(l, l->end - l->start);
        int rc = fill(l, e);
        if (rc)
            return rc;
        if (l->eof && l->growing) {
            l->unfinished = true;
            return LINE_END;
        }
        if (l->eof)
            break;
    }
    l->no++;
    *out = (struct line){.no = l->no, .at = from.at, .end = l->base, .ended = !l->eof};
    return LINE_LONG;
}

static int last_line(struct lines *l, struct line *out)
{
    if (l->start == l->end)
        return LINE_END;
    l->unfinished = l->growing;
    return l->growing ? LINE_END : emit(l, l->end - l->start, false, out);
}

int lines_next(struct lines *l, struct line *out, struct err *e)
{
    for (;;) {
        size_t unread = l->end - l->start;
        const uint8_t *from = l->p + l->start;
        const uint8_t *nl = memchr(from + l->scanned, '\n', unread - l->scanned);
        if (nl)
            return emit(l, (size_t)(nl - from) + 1, true, out);
        l->scanned = unread;
        if (l->eof)
            return last_line(l, out);
        if (unread == BUFFER_BYTES_MAX)
            return skip_long(l, out, e);
        int rc = fill(l, e);
        if (rc)
            return rc;
    }
}

void lines_back(struct lines *l)
{
    l->start -= l->last;
    l->base -= l->last;
    l->scanned = 0;
    l->no--;
    l->last = 0;
}

bool lines_unfinished(const struct lines *l)
{
    return l->unfinished;
}

void lines_progress(const struct lines *l, uint64_t *done, uint64_t *total)
{
    *done = l->base;
    *total = l->size;
}

struct line_mark lines_here(const struct lines *l)
{
    return (struct line_mark){.at = l->base, .no = l->no};
}

/* Hashes `n` bytes at `at`; false when the file does not have them. */
static bool hash_at(int fd, uint64_t at, size_t n, uint64_t *h)
{
    uint8_t page[PRINT_BYTES];
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, page, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        *h = hash64(bytes_of(page, (size_t)got), *h);
        done += (size_t)got;
    }
    return true;
}

/* What stands before `at`: the first page and the last one. Cutting the file from the front, rotating or
 * rewriting it changes at least one of them. */
static bool fingerprint(const struct lines *l, uint64_t at, uint64_t *h)
{
    size_t n = at < PRINT_BYTES ? (size_t)at : PRINT_BYTES;
    *h = HASH64_SEED;
    return hash_at(l->fd, 0, n, h) && hash_at(l->fd, at - n, n, h);
}

int lines_cursor_put(const struct lines *l, const struct line_mark *m, struct buf *out)
{
    uint64_t print;
    if (!l->seekable || !fingerprint(l, m->at, &print))
        return 0;
    wr_u8(out, CURSOR_VERSION);
    wr_varint(out, m->at);
    wr_varint(out, m->no);
    wr_varint(out, m->flags);
    wr_u64(out, print);
    return out->err;
}

bool lines_cursor_fits(const struct lines *l, struct bytes cursor, struct line_mark *m)
{
    struct rd r;
    rd_init(&r, cursor);
    uint8_t version = rd_u8(&r);
    m->at = rd_varint(&r);
    m->no = rd_varint(&r);
    m->flags = rd_varint(&r);
    uint64_t print = rd_u64(&r), now;
    if (rd_end(&r) || version != CURSOR_VERSION || !l->seekable || m->at > l->size)
        return false;
    return fingerprint(l, m->at, &now) && now == print;
}

int lines_seek(struct lines *l, const struct line_mark *m, struct err *e)
{
    if (lseek(l->fd, (off_t)m->at, SEEK_SET) < 0)
        return err_errno(e, errno, "cannot seek");
    l->start = l->end = l->scanned = l->last = 0;
    l->base = m->at;
    l->no = m->no;
    l->eof = l->unfinished = false;
    return 0;
}
