/* Small named values of this device. */
#include "store/local_int.h"

/* An import cursor, a setting, a page of inference state. */
#define LOCAL_VALUE_BYTES_MAX 65536u

int local_get(struct store *s, const char *name, struct buf *value, bool *found, struct err *e)
{
    *found = false;
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT value FROM local_value WHERE name=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_text(q, 1, bytes_str(name));
    rc = db_step(q, e);
    if (rc == 1) {
        *found = true;
        buf_clear(value);
        rc = buf_bytes(value, db_bytes(q, 0));
        if (rc != 0)
            err_set(e, rc, "reading local value '%s'", name);
    }
    db_done(q);
    return rc;
}

static int value_write(struct store *s, const char *name, struct bytes value, struct err *e)
{
    struct stmt *q = NULL;
    int rc = value.n == 0 ? db_prepare(s, "DELETE FROM local_value WHERE name=?1", &q, e)
                          : db_prepare(s,
                                       "INSERT INTO local_value(name,value) VALUES(?1,?2)"
                                       "ON CONFLICT(name) DO UPDATE SET value=excluded.value",
                                       &q, e);
    if (rc != 0)
        return rc;
    db_bind_text(q, 1, bytes_str(name));
    if (value.n > 0)
        db_bind_blob(q, 2, value);
    return db_run(q, e);
}

int local_set(struct store *s, const char *name, struct bytes value, struct err *e)
{
    if (value.n > LOCAL_VALUE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "local value '%s' has %zu bytes, more than %u", name, value.n,
                       LOCAL_VALUE_BYTES_MAX);
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = value_write(s, name, value, e);
    return local_write_end(s, own, rc, e);
}

struct each {
    struct bytes prefix;
    struct buf name; /* gives the present name its NUL */
    int (*fn)(void *ctx, const char *name, struct bytes value);
    void *ctx;
};

static int each_rows(struct each *x, struct stmt *q, struct err *e)
{
    int rc;
    while ((rc = db_step(q, e)) == 1) {
        struct bytes name = db_bytes(q, 0);
        if (!bytes_starts(name, x->prefix))
            return 0;
        buf_clear(&x->name);
        rc = buf_bytes(&x->name, name);
        if (rc != 0)
            return err_set(e, rc, "listing local values");
        rc = x->fn(x->ctx, buf_cstr(&x->name), db_bytes(q, 1));
        if (rc != 0)
            return rc;
    }
    return rc;
}

int local_each(struct store *s, const char *prefix,
               int (*fn)(void *ctx, const char *name, struct bytes value), void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT name,value FROM local_value WHERE name>=?1 ORDER BY name", &q, e);
    if (rc != 0)
        return rc;
    struct each x = {.prefix = bytes_str(prefix), .fn = fn, .ctx = ctx};
    buf_init(&x.name, LOCAL_VALUE_BYTES_MAX);
    db_bind_text(q, 1, x.prefix);
    rc = each_rows(&x, q, e);
    buf_release(&x.name);
    db_done(q);
    return rc;
}
