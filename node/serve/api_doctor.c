/* Doctor: looks at everything that can be wrong with a data folder, and says for each what mends it. Changes
 * nothing. */
#include "node/serve/api_int.h"

#include "node/config.h"
#include "node/file.h"
#include "node/watchlist.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SPACE_BYTES_MIN (64ull << 20) /* below this an import may fill the disk */

struct exam {
    struct node *n;
    cJSON *checks;
    bool ok;
    int rc;
};

/* Adds one line: rc 0 = fine. */
static void verdict_put(struct exam *x, const char *name, int rc, const char *fine, const struct err *e)
{
    cJSON *o = put_object(x->checks, NULL);
    bool ok = o != NULL && put_str(o, "name", name) == 0 && put_bool(o, "ok", rc == 0) == 0 &&
              put_str(o, "text", rc == 0 ? fine : e->text) == 0 &&
              (rc == 0 || e->hint[0] == '\0' || put_str(o, "hint", e->hint) == 0);
    x->ok = x->ok && rc == 0;
    x->rc = ok ? x->rc : ERR_NOMEM;
}

static void check_folder(struct exam *x)
{
    static const char *const files[] = {"device",          "secret",          "lock",
                                        "selfsame.db",     "selfsame.db-wal", "selfsame.db-shm",
                                        "selfsame.db-vectors"};
    struct err e = ERR_INIT;
    char path[LIMIT_PATH_BYTES];
    int rc = folder_private(x->n->home.path, &e);
    for (size_t i = 0; rc == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
        rc = home_file(&x->n->home, files[i], path, &e);
        if (rc == 0 && access(path, F_OK) == 0) {
            rc = file_private(path, &e);
        }
    }
    verdict_put(x, "permissions", rc, "the folder and its files are yours alone", &e);
}

static void check_space(struct exam *x)
{
    struct statvfs st;
    struct err e = ERR_INIT;
    char fine[64];
    int rc = 0;
    if (statvfs(x->n->home.path, &st) != 0) {
        rc = err_set(&e, ERR_IO, "cannot read the free space");
        st.f_bavail = 0;
        st.f_frsize = 0;
    }
    unsigned long long left = (unsigned long long)st.f_bavail * st.f_frsize;
    if (rc == 0 && left < SPACE_BYTES_MIN) {
        rc = err_set(&e, ERR_FULL, "only %llu MB are free", left >> 20);
        err_hint(&e, "make room on the file system of '%s'", x->n->home.path);
    }
    (void)snprintf(fine, sizeof(fine), "%llu MB free", left >> 20);
    verdict_put(x, "space", rc, fine, &e);
}

static void check_store(struct exam *x)
{
    struct err e = ERR_INIT;
    int rc = store_check(x->n->store, &e);
    if (rc != 0) {
        err_hint(&e, "keep a copy of the folder; what the logs hold can be merged anew");
    }
    verdict_put(x, "database", rc, "whole, and the model is what the logs say", &e);
    e = ERR_INIT;
    rc = store_verify(x->n->store, &e);
    verdict_put(x, "logs", rc, "every hash and chain verifies", &e);
}

static int held_look(void *ctx, const struct log_head *h)
{
    struct err *e = ctx;
    if (h->held == 0) {
        return 0;
    }
    (void)err_set(e, ERR_ATTENTION, "%llu changes carry a time up to %lld min ahead of this clock",
                  (unsigned long long)h->held, (long long)(h->ahead_ms / MS_MINUTE));
    err_hint(e, "set the clock of the device that wrote them");
    return 1;
}

static void check_clock(struct exam *x)
{
    struct err e = ERR_INIT;
    int rc = store_logs(x->n->store, held_look, &e, &e);
    verdict_put(x, "clock", rc == 1 ? ERR_ATTENTION : rc, "nothing waits for its time", &e);
}

static void check_audit(struct exam *x)
{
    struct err e = ERR_INIT;
    int rc = 0;
    if (x->n->audit_broken) {
        rc = err_set(&e, ERR_ATTENTION, "the audit rules cannot be read, so nothing is observed");
        err_hint(&e, "selfsame config audit.rules");
    }
    verdict_put(x, "audit", rc, "rules are in force", &e);
}

static int watch_look(void *ctx, const char *source, const char *path)
{
    struct err *e = ctx;
    if (access(path, R_OK) == 0) {
        return 0;
    }
    (void)err_set(e, ERR_NOTFOUND, "'%s', watched for %s, cannot be read", path, source);
    err_hint(e, "selfsame watch --remove %s '%s'", source, path);
    return 1;
}

static void check_watches(struct exam *x)
{
    struct err e = ERR_INIT;
    int rc = watchlist_each(x->n, watch_look, &e, &e);
    verdict_put(x, "watches", rc == 1 ? ERR_NOTFOUND : rc, "every watched path can be read", &e);
}

int api_doctor(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    (void)req;
    struct exam x = {.n = n, .checks = put_array(doc, "checks"), .ok = true};
    if (x.checks == NULL) {
        return err_set(e, ERR_NOMEM, "examining");
    }
    check_folder(&x);
    check_space(&x);
    check_store(&x);
    check_clock(&x);
    check_audit(&x);
    check_watches(&x);
    return x.rc != 0 ? err_set(e, x.rc, "examining") : put_bool(doc, "ok", x.ok);
}
