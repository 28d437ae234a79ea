#include "node/model/calibrate.h"

#include "node/model/kinds.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SLOPE_DEFAULT 0.5
#define OFFSET_DEFAULT (-0.2)
#define STEPS_MAX 30 /* Newton's; it needs about five */
#define STEP_ENOUGH 1e-9
#define OCCASIONS_CLEAR 3
#define EVIDENCE_WEIGHT 0.5
#define TAG "stated:"

static double logit_of(uint8_t stated)
{
    double x = (stated - 0.5) / 10;
    return log(x / (1 - x));
}

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

/* Newton's method towards the maximum a posteriori, in both parameters or in b alone: the loss is strictly
 * convex, its Hessian at least the precision. Steps are capped. */
static void climb(const struct calibrate_outcome *v, size_t n, bool slope, struct calibration *c)
{
    for (int step = 0; step < STEPS_MAX; step++) {
        double ga = CALIBRATE_PRECISION * (c->a - SLOPE_DEFAULT), haa = CALIBRATE_PRECISION;
        double gb = CALIBRATE_PRECISION * (c->b - OFFSET_DEFAULT), hbb = CALIBRATE_PRECISION, hab = 0;
        for (size_t i = 0; i < n; i++) {
            double z = logit_of(v[i].stated), p = sigmoid(c->a * z + c->b);
            double miss = v[i].weight * (p - (v[i].held ? 1 : 0)), curve = v[i].weight * p * (1 - p);
            ga += miss * z;
            gb += miss;
            haa += curve * z * z;
            hab += curve * z;
            hbb += curve;
        }
        double det = haa * hbb - hab * hab;
        double da = slope ? (hbb * ga - hab * gb) / det : 0,
               db = slope ? (haa * gb - hab * ga) / det : gb / hbb;
        c->a -= fmax(-1, fmin(1, da));
        c->b -= fmax(-1, fmin(1, db));
        if (fabs(da) + fabs(db) < STEP_ENOUGH)
            return;
    }
}

void calibrate_fit(const struct calibrate_outcome *v, size_t n, struct calibration *out)
{
    *out = (struct calibration){SLOPE_DEFAULT, OFFSET_DEFAULT, 0};
    for (size_t i = 0; i < n; i++)
        out->weight += v[i].weight;
    climb(v, n, true, out);
    if (out->a < 0) { /* more stated confidence never counts for less */
        out->a = 0;
        climb(v, n, false, out);
    }
}

double calibrate_probability(const struct calibration *c, uint8_t stated)
{
    uint8_t s = stated < 1 ? 1 : stated > 10 ? 10 : stated;
    return fmax(CALIBRATE_MIN, fmin(CALIBRATE_MAX, sigmoid(c->a * logit_of(s) + c->b)));
}

uint16_t calibrate_prior(const struct calibration *c, uint8_t stated)
{
    return (uint16_t)lround(1000 * calibrate_probability(c, stated));
}

void calibrate_tag(uint8_t stated, char out[16])
{
    (void)snprintf(out, 16, TAG "%u", stated);
}

/* ---- outcomes ---------------------------------------------------------------------------------------------
 */

struct loading {
    struct bytes origin;
    struct buf ids, outcomes;
    size_t n;
};

/* Whether it is known by now what became of it. */
static bool outcome_of(const struct prop *p, struct calibrate_outcome *out)
{
    bool confirmed = (p->flags & PROP_CONFIRMED) != 0, rejected = (p->flags & PROP_REJECTED) != 0;
    bool doubted = p->against > p->support, clear = p->support >= OCCASIONS_CLEAR && p->against == 0;
    out->held = confirmed || (!rejected && !doubted);
    out->weight = confirmed || rejected ? 1 : EVIDENCE_WEIGHT;
    return confirmed || rejected || doubted || clear;
}

static int claim_note(void *ctx, const struct prop *p)
{
    struct loading *l = ctx;
    struct calibrate_outcome o = {0};
    if (p->kind != KIND_MODEL || (p->flags & PROP_EDITED) != 0 || !bytes_eq(p->origin, l->origin) ||
        !outcome_of(p, &o))
        return 0;
    if (l->n == CALIBRATE_CLAIMS)
        return 1;
    l->n++;
    int rc = buf_append(&l->ids, &p->id, sizeof p->id);
    return rc != 0 ? rc : buf_append(&l->outcomes, &o, sizeof o);
}

/* The stated confidence; 0: unknown. */
static uint8_t stated_of(const struct entity *x)
{
    struct bytes tag;
    size_t at = 0;
    while (entity_set_next(x, SET_TAG, &at, &tag)) {
        struct bytes number = bytes_slice(tag, sizeof TAG - 1, SIZE_MAX);
        if (!bytes_starts(tag, BYTES_LIT(TAG)) || number.n == 0 || number.n > 2)
            continue;
        if (number.n == 2)
            return bytes_eq(number, BYTES_LIT("10")) ? 10 : 0;
        return number.p[0] >= '1' && number.p[0] <= '9' ? (uint8_t)(number.p[0] - '0') : 0;
    }
    return 0;
}

/* Fills in what was stated; moves those where it is known to the front. */
static int stated_load(struct store *s, struct loading *l, struct err *e)
{
    struct entity *x = entity_new();
    struct calibrate_outcome *v = (struct calibrate_outcome *)(void *)l->outcomes.p;
    size_t kept = 0;
    int rc = x != NULL ? 0 : err_set(e, ERR_NOMEM, "calibrating");
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        struct id id;
        memcpy(&id, l->ids.p + i * sizeof id, sizeof id);
        rc = store_entity(s, SPACE_PROPOSITION, &id, x, e);
        v[i].stated = rc == 0 ? stated_of(x) : 0;
        if (v[i].stated > 0)
            v[kept++] = v[i];
    }
    l->n = kept;
    entity_free(x);
    return rc;
}

int calibrate_load(struct store *s, struct bytes origin, struct calibration *out, struct err *e)
{
    struct loading l = {.origin = origin};
    buf_init(&l.ids, CALIBRATE_CLAIMS * sizeof(struct id));
    buf_init(&l.outcomes, CALIBRATE_CLAIMS * sizeof(struct calibrate_outcome));
    int rc = store_props(s, PROP_DROPPED, claim_note, &l, e);
    rc = rc == 1 ? 0 : rc;
    if (rc == 0)
        rc = stated_load(s, &l, e);
    if (rc == 0)
        calibrate_fit((const struct calibrate_outcome *)(const void *)l.outcomes.p, l.n, out);
    buf_release(&l.ids);
    buf_release(&l.outcomes);
    return rc;
}
