/* Every op that a device wrote, read back from its own store after the commit: what the end is measured by.
 * Stamps of a log must rise from op to op, whatever its wall clock did, and over restarts. */
#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

struct jlog *journal_log(struct sim *x, const struct id *log)
{
    for (size_t i = 0; i < x->n_logs; i++) {
        if (id_eq(&x->logs[i].log, log))
            return &x->logs[i];
    }
    return NULL;
}

static struct jlog *make(struct sim *x, const struct device *d)
{
    if (x->n_logs == x->cap_logs) {
        x->cap_logs = x->cap_logs * 2 + 8;
        x->logs = realloc(x->logs, x->cap_logs * sizeof *x->logs);
        CHECK(x->logs);
    }
    x->logs[x->n_logs] = (struct jlog){.log = d->log, .device = d->index};
    return &x->logs[x->n_logs++];
}

struct taking {
    struct sim *x;
    struct device *d;
    struct jlog *l;
};

static int take(void *ctx, const struct op_record *r)
{
    struct taking *t = ctx;
    struct jlog *l = t->l;
    struct op op;
    struct err e = ERR_INIT;
    if (r->op.n == 0) { /* forgotten in the transaction that wrote it: nothing to measure by */
        fail(t->x, "device %zu has no body of its own new op %llu", t->d->index, (unsigned long long)r->seq);
        return 1;
    }
    if (op_decode(r->op, &op, &e)) {
        fail(t->x, "device %zu wrote an op that does not decode: %s", t->d->index, e.text);
        return 1;
    }
    if (l->n > 0 && op.hlc <= l->e[l->n - 1].hlc)
        fail(t->x, "the clock of device %zu went back: op %llu", t->d->index, (unsigned long long)r->seq);
    if (l->n == l->cap) {
        l->cap = l->cap * 2 + 32;
        l->e = realloc(l->e, l->cap * sizeof *l->e);
        CHECK(l->e);
    }
    uint8_t *copy = malloc(r->op.n);
    CHECK(copy);
    memcpy(copy, r->op.p, r->op.n);
    l->e[l->n++] = (struct entry){.hash = r->hash, .hlc = op.hlc, .op = bytes_of(copy, r->op.n)};
    t->x->r->ops++;
    return 0;
}

void journal_take(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    struct hash chain;
    uint64_t seq = 0;
    if (d->copy || d->cautious)
        return;
    int rc = store_log_head(d->store, &d->log, &seq, &chain, &e);
    struct jlog *l = journal_log(x, &d->log);
    if (rc == 0 && !l && seq > 0)
        l = make(x, d);
    if (rc == 0 && l && seq > l->n)
        rc = store_ops(d->store, &d->log, l->n, seq - l->n, take, &(struct taking){x, d, l}, &e);
    if (rc < 0)
        fail(x, "reading the log of device %zu: %s", d->index, e.text);
}

void journal_tear(struct sim *x, const struct id *log)
{
    struct jlog *l = journal_log(x, log);
    if (l)
        l->torn = true;
}

void journal_end(struct sim *x)
{
    for (size_t i = 0; i < x->n_logs; i++) {
        for (size_t k = 0; k < x->logs[i].n; k++)
            free((void *)(uintptr_t)x->logs[i].e[k].op.p);
        free(x->logs[i].e);
    }
    free(x->logs);
}
