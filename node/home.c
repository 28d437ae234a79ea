/* The data folder and the device's identity: a small text file and the key file beside the database. */
#include "node/home.h"

#include "node/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEVICE_MAGIC "selfsame-device 1"
#define IDENTITY_BYTES_MAX 4096

int home_locate(const char *given, char out[LIMIT_PATH_BYTES], struct err *e)
{
    const char *dir = given != NULL ? given : getenv("SELFSAME_HOME");
    const char *suffix = "";
    if (dir == NULL || dir[0] == '\0') {
        dir = getenv("XDG_DATA_HOME");
        suffix = "/selfsame";
    }
    if (dir == NULL || dir[0] == '\0') {
        dir = getenv("HOME");
        suffix = "/.local/share/selfsame";
    }
    if (dir == NULL || dir[0] == '\0') {
        return err_set(e, ERR_USAGE, "no data folder: neither SELFSAME_HOME nor HOME is set");
    }
    int n = snprintf(out, LIMIT_PATH_BYTES, "%s%s", dir, suffix);
    if (n < 0 || (size_t)n >= LIMIT_PATH_BYTES) {
        return err_set(e, ERR_LIMIT, "the path of the data folder is too long");
    }
    return 0;
}

int home_file(const struct home *h, const char *name, char out[LIMIT_PATH_BYTES], struct err *e)
{
    return path_join(h->path, name, out, e);
}

static void hex_print(const uint8_t *p, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        (void)buf_printf(out, "%02x", p[i]);
    }
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_parse(struct bytes text, uint8_t *out, size_t n)
{
    if (text.n != 2 * n) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < n; i++) {
        int hi = hex_value(text.p[2 * i]);
        int lo = hex_value(text.p[2 * i + 1]);
        if (hi < 0 || lo < 0) {
            return ERR_FORMAT;
        }
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}

/* ---- making ----------------------------------------------------------------------------------------------
 */

int home_name_check(struct bytes name, struct err *e)
{
    if (name.n == 0 || name.n > 64) {
        return err_set(e, ERR_USAGE, "a device name has 1 to 64 bytes");
    }
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < 0x20 || name.p[i] == 0x7f) {
            return err_set(e, ERR_USAGE, "a device name has no control characters");
        }
    }
    return utf8_valid(name) ? 0 : err_set(e, ERR_USAGE, "a device name is valid UTF-8");
}

/* mkdir -p, the last one 0700. */
static int folder_make(const char *path, struct err *e)
{
    char part[LIMIT_PATH_BYTES];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(part)) {
        return err_set(e, ERR_LIMIT, "the path of the data folder is empty or too long");
    }
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        char keep = part[i];
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return err_errno(e, errno, "cannot make folder '%s'", part);
        }
        part[i] = keep;
    }
    return 0;
}

/* The device is whoever holds the signing key. */
static int keys_create(struct home *h, const struct rng *rng, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    int rc = home_file(h, KEYS_FILE, path, e);
    if (rc == 0) {
        rc = keys_make(&h->keys, rng, e);
    }
    if (rc == 0) {
        device_id_of(h->keys.device.sign.pk, &h->device);
        rc = keys_save(&h->keys, path, rng, e);
    }
    return rc;
}

int home_create(const char *path, struct bytes name, const struct rng *rng, struct err *e)
{
    struct home h = {.lock_fd = -1};
    char file[LIMIT_PATH_BYTES];
    struct stat st;
    int rc = home_name_check(name, e);
    if (rc == 0) {
        rc = folder_make(path, e);
    }
    if (rc != 0) {
        return rc;
    }
    memcpy(h.path, path, strlen(path) + 1);
    rc = home_file(&h, "device", file, e);
    if (rc != 0) {
        return rc;
    }
    if (lstat(file, &st) == 0) {
        (void)err_set(e, ERR_EXISTS, "'%s' already holds a device", path);
        err_hint(e, "see it with: selfsame status");
        return ERR_EXISTS;
    }
    rc = folder_private(path, e);
    if (rc != 0) {
        return rc;
    }
    memcpy(h.name, name.p, name.n);
    rng_fill(rng, h.log.b, ID_BYTES);
    rc = keys_create(&h, rng, e);
    if (rc == 0) {
        rc = home_save(&h, e);
    }
    home_close(&h);
    return rc;
}

int home_save_keys(struct home *h, const struct rng *rng, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    int rc = home_file(h, KEYS_FILE, path, e);
    return rc != 0 ? rc : keys_save(&h->keys, path, rng, e);
}

int home_save(const struct home *h, struct err *e)
{
    char path[LIMIT_PATH_BYTES], id[ID_TEXT + 1];
    int rc = home_file(h, "device", path, e);
    if (rc != 0) {
        return rc;
    }
    struct buf t;
    buf_init(&t, IDENTITY_BYTES_MAX);
    (void)buf_str(&t, DEVICE_MAGIC "\n");
    id_text(&h->device, id);
    (void)buf_printf(&t, "device %s\n", id);
    id_text(&h->log, id);
    (void)buf_printf(&t, "log %s\nname %s\nlease ", id, h->name);
    hex_print(h->lease[0], sizeof(h->lease[0]), &t);
    (void)buf_put(&t, ' ');
    hex_print(h->lease[1], sizeof(h->lease[1]), &t);
    (void)buf_put(&t, '\n');
    rc = t.err != 0 ? err_set(e, t.err, "writing '%s'", path) : file_replace(path, buf_view(&t), e);
    buf_release(&t);
    return rc;
}

/* ---- reading ---------------------------------------------------------------------------------------------
 */

/* The value of the line "key value" in text; empty when there is none. */
static struct bytes field_of(struct bytes text, const char *key)
{
    struct bytes k = bytes_str(key);
    while (text.n > 0) {
        size_t end = bytes_find(text, BYTES_LIT("\n"));
        struct bytes line = bytes_slice(text, 0, end == SIZE_MAX ? text.n : end);
        if (line.n > k.n && bytes_starts(line, k) && line.p[k.n] == ' ') {
            return bytes_slice(line, k.n + 1, SIZE_MAX);
        }
        text = end == SIZE_MAX ? BYTES_NONE : bytes_slice(text, end + 1, SIZE_MAX);
    }
    return BYTES_NONE;
}

static int magic_check(struct bytes text, struct bytes magic, const char *path, struct err *e)
{
    if (bytes_starts(text, magic) && text.n > magic.n && text.p[magic.n] == '\n') {
        return 0;
    }
    if (bytes_starts(text, bytes_slice(magic, 0, magic.n - 1))) {
        return err_set(e, ERR_VERSION, "'%s' was written by a newer version", path);
    }
    return err_set(e, ERR_FORMAT, "'%s' is not a selfsame identity file", path);
}

static int device_parse(struct home *h, struct bytes text)
{
    struct bytes name = field_of(text, "name");
    struct bytes lease = field_of(text, "lease");
    if (id_parse(field_of(text, "device"), &h->device) != 0 ||
        id_parse(field_of(text, "log"), &h->log) != 0 || home_name_check(name, NULL) != 0 || lease.n != 65 ||
        lease.p[32] != ' ') {
        return ERR_FORMAT;
    }
    memset(h->name, 0, sizeof(h->name));
    memcpy(h->name, name.p, name.n);
    int rc = hex_parse(bytes_slice(lease, 0, 32), h->lease[0], 16);
    return rc != 0 ? rc : hex_parse(bytes_slice(lease, 33, 32), h->lease[1], 16);
}

static int device_read(struct home *h, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    struct buf text;
    buf_init(&text, IDENTITY_BYTES_MAX);
    int rc = home_file(h, "device", path, e);
    if (rc == 0) {
        rc = file_private(path, e);
    }
    if (rc == 0) {
        rc = file_read(path, &text, e);
    }
    if (rc == 0) {
        rc = magic_check(buf_view(&text), BYTES_LIT(DEVICE_MAGIC), path, e);
    }
    if (rc == 0 && device_parse(h, buf_view(&text)) != 0) {
        rc = err_set(e, ERR_FORMAT, "'%s' is damaged", path);
    }
    buf_release(&text);
    return rc;
}

int home_reload(struct home *h, struct err *e)
{
    return device_read(h, e);
}

int home_unlock(struct home *h, const struct keyfile_unlock *u, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    struct id id;
    int rc = home_file(h, KEYS_FILE, path, e);
    if (rc == 0) {
        rc = keys_open(&h->keys, path, u, e);
    }
    if (rc == ERR_NOTFOUND) {
        (void)err_set(e, ERR_ATTENTION, "the key file '%s' is gone: this device cannot prove who it is",
                      path);
        err_hint(e, "put it back from a backup, or make new keys and pair again: selfsame init --renew");
        return ERR_ATTENTION;
    }
    if (rc != 0) {
        return rc;
    }
    device_id_of(h->keys.device.sign.pk, &id);
    if (!id_eq(&id, &h->device)) {
        keys_release(&h->keys);
        (void)err_set(e, ERR_VERIFY, "the keys in '%s' are those of another device", path);
        err_hint(e, "'device' and 'keys' belong together: put back the ones of the same backup");
        return ERR_VERIFY;
    }
    h->locked = false;
    return 0;
}

void home_wipe_keys(struct home *h)
{
    keys_release(&h->keys);
    h->locked = true;
}

/* Opens the keys when they open by themselves. */
static int keys_try(struct home *h, struct err *e)
{
    struct err own = ERR_INIT;
    int rc = home_unlock(h, NULL, &own);
    h->locked = rc == ERR_LOCKED;
    if (rc == 0 || h->locked) {
        return 0;
    }
    if (e != NULL) {
        *e = own;
    }
    return rc;
}

int home_open_keyless(struct home *h, const char *path, struct err *e)
{
    struct stat st;
    memset(h, 0, sizeof(*h));
    h->lock_fd = -1;
    if (strlen(path) >= sizeof(h->path)) {
        return err_set(e, ERR_LIMIT, "the path of the data folder is too long");
    }
    memcpy(h->path, path, strlen(path) + 1);
    char file[LIMIT_PATH_BYTES];
    int rc = home_file(h, "device", file, e);
    if (rc != 0) {
        return rc;
    }
    if (stat(path, &st) != 0 || (lstat(file, &st) != 0 && errno == ENOENT)) {
        (void)err_set(e, ERR_NOTFOUND, "there is no device in '%s'", path);
        err_hint(e, "make one with: selfsame init --name NAME");
        return ERR_NOTFOUND;
    }
    rc = folder_private(path, e);
    if (rc == 0) {
        rc = home_reload(h, e);
    }
    if (rc != 0) {
        home_close(h);
    }
    return rc;
}

int home_open(struct home *h, const char *path, struct err *e)
{
    int rc = home_open_keyless(h, path, e);
    if (rc == 0) {
        rc = keys_try(h, e);
    }
    if (rc != 0) {
        home_close(h);
    }
    return rc;
}

/* ---- the lock --------------------------------------------------------------------------------------------
 */

int home_lock(struct home *h, int wait_ms, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    int rc = home_file(h, "lock", path, e);
    if (rc != 0) {
        return rc;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_errno(e, errno, "cannot open '%s'", path);
    }
    const int step_ms = 20;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            rc = err_errno(e, errno, "cannot lock '%s'", path);
            break;
        }
        if (wait_ms <= 0) {
            (void)err_set(e, ERR_INUSE, "another process is writing to '%s'", h->path);
            err_hint(e, "wait for the other selfsame command to end, or stop the node");
            rc = ERR_INUSE;
            break;
        }
        struct timespec ts = {.tv_nsec = step_ms * 1000000L};
        (void)nanosleep(&ts, NULL);
        wait_ms -= step_ms;
    }
    if (rc != 0) {
        (void)close(fd);
        return rc;
    }
    h->lock_fd = fd;
    return 0;
}

void home_close(struct home *h)
{
    if (h->lock_fd >= 0) {
        (void)close(h->lock_fd);
        h->lock_fd = -1;
    }
    keys_release(&h->keys);
}
