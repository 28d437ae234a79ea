/* The endpoint's key: from a file that only its owner can read, or printed by a command. The command's
 * output (node/child.h) goes into memory that is wiped. */
#include "node/infer/endpoint_int.h"

#include "base/time.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_AGAIN_MS 60000 /* until a key that could not be had is looked for again */

void key_forget(struct endpoint *x)
{
    child_end(&x->key.child);
    secret_buf_release(&x->key.text);
    x->key.state = KEY_UNKNOWN;
    x->key.e = ERR_INIT;
}

static int failed(struct endpoint *x)
{
    child_end(&x->key.child);
    secret_buf_release(&x->key.text);
    x->key.state = KEY_FAILED;
    x->key.until_ms = endpoint_now(x) + KEY_AGAIN_MS;
    return x->key.e.code;
}

/* What was read → the key: one line of printable characters. */
static int key_judge(struct endpoint *x)
{
    struct key *k = &x->key;
    size_t n = bytes_trim(buf_view(&k->text)).n;
    size_t from = n > 0 ? (size_t)(bytes_trim(buf_view(&k->text)).p - k->text.p) : 0;
    bool fine = n > 0;
    memmove(k->text.p, k->text.p + from, n);
    k->text.n = n;
    for (size_t i = 0; fine && i < n; i++) {
        fine = k->text.p[i] > 0x20 && k->text.p[i] < 0x7f;
    }
    if (!fine) {
        (void)err_set(&k->e, ERR_PERM, "the endpoint's key is not one word of printable characters");
        return failed(x);
    }
    k->state = KEY_HERE;
    return 0;
}

/* ---- a file
 * ------------------------------------------------------------------------------------------------
 */

static int file_check(const char *path, const struct stat *st, struct err *e)
{
    if (!S_ISREG(st->st_mode)) {
        return err_set(e, ERR_PERM, "'%s' is not a regular file", path);
    }
    if (st->st_uid != geteuid()) {
        return err_set(e, ERR_PERM, "'%s' belongs to another user", path);
    }
    if ((st->st_mode & 077) != 0) {
        (void)err_set(e, ERR_PERM, "'%s' is open to other users (mode %04o)", path,
                      (unsigned)(st->st_mode & 07777));
        err_hint(e, "chmod 600 '%s'", path);
        return ERR_PERM;
    }
    return st->st_size > (off_t)ENDPOINT_KEY_BYTES ? err_set(e, ERR_PERM, "'%s' is too large for a key", path)
                                                   : 0;
}

static int file_take(struct endpoint *x)
{
    struct key *k = &x->key;
    struct stat st;
    const char *path = x->set.key_file;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        (void)err_errno(&k->e, errno, "cannot read the key file '%s'", path);
        k->e.code = ERR_PERM;
        return failed(x);
    }
    int rc =
        fstat(fd, &st) == 0 ? file_check(path, &st, &k->e) : err_errno(&k->e, errno, "reading '%s'", path);
    while (rc == 0 && k->text.n < ENDPOINT_KEY_BYTES) {
        ssize_t n = read(fd, k->text.p + k->text.n, ENDPOINT_KEY_BYTES - k->text.n);
        if (n < 0 && errno != EINTR) {
            rc = err_errno(&k->e, errno, "reading '%s'", path);
        } else if (n == 0) {
            break;
        }
        k->text.n += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
    return rc == 0 ? key_judge(x) : failed(x);
}

/* ---- a command
 * ---------------------------------------------------------------------------------------------
 */

static int command_start(struct endpoint *x)
{
    struct key *k = &x->key;
    if (child_start(&k->child, x->set.key_command, endpoint_now(x) + ENDPOINT_KEY_MS, &k->e) != 0) {
        (void)err_wrap(&k->e, ERR_PERM, "the command for the endpoint's key");
        k->e.code = ERR_PERM;
        return failed(x);
    }
    k->state = KEY_FETCHING;
    return ERR_INUSE;
}

/* What became of the command. */
static void command_judge(struct endpoint *x, enum child_state s)
{
    struct key *k = &x->key;
    static const char *const said[] = {[CHILD_FAILED] = "failed",
                                       [CHILD_LATE] = "takes too long",
                                       [CHILD_MUCH] = "prints more than a key",
                                       [CHILD_NOMEM] = "prints more than there is memory for"};
    if (s == CHILD_DONE) {
        (void)key_judge(x);
    } else if (s != CHILD_RUNS) {
        (void)err_set(&k->e, ERR_PERM, "the command for the endpoint's key %s", said[s]);
        (void)failed(x);
    }
}

int64_t key_step(struct endpoint *x)
{
    struct key *k = &x->key;
    if (k->state == KEY_FETCHING) {
        command_judge(x, child_step(&k->child, endpoint_now(x), &k->text, ENDPOINT_KEY_BYTES));
    }
    return k->state == KEY_FETCHING ? child_due(&k->child, endpoint_now(x)) : TIME_NONE;
}

int key_have(struct endpoint *x, struct err *e)
{
    struct key *k = &x->key;
    int rc = 0;
    if (k->state == KEY_FAILED && endpoint_now(x) >= k->until_ms) {
        key_forget(x);
    }
    if (k->state == KEY_UNKNOWN) {
        k->e = ERR_INIT;
        if (x->set.key_file[0] == '\0' && x->set.key_command[0] == '\0') {
            k->state = KEY_NONE;
        } else if (secret_buf_init(&k->text, ENDPOINT_KEY_BYTES + 1) != 0) {
            (void)err_set(&k->e, ERR_NOMEM, "reading the endpoint's key");
            rc = failed(x);
        } else {
            rc = x->set.key_file[0] != '\0' ? file_take(x) : command_start(x);
        }
    }
    if (k->state == KEY_FETCHING) {
        return err_set(e, ERR_INUSE, "the endpoint's key is being fetched");
    }
    if (k->state == KEY_FAILED) {
        rc = k->e.code != 0 ? k->e.code : ERR_PERM;
        if (e != NULL) {
            *e = k->e;
        }
    }
    return rc;
}
