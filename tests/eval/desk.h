/* What the measuring programs share: a store in a temporary folder, propositions told to it, JSON files read whole. Errors end the program. */
#ifndef TESTS_EVAL_DESK_H
#define TESTS_EVAL_DESK_H

#include "node/infer/infer.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#include <cjson/cJSON.h>

#define DESK_SECRET BYTES_LIT("0123456789abcdef0123456789abcdef")

struct desk {
    struct tmp_dir dir;
    struct test_clock test_clock;
    struct test_rng test_rng;
    struct clock clock;
    struct rng rng;
    struct store *s;
    struct infer *x;
};
void desk_open(struct desk *d, int64_t now_ms);
void desk_close(struct desk *d);
struct desk_told {
    struct bytes text, scope;
    bool pinned;
};
/* Writes one proposition under the id (n, zeros). */
void desk_tell(struct desk *d, uint32_t n, const struct desk_told *t);
uint32_t desk_number(const struct id *id);
void desk_ok(int rc, const struct err *e);

/* folder/name, parsed; NULL when the file is not there. */
cJSON *desk_json(const char *folder, const char *name);
const char *json_str(const cJSON *o, const char *key); /* "" when absent */

/* Rank of the first relevant result and hits within cut-offs, summed over queries. */
struct tally {
    unsigned queries;
    double mrr, recall1, recall3, recall10;
};
void tally_add(struct tally *t, const uint32_t *found, size_t n_found, const uint32_t *wanted, size_t n_wanted);
void tally_print(const char *what, const struct tally *t);

#endif
