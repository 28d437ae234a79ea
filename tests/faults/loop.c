#include "tests/faults/loop.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[FAULTS_KINDS] = {"none", "allocation", "read",  "write",
                                                     "full", "lock",       "system"};

static const char *plan_text(const struct fault_case *c, const struct faults_plan *p)
{
    static char text[160];
    (void)snprintf(text, sizeof text, "%s: %s %llu%s", c->name, kind_names[p->kind],
                   (unsigned long long)p->at, p->for_good ? " and all later ones" : "");
    return text;
}

static bool code_fits(enum faults_kind kind, int rc)
{
    switch (kind) {
    case FAULTS_ALLOC:
        return rc == ERR_NOMEM;
    case FAULTS_READ:
    case FAULTS_WRITE:
        return rc == ERR_IO;
    case FAULTS_FULL:
        return rc == ERR_FULL || rc == ERR_IO; /* what cannot be removed is no full disk */
    case FAULTS_LOCK:
        return rc == ERR_INUSE;
    case FAULTS_SYSTEM:
        return rc == ERR_IO || rc == ERR_FULL;
    case FAULTS_NONE:
    case FAULTS_KINDS:
        break;
    }
    return false;
}

static int run_armed(const struct fault_case *c, const struct faults_plan *p, bool *struck, uint64_t *calls)
{
    struct err e = ERR_INIT;
    faults_arm(p);
    int rc = c->run(c->ctx, &e);
    *calls = faults_disarm(struck);
    if (rc != 0 && (!*struck || !code_fits(p->kind, rc) || e.code != rc || e.text[0] == '\0'))
        fail_msg("%s: error %s with '%s' (%s)%s", plan_text(c, p), err_name(rc), e.text, err_name(e.code),
                 *struck ? "" : ", though nothing failed");
    return rc;
}

static void result(const struct fault_case *c, struct hash *out)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, HASH_BYTES);
    c->finish(c->ctx, &h);
    hasher_final(&h, out->b, HASH_BYTES);
}

/* Number of calls of the kind in a run without faults. */
static uint64_t run_whole(const struct fault_case *c, enum faults_kind kind, struct hash *want)
{
    struct faults_plan none = {.kind = kind};
    bool struck;
    uint64_t calls;
    c->start(c->ctx);
    assert_int_equal(run_armed(c, &none, &struck, &calls), 0);
    result(c, want);
    c->end(c->ctx);
    return calls;
}

static void run_broken(const struct fault_case *c, const struct faults_plan *p, const struct hash *want)
{
    struct err e = ERR_INIT;
    struct hash got;
    bool struck;
    uint64_t calls;
    c->start(c->ctx);
    int rc = run_armed(c, p, &struck, &calls);
    if (!struck)
        fail_msg("%s: the call did not come", plan_text(c, p));
    if (rc != 0) {
        c->settle(c->ctx, p->at % 2 == 0);
        rc = c->run(c->ctx, &e);
    }
    if (rc != 0)
        fail_msg("%s: fails again with %s, '%s'", plan_text(c, p), err_name(rc), e.text);
    result(c, &got);
    if (memcmp(got.b, want->b, HASH_BYTES) != 0)
        fail_msg("%s: another result", plan_text(c, p));
    c->end(c->ctx);
}

static bool wants_all(void)
{
    const char *v = getenv("SELFSAME_FAULTS");
    return v != NULL && strcmp(v, "all") == 0;
}

void fault_loop(const struct fault_case *c, const enum faults_kind *kinds)
{
    for (; *kinds != FAULTS_NONE; kinds++) {
        struct hash want;
        uint64_t calls = run_whole(c, *kinds, &want);
        uint64_t step = wants_all() ? 1 : 1 + calls / (c->points > 0 ? c->points : FAULT_POINTS);
        for (uint64_t at = 1; at <= calls; at += step) {
            for (int for_good = 0; for_good < 2; for_good++)
                run_broken(c, &(struct faults_plan){*kinds, at, for_good != 0}, &want);
        }
        print_message("%s: %llu %s calls, every %llu.\n", c->name, (unsigned long long)calls,
                      kind_names[*kinds], (unsigned long long)step);
    }
}
