/* Small files of our own. */
#include "node/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int path_join(const char *dir, const char *name, char out[LIMIT_PATH_BYTES], struct err *e)
{
    int n = snprintf(out, LIMIT_PATH_BYTES, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= LIMIT_PATH_BYTES) {
        return err_set(e, ERR_LIMIT, "the path '%.64s…/%.64s' is too long", dir, name);
    }
    return 0;
}

static int write_all(int fd, struct bytes b)
{
    while (b.n > 0) {
        ssize_t n = write(fd, b.p, b.n);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        b = bytes_slice(b, (size_t)n, SIZE_MAX);
    }
    return 0;
}

/* Makes a rename in the folder of `path` durable. */
static int folder_sync(const char *path)
{
    char dir[LIMIT_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    if (n >= sizeof(dir)) {
        return ENAMETOOLONG;
    }
    memcpy(dir, path, n);
    dir[n] = '\0';
    int fd = open(slash == NULL ? "." : n == 0 ? "/" : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int eno = fsync(fd) != 0 ? errno : 0;
    (void)close(fd);
    return eno;
}

int file_replace(const char *path, struct bytes content, struct err *e)
{
    char tmp[LIMIT_PATH_BYTES];
    int len = snprintf(tmp, sizeof(tmp), "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof(tmp)) {
        return err_set(e, ERR_LIMIT, "the path '%.64s…' is too long", path);
    }
    (void)unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_errno(e, errno, "cannot write '%s'", tmp);
    }
    int eno = write_all(fd, content);
    if (eno == 0 && fsync(fd) != 0) {
        eno = errno;
    }
    if (close(fd) != 0 && eno == 0) {
        eno = errno;
    }
    if (eno == 0 && rename(tmp, path) != 0) {
        eno = errno;
    }
    if (eno == 0) {
        eno = folder_sync(path);
    } else {
        (void)unlink(tmp);
    }
    return eno == 0 ? 0 : err_errno(e, eno, "cannot write '%s'", path);
}

int file_read(const char *path, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return err_errno(e, errno, "cannot read '%s'", path);
    }
    int rc = 0;
    uint8_t chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = err_errno(e, errno, "cannot read '%s'", path);
        }
        if (n <= 0) {
            break;
        }
        if (buf_append(out, chunk, (size_t)n) != 0) {
            rc = err_set(e, out->err, "'%s' is larger than %zu bytes", path, out->max);
            break;
        }
    }
    mem_wipe(chunk, sizeof(chunk));
    (void)close(fd);
    return rc;
}

static int private_check(const char *path, const struct stat *st, const char *mode, struct err *e)
{
    if (st->st_uid != geteuid()) {
        return err_set(e, ERR_PERM, "'%s' belongs to another user", path);
    }
    if ((st->st_mode & 077) != 0) {
        (void)err_set(e, ERR_PERM, "'%s' is open to other users (mode %04o)", path,
                      (unsigned)(st->st_mode & 07777));
        err_hint(e, "chmod %s '%s'", mode, path);
        return ERR_PERM;
    }
    return 0;
}

int folder_private(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return err_errno(e, errno, "cannot open folder '%s'", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return err_set(e, ERR_FORMAT, "'%s' is not a folder", path);
    }
    return private_check(path, &st, "700", e);
}

int file_private(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return err_errno(e, errno, "cannot open '%s'", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, ERR_FORMAT, "'%s' is not a regular file", path);
    }
    return private_check(path, &st, "600", e);
}

void folder_empty(const char *path)
{
    DIR *d = opendir(path);
    if (d == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d)) {
        if (entry->d_name[0] != '.') {
            (void)unlinkat(dirfd(d), entry->d_name, 0);
        }
    }
    (void)closedir(d);
}
