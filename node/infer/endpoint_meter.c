/* What was spent today. One local value "endpoint:meter": version 1 · day i64 · requests, tokens in, tokens
 * out, money i64. A clock that was set back goes on with what was spent; only a later day starts anew. */
#include "node/infer/endpoint_state.h"

#include "base/cursor.h"

#define METER_KEY "endpoint:meter"
#define METER_VERSION 1
#define METER_BYTES 41
/* Sums stay far below 2^63, and exact in a double. */
#define COUNT_MAX INT64_C(1000000000000000)
#define MONEY_MAX INT64_C(4000000000000000000)

static int64_t local_day(struct node *n, int64_t wall_ms)
{
    struct observer_env env;
    node_observer_env(n, &env);
    int64_t local = wall_ms + env.zone_offset(env.zone_ctx, wall_ms) * MS_MINUTE;
    return local / MS_DAY - (local % MS_DAY < 0);
}

int64_t meter_renews_ms(struct node *n)
{
    int64_t now = clock_wall_ms(&n->clock);
    int64_t day = local_day(n, now);
    int64_t low = now;
    int64_t high = now + 2 * MS_DAY; /* a day may have 25 hours */
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        *(local_day(n, mid) > day ? &high : &low) = mid;
    }
    return high;
}

static void today(struct meter *m, struct node *n)
{
    int64_t day = local_day(n, clock_wall_ms(&n->clock));
    if (day > m->day) {
        *m = (struct meter){0};
    }
    m->day = day;
}

int meter_load(struct meter *m, struct node *n, struct err *e)
{
    struct buf v;
    bool found = false;
    struct rd r;
    *m = (struct meter){0};
    buf_init(&v, METER_BYTES);
    int rc = local_get(n->store, METER_KEY, &v, &found, e);
    rd_init(&r, buf_view(&v));
    if (rc == 0 && found && rd_u8(&r) == METER_VERSION) {
        m->day = (int64_t)rd_u64(&r);
        m->requests = (int64_t)rd_u64(&r);
        m->tokens_in = (int64_t)rd_u64(&r);
        m->tokens_out = (int64_t)rd_u64(&r);
        m->money = (int64_t)rd_u64(&r);
        if (rd_end(&r) != 0) {
            rc = err_set(e, ERR_CORRUPT, "the meter of the endpoint is damaged");
        }
    }
    buf_release(&v);
    today(m, n);
    return rc;
}

static int meter_save(const struct meter *m, struct node *n, struct err *e)
{
    struct buf v;
    buf_init(&v, METER_BYTES);
    wr_u8(&v, METER_VERSION);
    wr_u64(&v, (uint64_t)m->day);
    wr_u64(&v, (uint64_t)m->requests);
    wr_u64(&v, (uint64_t)m->tokens_in);
    wr_u64(&v, (uint64_t)m->tokens_out);
    wr_u64(&v, (uint64_t)m->money);
    int rc =
        v.err != 0 ? err_set(e, v.err, "writing the meter") : local_set(n->store, METER_KEY, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

static int64_t price(const struct endpoint_settings *set, struct spending s)
{
    double in = (double)s.tokens_in * (double)set->price_in;
    double out = (double)s.tokens_out * (double)set->price_out;
    double sum = in + out;
    return sum > (double)MONEY_MAX ? MONEY_MAX : sum < -(double)MONEY_MAX ? -MONEY_MAX : (int64_t)sum;
}

static int64_t sum_of(int64_t a, int64_t b, int64_t max)
{
    int64_t sum = a + b;
    return sum < 0 ? 0 : sum > max ? max : sum;
}

int meter_add(struct meter *m, struct node *n, const struct endpoint_settings *set, struct spending s,
              int64_t requests, struct err *e)
{
    today(m, n);
    m->requests = sum_of(m->requests, requests, COUNT_MAX);
    m->tokens_in = sum_of(m->tokens_in, s.tokens_in, COUNT_MAX);
    m->tokens_out = sum_of(m->tokens_out, s.tokens_out, COUNT_MAX);
    m->money = sum_of(m->money, price(set, s), MONEY_MAX);
    return meter_save(m, n, e);
}

int meter_fits(struct meter *m, struct node *n, const struct endpoint_settings *set, struct spending s,
               bool *never, struct err *e)
{
    today(m, n);
    int64_t tokens = s.tokens_in + s.tokens_out;
    double money_max = (double)set->budget_money * 1e6;
    double money = (double)price(set, s);
    bool by_tokens = set->budget_tokens > 0;
    bool by_money = set->budget_money > 0;
    *never = (by_tokens && tokens > set->budget_tokens) || (by_money && money > money_max);
    if (*never) {
        (void)err_set(e, ERR_PERM, "one request would cost more than the endpoint's budget of a day");
        err_hint(e, "selfsame config endpoint.budget-%s", by_money && money > money_max ? "money" : "tokens");
        return ERR_PERM;
    }
    if (by_tokens && m->tokens_in + m->tokens_out + tokens > set->budget_tokens) {
        return err_set(e, ERR_LIMIT, "the endpoint's budget of tokens for today is spent");
    }
    if (by_money && (double)m->money + money > money_max) {
        return err_set(e, ERR_LIMIT, "the endpoint's budget of money for today is spent");
    }
    return 0;
}
