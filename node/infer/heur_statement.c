/* Explicit statements. A day on which the user said so supports; a later day on which she said the opposite,
 * or named another object where only one can be true, contradicts. What was said last stands: an older claim
 * that a newer one contradicts gets a low prior instead of the high one. */
#include "node/infer/heuristics.h"
#include "node/infer/statement.h"

/* In 1/1000. */
#define PRIOR_OVERRULED 300
#define PREDICATE_CLAIMS_MAX 500

static bool opposed(const struct statement_name *a, const struct statement_name *b)
{
    bool same = bytes_eq(a->object, b->object);
    if (same)
        return a->negative != b->negative;
    return statement_is_single(a->predicate) && !a->negative && !b->negative;
}

/* Occasions and links for member m; *last gets the newest use for it, *overruled whether a newer one opposes
 * it. */
static void statement_evidence(struct heuristics *h, const struct subject *s, uint32_t m,
                               const struct use **last, bool *overruled)
{
    struct statement_name mine, other;
    *last = NULL;
    *overruled = false;
    (void)statement_name_split(heur_member(h, m), &mine);
    for (size_t i = 0; i < s->n; i++) {
        const struct use *u = &s->v[i];
        (void)statement_name_split(heur_member(h, u->member), &other);
        if (u->member == m) {
            evidence_occasion(h, u, false);
            evidence_link(h, u->observation, false);
            *last = u;
            *overruled = false;
        } else if (*last != NULL && opposed(&mine, &other)) {
            evidence_occasion(h, u, true);
            evidence_link(h, u->observation, true);
            *overruled = true;
        }
    }
}

static int sentence_put(struct heuristics *h, const struct use *last, uint32_t m, bool *found, struct err *e)
{
    struct stored_observation o;
    int rc = heur_observation(h, last->observation, &o, e);
    *found = rc == 0 && statement_sentence(o.text.n > 0 ? o.text : o.title, heur_member(h, m), heur_text(h));
    return rc;
}

static int statement_claim(struct heuristics *h, const struct subject *s, uint32_t m, struct err *e)
{
    const struct use *last;
    bool overruled, found;
    evidence_begin(h);
    statement_evidence(h, s, m, &last, &overruled);
    if (last == NULL)
        return 0;
    int rc = sentence_put(h, last, m, &found, e);
    if (rc != 0 || !found)
        return rc;
    struct buf *why = heur_reasoning(h);
    struct wording w = WORDING(statement_is_reminder(s->name) ? KIND_REMINDER : KIND_STATEMENT);
    (void)buf_str(why, "The user wrote so on ");
    count_put(why, evidence_support(h));
    (void)buf_str(why, evidence_support(h) == 1 ? " day" : " days");
    if (evidence_against(h) > 0)
        (void)buf_str(why, overruled ? ", and otherwise since" : ", and otherwise in between");
    w.prior = overruled ? PRIOR_OVERRULED : 0;
    w.key = heur_member(h, m);
    w.text = buf_view(heur_text(h));
    w.reasoning = buf_view(why);
    return heur_claim(h, &w, e);
}

int heur_statement(struct heuristics *h, const struct subject *s, struct err *e)
{
    int rc = 0;
    for (uint32_t m = 0; rc == 0 && m < heur_members(h) && m < PREDICATE_CLAIMS_MAX; m++)
        rc = statement_claim(h, s, m, e);
    return rc;
}
