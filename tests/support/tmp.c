#include "tests/support/tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)1 << 31)
#define OPEN_FOLDERS 16

static _Noreturn void die(const char *what, const char *path)
{
    (void)fprintf(stderr, "test support: cannot %s '%s': %s\n", what, path, strerror(errno));
    abort();
}

void tmp_dir_make(struct tmp_dir *d)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(d->path, sizeof d->path, "%s/selfsame-test-XXXXXX", base && *base ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof d->path || !mkdtemp(d->path))
        die("make a folder", d->path);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void tmp_dir_remove(struct tmp_dir *d)
{
    if (nftw(d->path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) != 0)
        die("remove", d->path);
    d->path[0] = '\0';
}

const char *tmp_path(const struct tmp_dir *d, const char *name, char out[TMP_PATH_BYTES])
{
    int n = snprintf(out, TMP_PATH_BYTES, "%s/%s", d->path, name);
    if (n < 0 || n >= TMP_PATH_BYTES) {
        errno = ENAMETOOLONG;
        die("name", name);
    }
    return out;
}

static void write_all(const char *path, struct bytes content, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        die("open", path);
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);
        if (n <= 0)
            die("write", path);
        content = bytes_slice(content, (size_t)n, content.n);
    }
    if (close(fd) != 0)
        die("close", path);
}

void tmp_write(const char *path, struct bytes content)
{
    write_all(path, content, O_TRUNC);
}

void tmp_append(const char *path, struct bytes content)
{
    write_all(path, content, O_APPEND);
}

void tmp_read(const char *path, struct buf *out)
{
    uint8_t piece[65536];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die("open", path);
    while ((n = read(fd, piece, sizeof piece)) > 0) {
        if (buf_append(out, piece, (size_t)n))
            die("hold the content of", path);
    }
    if (n < 0)
        die("read", path);
    (void)close(fd);
}

bool tmp_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

void tmp_copy(const char *from, const char *to)
{
    struct buf content;
    buf_init(&content, FILE_BYTES_MAX);
    tmp_read(from, &content);
    tmp_write(to, buf_view(&content));
    buf_release(&content);
}

/* nftw passes no context. */
static struct {
    struct bytes needle;
    size_t count;
} search;

static int search_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    struct buf content;
    (void)ftw;
    if (kind != FTW_F || !S_ISREG(st->st_mode))
        return 0;
    buf_init(&content, FILE_BYTES_MAX);
    tmp_read(path, &content);
    if (bytes_find(buf_view(&content), search.needle) != SIZE_MAX)
        search.count++;
    buf_release(&content);
    return 0;
}

size_t tmp_count_files_with(const char *folder, struct bytes needle)
{
    search.needle = needle;
    search.count = 0;
    if (nftw(folder, search_one, OPEN_FOLDERS, FTW_PHYS) != 0)
        die("search", folder);
    return search.count;
}
