/* Dropping what replicates, keeping what is local. Children go before what they refer to; the full-text index
 * of propositions is made anew from the empty table. */
#include "store/reset.h"

#include "base/check.h"
#include "store/local_int.h"

static const char *const reset_sql[] = {
    "DELETE FROM link",
    "DELETE FROM doomed",
    "DELETE FROM event",
    "DELETE FROM blocked_key",
    "DELETE FROM blocked_span",
    "DELETE FROM edge",
    "DELETE FROM op",
    "DELETE FROM prop",
    "DELETE FROM entity",
    "UPDATE log SET parent = NULL",
    "DELETE FROM log",
    "DELETE FROM frame",
    "DELETE FROM quarantine",
    NULL,
};

int store_reset_model(struct store *s, const struct id *log, struct err *e)
{
    CHECK(s->in_txn && s->has_log);
    int rc = log_flush(s, e);
    for (const char *const *sql = reset_sql; rc == 0 && *sql != NULL; sql++) {
        rc = db_exec(s, *sql, e);
    }
    if (rc == 0) {
        rc = search_rebuild(s, e);
    }
    log_forget_cache(s);
    s->edges_known = false;
    s->own_log = *log;
    db_poison(s, rc);
    return rc != 0 ? err_wrap(e, rc, "starting the model anew") : 0;
}

int store_reset_traces(struct store *s, struct err *e)
{
    bool own;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    rc = db_exec(s,
                 "DELETE FROM trace; DELETE FROM trace_pending; DELETE FROM observation_trace;"
                 "DELETE FROM dirty; DELETE FROM feature",
                 e);
    db_poison(s, rc);
    local_forget_cache(s);
    return db_write_end(s, own, rc, e);
}

int store_observation_untrace(struct store *s, int64_t row, struct err *e)
{
    bool own;
    int rc = db_write_begin(s, &own, e);
    return rc != 0 ? rc : local_write_end(s, own, features_observation_gone(s, row, e), e);
}
