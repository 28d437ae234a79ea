/* E-mail addresses and phone numbers: off unless the user switches them on.
 *
 * Addresses: the dot-atom form of RFC 5321 with a domain of two labels and more. "git@host" names a login,
 * not a person. Phones: E.164 with '+', the North American plan, numbers with a trunk 0, Chinese mobile
 * numbers. Bare national digits without any of these are left alone: nothing tells them from other numbers.
 */
#include "node/model/redact_int.h"

#define LOCAL_BYTES_MAX 64
#define DOMAIN_BYTES_MAX 253

/* End of the domain at `at`, 0 if it is none. */
static size_t domain_end(struct scan *s, size_t at)
{
    size_t run = scan_run(s, at, CH_ALNUM | CH_DASH | CH_DOT, DOMAIN_BYTES_MAX), end = at + run;
    while (end > at && !ch_is(s, end - 1, CH_ALNUM))
        end--;
    size_t label = end;
    while (label > at && ch_is(s, label - 1, CH_ALNUM | CH_DASH))
        label--;
    bool dotted = label > at + 1 && ch_is(s, label - 1, CH_DOT) && ch_is(s, at, CH_ALNUM);
    return dotted && end - label >= 2 && ch_is(s, label, CH_ALPHA) ? end : 0;
}

bool email_at(struct scan *s, size_t at, struct hit *h)
{
    if ((s->classes & REDACT_BIT(REDACT_EMAIL)) == 0)
        return false;
    size_t from = at;
    while (from > s->floor && at - from < LOCAL_BYTES_MAX && ch_is(s, from - 1, CH_ALNUM | CH_LOCAL))
        from--;
    s->steps += at - from;
    while (from < at && !ch_is(s, from, CH_ALNUM | CH_UNDER))
        from++;
    size_t to = domain_end(s, at + 1);
    if (from == at || to == 0 || (at - from == 3 && scan_iis(s, from, "git")))
        return false;
    *h = (struct hit){from, to, REDACT_EMAIL, ""};
    return true;
}

#define PHONE_GROUPS_MAX 8
#define PHONE_DIGITS_MAX 15

struct phone {
    bool plus;
    bool parens;                    /* some group stands in parentheses */
    size_t n;                       /* groups */
    size_t digits;                  /* in all */
    size_t at[PHONE_GROUPS_MAX];    /* where group i begins */
    size_t count[PHONE_GROUPS_MAX]; /* its digits */
    size_t to;
};

/* One optional separator and an opening parenthesis. */
static size_t phone_separator(const struct scan *s, size_t at, bool *open)
{
    size_t sep = scan_group_separator(s, at);
    if (sep == 0 && (ch_at(s, at) == '.' || ch_at(s, at) == '/'))
        sep = 1;
    *open = ch_at(s, at + sep) == '(';
    return sep + (*open ? 1 : 0);
}

static void phone_read(struct scan *s, size_t at, struct phone *p)
{
    bool open = ch_at(s, at) == '(';
    *p = (struct phone){.plus = ch_at(s, at) == '+'};
    at += open || p->plus ? 1 : 0;
    while (p->n < PHONE_GROUPS_MAX) {
        size_t run = scan_run(s, at, CH_DIGIT, PHONE_DIGITS_MAX + 1);
        if (run == 0 || p->digits + run > PHONE_DIGITS_MAX || (open && ch_at(s, at + run) != ')'))
            return;
        p->at[p->n] = at;
        p->count[p->n++] = run;
        p->digits += run;
        p->parens |= open;
        at += run + (open ? 1 : 0);
        p->to = at;
        bool closed = open;
        size_t sep = phone_separator(s, at, &open);
        if (sep == 0 && !closed)
            return;
        at += sep;
    }
}

/* NXX-NXX-XXXX from group g on. */
static bool is_north_american(const struct scan *s, const struct phone *p, size_t g)
{
    return p->n == g + 3 && p->count[g] == 3 && p->count[g + 1] == 3 && p->count[g + 2] == 4 &&
           s->p[p->at[g]] >= '2' && s->p[p->at[g + 1]] >= '2';
}

static bool is_date(const struct phone *p)
{
    return p->n >= 3 && p->count[0] == 2 && p->count[1] == 2 && p->count[2] == 4;
}

static bool is_trunk(const struct scan *s, const struct phone *p)
{
    size_t second = p->count[0] > 1 ? p->at[0] + 1 : p->n > 1 ? p->at[1] : p->at[0];
    if (s->p[p->at[0]] != '0' || s->p[second] == '0')
        return false;
    return p->n == 1 ? p->digits == 10 || p->digits == 11 : p->digits >= 9 && p->digits <= 11 && !is_date(p);
}

static bool is_phone(const struct scan *s, const struct phone *p)
{
    if (p->n == 0)
        return false;
    if (p->plus)
        return p->digits >= 8;
    if (is_north_american(s, p, 0) || (p->n == 4 && p->count[0] <= 3 && is_north_american(s, p, 1)))
        return true;
    bool chinese = p->n == 1 && p->digits == 11 && s->p[p->at[0]] == '1' && s->p[p->at[0] + 1] >= '3';
    return chinese || is_trunk(s, p) || (p->parens && p->n >= 2 && p->digits >= 9 && s->p[p->at[0]] == '0');
}

bool phone_at(struct scan *s, size_t at, struct hit *h)
{
    struct phone p;
    if ((s->classes & REDACT_BIT(REDACT_PHONE)) == 0 || !ch_starts(s, at, CH_DIGIT | CH_DOT | CH_UNDER))
        return false;
    if (at >= 2 && !ch_starts(s, at, CH_DASH) && ch_is(s, at - 2, CH_ALNUM))
        return false;
    phone_read(s, at, &p);
    for (size_t cut = p.n; cut > 0 && !is_phone(s, &p); cut--) {
        p.n = cut - 1;
        p.digits -= p.count[cut - 1];
        p.to = p.n > 0 ? p.at[p.n - 1] + p.count[p.n - 1] : at;
    }
    if (p.n == 0 || ch_is(s, p.to, CH_ALNUM | CH_UNDER))
        return false;
    bool lettered = !ch_starts(s, at, CH_ALPHA);
    if (lettered && !is_north_american(s, &p, 0))
        return false;
    *h = (struct hit){at, p.to, REDACT_PHONE, ""};
    return true;
}
