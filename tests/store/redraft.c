#include "tests/store/redraft.h"

static void redraft_reg(const struct action *a, struct draft *d)
{
    struct reg_write w;
    action_reg(a, &w);
    draft_reg(d, (enum op_tag)a->tag, w.value, w.replaced, w.n_replaced);
}

static void redraft_remove(const struct action *a, struct draft *d)
{
    struct set_remove r;
    action_remove(a, &r);
    draft_set_remove(d, (enum op_tag)(a->tag - 32), r.element, r.dots, r.n_dots);
}

static void redraft_count(const struct action *a, struct draft *d)
{
    struct count c;
    action_count(a, &c);
    draft_count(d, &c);
}

static void redraft_seen(const struct action *a, struct draft *d)
{
    struct seen seen[OP_SEEN_MAX];
    size_t n = 0;
    for (size_t at = 0; n < OP_SEEN_MAX && action_seen(a, &at, &seen[n]);)
        n++;
    draft_seen(d, seen, n);
}

static void redraft_action(const struct action *a, struct draft *d)
{
    switch (action_kind(a->tag)) {
    case ACTION_REG:
        redraft_reg(a, d);
        break;
    case ACTION_ADD:
        draft_set_add(d, (enum op_tag)a->tag, a->payload);
        break;
    case ACTION_REMOVE:
        redraft_remove(a, d);
        break;
    case ACTION_COUNT:
        redraft_count(a, d);
        break;
    case ACTION_SEEN:
        redraft_seen(a, d);
        break;
    case ACTION_FORGET:
        draft_forget(d);
        break;
    case ACTION_OTHER:
        draft_reg(d, (enum op_tag)a->tag, a->payload, NULL, 0);
        break;
    }
}

void redraft(const struct op *op, struct draft *d)
{
    struct action a;
    draft_reset(d, (enum op_space)op->space, (enum op_class)op->cls, &op->id);
    for (size_t at = 0; op_action(op, &at, &a);)
        redraft_action(&a, d);
}
