/* An operation in which the first call of a kind fails, then in another run the second one, and so on until
 * the operation gets through. */
#ifndef TESTS_FAULTS_LOOP_H
#define TESTS_FAULTS_LOOP_H

#include "crypto/hash.h"
#include "tests/faults/faults.h"

/* All but `run` happen without faults and end the test when something is wrong. */
struct fault_case {
    const char *name;
    void (*start)(void *ctx); /* a fresh world before the operation */
    int (*run)(void *ctx, struct err *e);
    /* After a failure, before `run` is called again: nothing is broken; `again` asks for everything to be
     * closed and opened. */
    void (*settle)(void *ctx, bool again);
    /* What came of the operation; the same whatever happened on the way. */
    void (*finish)(void *ctx, struct hasher *h);
    void (*end)(void *ctx);
    void *ctx;
    unsigned points; /* 0: FAULT_POINTS */
};

/* For each kind in `kinds` (ended by FAULTS_NONE), with one failing call and with all from it on: the
 * operation fails with the code of that kind, or gets through regardless; then it is settled, and run again
 * it succeeds; the result is always that of a run without faults. Looks at about `points` failures a kind,
 * spread over all calls, or at every one of them when SELFSAME_FAULTS=all is in the environment. */
#define FAULT_POINTS 24
void fault_loop(const struct fault_case *c, const enum faults_kind *kinds);

#endif
