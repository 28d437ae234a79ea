/* Revisions: two ops in one transaction, the proposition and its edges. */
#include "node/model/revision.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "store/members.h"

#include <string.h>

/* What the older ones hand down. */
struct heritage {
    struct buf scope; /* the one that they share so far */
    uint8_t sensitivity;
};

static int check(const struct revision *r, struct err *e)
{
    if (r->n_older == 0 || r->n_older > REVISION_OLDER_MAX) {
        return err_set(e, ERR_USAGE, "a revision replaces 1 to %u propositions", REVISION_OLDER_MAX);
    }
    if (r->decay < 1 || r->decay > 10) {
        return err_set(e, ERR_USAGE, "decay is 1 to 10");
    }
    for (size_t i = 0; i < r->n_older; i++) {
        for (size_t k = 0; k < i; k++) {
            if (id_eq(&r->older[i], &r->older[k])) {
                return err_set(e, ERR_USAGE, "a revision names one proposition twice");
            }
        }
    }
    return 0;
}

static int inherit(struct store *s, const struct revision *r, struct heritage *h, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->n_older; i++) {
        struct prop p;
        rc = store_prop(s, &r->older[i], false, &p, e);
        if (rc != 0) {
            break;
        }
        h->sensitivity = p.sensitivity > h->sensitivity ? p.sensitivity : h->sensitivity;
        if (i == 0) {
            rc = buf_bytes(&h->scope, p.scope);
        } else if (!bytes_eq(buf_view(&h->scope), p.scope)) {
            buf_clear(&h->scope);
        }
    }
    return rc;
}

static void draft_fill(struct draft *d, const struct revision *r, const struct heritage *h)
{
    struct buf created;
    uint8_t prior[2] = {(uint8_t)(r->prior >> 8), (uint8_t)r->prior};
    buf_init(&created, 16);
    wr_svarint(&created, r->now_ms);
    draft_reg(d, REG_TEXT, r->text, NULL, 0);
    if (r->reasoning.n > 0) {
        draft_reg(d, REG_REASONING, r->reasoning, NULL, 0);
    }
    draft_reg_u8(d, REG_DECAY, r->decay, NULL, 0);
    if (h->scope.n > 0) {
        draft_reg(d, REG_SCOPE, buf_view(&h->scope), NULL, 0);
    }
    draft_reg_u8(d, REG_SENSITIVITY, h->sensitivity, NULL, 0);
    draft_reg_u8(d, REG_KIND, r->kind, NULL, 0);
    if (r->prior > 0) {
        draft_reg(d, REG_PRIOR, bytes_of(prior, sizeof prior), NULL, 0);
    }
    if (r->origin.n > 0) {
        draft_reg(d, REG_ORIGIN, r->origin, NULL, 0);
    }
    draft_reg(d, REG_CREATED, buf_view(&created), NULL, 0);
    for (size_t i = 0; i < r->n_older; i++) {
        draft_set_add(d, SET_PARENT, bytes_of(r->older[i].b, ID_BYTES));
    }
    buf_release(&created);
}

static int write_both(struct store *s, const struct revision *r, const struct heritage *h,
                      const struct id *id, struct err *e)
{
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, id);
    draft_fill(&d, r, h);
    int rc = store_write(s, &d, e);
    draft_reset(&d, SPACE_EDGE, CLASS_MODEL, id);
    for (size_t i = 0; i < r->n_older; i++) {
        draft_set_add(&d, SET_SUPERSEDES, bytes_of(r->older[i].b, ID_BYTES));
    }
    rc = rc != 0 ? rc : store_write(s, &d, e);
    draft_release(&d);
    return rc;
}

int revision_write(struct store *s, const struct rng *rng, const struct revision *r, struct id *id,
                   struct err *e)
{
    struct heritage h = {.sensitivity = 0};
    bool own;
    int rc = check(r, e);
    rc = rc != 0 ? rc : members_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    buf_init(&h.scope, LIMIT_NAME_BYTES);
    rc = inherit(s, r, &h, e);
    if (rc == 0) {
        rng_fill(rng, id->b, ID_BYTES);
        rc = write_both(s, r, &h, id, e);
    }
    buf_release(&h.scope);
    return members_end(s, own, rc, e);
}
