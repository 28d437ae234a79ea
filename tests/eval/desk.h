/* What the measuring programs share: a store in a temporary folder, propositions told to it, JSON files read
 * whole. Errors end the program. */
#ifndef TESTS_EVAL_DESK_H
#define TESTS_EVAL_DESK_H

#include "node/infer/infer.h"
#include "node/model/embed.h"
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
    struct log log;
    struct embed *embed; /* NULL without a table */
};
void desk_open(struct desk *d, int64_t now_ms);
void desk_close(struct desk *d);
/* Embeds all that was told with a table. */
void desk_embed(struct desk *d, const char *table);
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
    double ndcg; /* at 10, each wanted one worth 1 */
    double ms;   /* of CPU, all queries together; added by who asks */
};
void tally_add(struct tally *t, const uint32_t *found, size_t n_found, const uint32_t *wanted,
               size_t n_wanted);
void tally_print(const char *what, const struct tally *t);

#endif
