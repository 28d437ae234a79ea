/* Payment cards and bank accounts.
 *
 * Cards: an issuer's range with the lengths it issues, then Luhn (ISO/IEC 7812-1). Digits stand together or
 * in groups of four and more with one kind of separator. Numbers that are part of a longer number, a decimal
 * or a word are none. Accounts: ISO 13616: country, check digits, the country's own structure, mod 97 = 1.
 * Groups may be separated.
 */
#include "node/model/redact_int.h"

#define CARD_DIGITS_MAX 19
#define IBAN_CHARS_MAX 34

/* Ranges by their first six digits; lengths as bits. */
struct issuer {
    uint32_t from, to;
    uint32_t lengths;
};
#define L(n) (1u << (n))
#define L16_19 (L(16) | L(17) | L(18) | L(19))
#define L12_19 (L(12) | L(13) | L(14) | L(15) | L16_19)
static const struct issuer issuers[] = {
    {220000, 220599, L16_19},                /* Mir, Borica */
    {222100, 272099, L(16)},                 /* Mastercard */
    {300000, 305999, L(14) | L16_19},        /* Diners */
    {309500, 309599, L(14) | L16_19},        /* Diners */
    {340000, 349999, L(15)},                 /* American Express */
    {352800, 358999, L16_19},                /* JCB */
    {360000, 369999, L(14) | L16_19},        /* Diners */
    {370000, 379999, L(15)},                 /* American Express */
    {380000, 399999, L(14) | L16_19},        /* Diners */
    {400000, 499999, L(13) | L(16) | L(19)}, /* Visa */
    {500000, 509999, L(16) | L(18) | L(19)}, /* Maestro, Dankort, RuPay, Verve, Elo */
    {510000, 559999, L(16)},                 /* Mastercard */
    {560000, 589999, L(16) | L(18) | L(19)}, /* Maestro */
    {601100, 601199, L16_19},                /* Discover */
    {600000, 609999, L(16)},                 /* RuPay, Hipercard */
    {620000, 629999, L16_19},                /* UnionPay, Elo */
    {630000, 639999, L(16) | L(18) | L(19)}, /* Maestro, Elo */
    {644000, 659999, L16_19},                /* Discover, RuPay, Troy */
    {670000, 679999, L(16) | L(18) | L(19)}, /* Maestro */
    {810000, 829999, L(16)},                 /* UnionPay, RuPay */
    {860000, 860099, L(16)},                 /* Uzcard */
    {979200, 979299, L(16)},                 /* Troy */
    {986000, 986099, L(16)},                 /* Humo */
};

static bool luhn(const uint8_t *digits, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = digits[n - 1 - i];
        sum += i % 2 == 0 ? d : d * 2 - (d > 4 ? 9 : 0);
    }
    return sum % 10 == 0;
}

/* UATP has a range of its own (1) that counters and identifiers share, so it needs the word "card" close
 * before it. */
static bool card_word_before(const struct scan *s, size_t at)
{
    size_t from = at > 32 ? at - 32 : 0;
    return bytes_ifind(bytes_of(s->p + from, at - from), BYTES_LIT("card")) != SIZE_MAX;
}

static bool issued(const struct scan *s, size_t at, const uint8_t *d, size_t n)
{
    uint32_t head = 0;
    for (size_t i = 0; i < 6; i++)
        head = head * 10 + d[i];
    for (size_t i = 0; i < sizeof issuers / sizeof *issuers; i++)
        if (head >= issuers[i].from && head <= issuers[i].to && (issuers[i].lengths & L(n)) != 0)
            return true;
    return d[0] == 1 && n == 15 && card_word_before(s, at);
}

/* The digits of one number, in groups. */
struct number {
    uint8_t digits[CARD_DIGITS_MAX];
    size_t n;
    size_t groups;
    size_t ends[CARD_DIGITS_MAX];   /* byte position behind group i */
    size_t counts[CARD_DIGITS_MAX]; /* digits up to the end of group i */
};

static size_t separator(const struct scan *s, size_t at)
{
    return ch_at(s, at) == '.' ? 1 : scan_group_separator(s, at);
}

/* Reads groups of digits with one kind of separator; false if the first group is too short or a group too
 * long. */
static bool read_number(struct scan *s, size_t at, struct number *num)
{
    uint8_t kind = 0;
    num->n = num->groups = 0;
    for (;;) {
        size_t run = scan_run(s, at, CH_DIGIT, CARD_DIGITS_MAX + 1);
        if (run == 0 || (num->groups == 0 && run < 4) || num->n + run > CARD_DIGITS_MAX)
            break;
        for (size_t i = 0; i < run; i++)
            num->digits[num->n++] = (uint8_t)(s->p[at + i] - '0');
        at += run;
        num->ends[num->groups] = at;
        num->counts[num->groups++] = num->n;
        size_t sep = separator(s, at);
        if (sep == 0 || (kind != 0 && ch_at(s, at) != kind))
            break;
        kind = ch_at(s, at);
        at += sep;
    }
    return num->groups > 0;
}

/* Groups as printed on cards and typed into forms: four or more digits, the last two or more; 4-3-3-3 is old
 * Visa. */
static bool grouping_fits(const struct number *num, size_t groups)
{
    size_t before = 0;
    bool old_visa = groups == 4 && num->counts[3] == 13;
    for (size_t g = 0; g < groups; g++) {
        size_t len = num->counts[g] - before;
        before = num->counts[g];
        if (len < (g + 1 == groups ? 2u : 4u) && !(old_visa && len == 3))
            return false;
    }
    return true;
}

static bool stands_alone(const struct scan *s, size_t from, size_t to)
{
    bool decimal_before = from >= 2 && s->p[from - 1] == '.' && ch_is(s, from - 2, CH_DIGIT);
    bool decimal_after = ch_at(s, to) == '.' && ch_is(s, to + 1, CH_DIGIT);
    return ch_starts(s, from, CH_ALNUM | CH_UNDER) && !ch_is(s, to, CH_ALNUM | CH_UNDER) && !decimal_before &&
           !decimal_after;
}

/* Groups behind "RS35 " are the rest of an account number, even of one whose checksum fails. */
static bool behind_country(const struct scan *s, size_t at)
{
    return at >= 5 && scan_group_separator(s, at - 1) == 1 && ch_is(s, at - 2, CH_DIGIT) &&
           ch_is(s, at - 3, CH_DIGIT) && ch_is(s, at - 4, CH_UPPER) && ch_is(s, at - 5, CH_UPPER) &&
           ch_starts(s, at - 5, CH_ALNUM);
}

bool card_at(struct scan *s, size_t at, struct hit *h)
{
    struct number num;
    if (behind_country(s, at) || !ch_starts(s, at, CH_ALNUM | CH_UNDER) || !read_number(s, at, &num))
        return false;
    for (size_t g = num.groups; g > 0; g--) {
        size_t n = num.counts[g - 1], to = num.ends[g - 1];
        bool path = g == 1 && at > 0 && s->p[at - 1] == '/'; /* a record's number in a URL */
        if (n < 13 || path || !grouping_fits(&num, g) || !stands_alone(s, at, to))
            continue;
        if (issued(s, at, num.digits, n) && luhn(num.digits, n)) {
            *h = (struct hit){at, to, REDACT_CARD, ""};
            return true;
        }
    }
    return false;
}

/* The country's BBAN: n digits, a upper-case letters, c letters and digits. SWIFT IBAN registry. */
struct country {
    char code[3];
    const char *bban;
};
static const struct country countries[] = {
    {"AD", "8n12c"},    {"AE", "19n"},      {"AL", "8n16c"},    {"AT", "16n"},     {"AZ", "4a20c"},
    {"BA", "16n"},      {"BE", "12n"},      {"BG", "4a6n8c"},   {"BH", "4a14c"},   {"BI", "23n"},
    {"BR", "23n1a1c"},  {"BY", "4c4n16c"},  {"CH", "5n12c"},    {"CR", "18n"},     {"CY", "8n16c"},
    {"CZ", "20n"},      {"DE", "18n"},      {"DJ", "23n"},      {"DK", "14n"},     {"DO", "4c20n"},
    {"EE", "16n"},      {"EG", "25n"},      {"ES", "20n"},      {"FI", "14n"},     {"FK", "2a12n"},
    {"FO", "14n"},      {"FR", "10n11c2n"}, {"GB", "4a14n"},    {"GE", "2a16n"},   {"GI", "4a15c"},
    {"GL", "14n"},      {"GR", "7n16c"},    {"GT", "4c20c"},    {"HN", "4a20n"},   {"HR", "17n"},
    {"HU", "24n"},      {"IE", "4a14n"},    {"IL", "19n"},      {"IQ", "4a15n"},   {"IS", "22n"},
    {"IT", "1a10n12c"}, {"JO", "4a4n18c"},  {"KW", "4a22c"},    {"KZ", "3n13c"},   {"LB", "4n20c"},
    {"LC", "4a24c"},    {"LI", "5n12c"},    {"LT", "16n"},      {"LU", "3n13c"},   {"LV", "4a13c"},
    {"LY", "21n"},      {"MC", "10n11c2n"}, {"MD", "20c"},      {"ME", "18n"},     {"MK", "3n10c2n"},
    {"MN", "16n"},      {"MR", "23n"},      {"MT", "4a5n18c"},  {"MU", "4a19n3a"}, {"NI", "4a20n"},
    {"NL", "4a10n"},    {"NO", "11n"},      {"OM", "3n16c"},    {"PK", "4a16c"},   {"PL", "24n"},
    {"PS", "4a21c"},    {"PT", "21n"},      {"QA", "4a21c"},    {"RO", "4a16c"},   {"RS", "18n"},
    {"RU", "14n15c"},   {"SA", "2n18c"},    {"SC", "4a20n3a"},  {"SD", "14n"},     {"SE", "20n"},
    {"SI", "15n"},      {"SK", "20n"},      {"SM", "1a10n12c"}, {"SO", "19n"},     {"ST", "21n"},
    {"SV", "4a20n"},    {"TL", "19n"},      {"TN", "20n"},      {"TR", "6n16c"},   {"UA", "6n19c"},
    {"VA", "18n"},      {"VG", "4a16n"},    {"XK", "16n"},      {"YE", "4a4n18c"},
};

static uint8_t upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
}

static const struct country *country_of(const struct scan *s, size_t at)
{
    uint8_t a = upper(s->p[at]), b = upper(ch_at(s, at + 1));
    for (size_t i = 0; i < sizeof countries / sizeof *countries; i++)
        if (countries[i].code[0] == (char)a && countries[i].code[1] == (char)b)
            return &countries[i];
    return NULL;
}

static bool fits(uint8_t c, char kind)
{
    bool digit = c >= '0' && c <= '9', letter = c >= 'A' && c <= 'Z';
    return kind == 'n' ? digit : kind == 'a' ? letter : digit || letter;
}

/* Reads the BBAN from `at` into text[4..]; returns the position behind it, 0 if it does not fit. */
static size_t read_bban(struct scan *s, size_t at, const char *bban, uint8_t *text, size_t *n)
{
    *n = 4;
    while (*bban != '\0') {
        size_t count = 0;
        for (; *bban >= '0' && *bban <= '9'; bban++)
            count = count * 10 + (size_t)(*bban - '0');
        for (; count > 0; count--) {
            at += scan_group_separator(s, at);
            uint8_t c = upper(ch_at(s, at));
            if (!fits(c, *bban))
                return 0;
            text[(*n)++] = c;
            at++;
            s->steps++;
        }
        bban++;
    }
    return at;
}

static bool mod97(const uint8_t *text, size_t n)
{
    unsigned rest = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = text[(i + 4) % n];
        rest = c <= '9' ? rest * 10 + (unsigned)(c - '0') : rest * 100 + (unsigned)(c - 'A') + 10;
        rest %= 97;
    }
    return rest == 1;
}

bool iban_at(struct scan *s, size_t at, struct hit *h)
{
    uint8_t text[IBAN_CHARS_MAX];
    size_t n;
    if (!ch_is(s, at + 1, CH_ALPHA) || !ch_is(s, at + 2, CH_DIGIT) || !ch_is(s, at + 3, CH_DIGIT) ||
        !ch_starts(s, at, CH_UNDER))
        return false;
    const struct country *c = country_of(s, at);
    if (c == NULL)
        return false;
    for (size_t i = 0; i < 4; i++)
        text[i] = upper(s->p[at + i]);
    size_t to = read_bban(s, at + 4, c->bban, text, &n);
    if (to == 0 || ch_is(s, to, CH_ALNUM | CH_UNDER) || !mod97(text, n))
        return false;
    *h = (struct hit){at, to, REDACT_IBAN, ""};
    return true;
}
