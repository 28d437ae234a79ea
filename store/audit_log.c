/* The audit log: which rule decided how often about which source on which day (UTC). No content ever. */
#include "store/local_int.h"

static int audit_upsert(struct store *s, const struct audit_row *r, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "INSERT INTO audit(day,rule,source,first_ms,last_ms,n) VALUES(?1,?2,?3,?4,?5,?6)"
                        "ON CONFLICT(day,rule,source) DO UPDATE SET first_ms=min(first_ms,excluded.first_ms),"
                        "last_ms=max(last_ms,excluded.last_ms),n=n+excluded.n",
                        &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, r->first_ms / MS_DAY - (r->first_ms % MS_DAY < 0));
    db_bind_text(q, 2, r->rule);
    db_bind_text(q, 3, r->source);
    db_bind_int(q, 4, r->first_ms);
    db_bind_int(q, 5, r->last_ms);
    db_bind_int(q, 6, (int64_t)r->n);
    return db_run(q, e);
}

int local_audit_add(struct store *s, const struct audit_row *r, struct err *e)
{
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = audit_upsert(s, r, e);
    return local_write_end(s, own, rc, e);
}

int local_audit(struct store *s, int (*fn)(void *ctx, const struct audit_row *r), void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc =
        db_prepare(s, "SELECT first_ms,last_ms,rule,source,n FROM audit ORDER BY day,rule,source", &q, e);
    if (rc != 0)
        return rc;
    while ((rc = db_step(q, e)) == 1) {
        const struct audit_row r = {db_int(q, 0), db_int(q, 1), db_bytes(q, 2), db_bytes(q, 3),
                                    (uint64_t)db_int(q, 4)};
        rc = fn(ctx, &r);
        if (rc != 0)
            break;
    }
    db_done(q);
    return rc;
}
