/* Provider tokens and API keys, recognised by their structure: a table of small patterns.
 *
 * A pattern is literal text and runs: '%' class '{' min [',' [max]] '}'. Runs are greedy and never give back.
 * Classes:
 *
 *     d digits          h lower hex       H hex
 *     l a-z 0-9         u A-Z 0-9         a letters
 *     w letters, digits W w and _ -       P W and .
 *     B w and + / =     V W and + / =
 *
 * An open run looks at most OPEN_RUN_MAX bytes ahead; once the token is found it takes the rest of its run.
 * A match must not be glued to more of the same: no letter, digit or '_' before it, and behind it no byte of
 * its last run's class. What the runs matched must not look made up (xxxx, 1111). The table is sorted by the
 * first two bytes, which are literal in every pattern; within a pair the first match wins.
 */
#include "node/model/redact_int.h"

#include "base/base64.h"

#define OPEN_RUN_MAX 280

enum {
    NEEDS_DIGIT = 1, /* words of prose and identifiers would fit otherwise */
    NEEDS_MIX = 2,   /* upper and lower case and a digit */
    NEEDS_ALPHA = 4, /* numbers alone are the public part */
};

struct token_kind {
    const char *label;
    const char *pattern;
    unsigned flags;
};

static const struct token_kind kinds[] = {
    {"google", "1//0%W{38,}", NEEDS_DIGIT},
    {"1password", "A3-%u{6}-%u{11}-%u{5}-%u{5}-%u{5}", 0},
    {"1password", "A3-%u{6}-%u{6}-%u{5}-%u{5}-%u{5}-%u{5}", 0},
    {"aws", "ABIA%u{16}", 0},
    {"aws-bedrock", "ABSK%B{109,269}", 0},
    {"aws", "ACCA%u{16}", 0},
    {"age", "AGE-SECRET-KEY-1%u{58}", 0},
    {"google", "AIzaSy%W{33}", 0},
    {"artifactory", "AKC%w{10,}", NEEDS_DIGIT},
    {"aws", "AKIA%u{16}", 0},
    {"artifactory", "AP%w{30,}", NEEDS_MIX},
    {"octopus", "API-%u{26}", NEEDS_DIGIT},
    {"yandex", "AQVN%W{35,38}", 0},
    {"aws", "ASIA%u{16}", 0},
    {"atlassian", "ATATT3%V{60,}", 0},
    {"bitbucket", "ATBB%w{32}", NEEDS_DIGIT},
    {"atlassian", "ATCTT3%V{60,}", 0},
    {"atlassian", "ATSTT3%V{60,}", 0},
    {"ubidots", "BBFF-%w{30}", 0},
    {"clojars", "CLOJARS_%w{60}", 0},
    {"square", "EAAA%W{60,}", NEEDS_DIGIT},
    {"facebook", "EAAC%w{90,}", NEEDS_DIGIT},
    {"facebook", "EAAM%w{90,}", NEEDS_DIGIT},
    {"easypost", "EZAK%w{54}", 0},
    {"easypost", "EZTK%w{54}", 0},
    {"flutterwave", "FLWSECK-%l{32}-X", 0},
    {"flutterwave", "FLWSECK_TEST-%H{12}", 0},
    {"google", "GOCSPX-%W{28}", 0},
    {"gitlab", "GR1348941%W{20}", 0},
    {"heroku", "HRKU-%W{36,}", 0},
    {"alibaba", "LTAI%w{17,20}", NEEDS_DIGIT},
    {"newrelic", "NRAK-%u{27}", 0},
    {"newrelic", "NRII-%W{32}", 0},
    {"postman", "PMAK-%h{24}-%h{34}", 0},
    {"sendgrid", "SG.%P{66}", 0},
    {"twilio", "SK%h{32}", 0},
    {"docker-swarm", "SWMTKN-1-%l{50}-%l{25}", 0},
    {"paypal", "access_token$production$%l{16}$%h{32}", 0},
    {"huggingface", "api_org_%a{34}", 0},
    {"aws-bedrock", "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t", 0},
    {"crates", "cio%w{32}", NEEDS_MIX},
    {"artifactory", "cmVmdGtuOj%w{50,}", 0},
    {"databricks", "dapi%h{32}", 0},
    {"docker", "dckr_oat_%W{27,}", 0},
    {"docker", "dckr_pat_%W{27,}", 0},
    {"discord", "discord.com/api/webhooks/%d{17,20}/%W{60,}", 0},
    {"discord", "discordapp.com/api/webhooks/%d{17,20}/%W{60,}", 0},
    {"digitalocean", "doo_v1_%h{64}", 0},
    {"digitalocean", "dop_v1_%h{64}", 0},
    {"digitalocean", "dor_v1_%h{64}", 0},
    {"doppler", "dp.ct.%w{40,44}", 0},
    {"doppler", "dp.pt.%w{40,44}", 0},
    {"doppler", "dp.st.%P{40,80}", 0},
    {"dynatrace", "dt0c01.%u{24}.%u{64}", 0},
    {"duffel", "duffel_live_%W{43}", 0},
    {"duffel", "duffel_test_%W{43}", 0},
    {"grafana", "eyJrIjoi%B{70,400}", 0},
    {"figma", "figd_%W{40,}", 0},
    {"frameio", "fio-u-%W{64}", 0},
    {"fly", "fm1a_%B{80,}", 0},
    {"fly", "fm1r_%B{80,}", 0},
    {"fly", "fm2_%B{80,}", 0},
    {"fly", "fo1_%W{43}", 0},
    {"github", "gho_%w{36,255}", 0},
    {"github", "ghp_%w{36,255}", 0},
    {"github", "ghr_%w{36,255}", 0},
    {"github", "ghs_%P{36,}", 0},
    {"github", "ghu_%w{36,255}", 0},
    {"github", "github_pat_%w{22}_%w{59}", 0},
    {"github", "github_pat_%W{60,90}", 0},
    {"grafana", "glc_%B{32,400}", 0},
    {"gitlab", "glcbt-%H{1,5}_%W{20}", 0},
    {"gitlab", "glcbt-%W{20}", 0},
    {"gitlab", "gldt-%W{20}", 0},
    {"gitlab", "glffct-%W{20}", 0},
    {"gitlab", "glft-%W{20}", 0},
    {"gitlab", "glimt-%W{25}", 0},
    {"gitlab", "gloas-%W{64}", 0},
    {"gitlab", "glpat-%W{27,300}.%l{2}%l{7}", 0},
    {"gitlab", "glpat-%W{20}", 0},
    {"gitlab", "glptt-%W{40}", 0},
    {"gitlab", "glrt-%W{27,300}.%l{2}%l{7}", 0},
    {"gitlab", "glrt-%W{20}", 0},
    {"grafana", "glsa_%w{32}_%H{8}", 0},
    {"gitlab", "glsoat-%W{20}", 0},
    {"groq", "gsk_%w{40,60}", 0},
    {"huggingface", "hf_%a{34}", 0},
    {"slack", "hooks.slack.com/services/T%w{8,}/%w{8,}/%w{20,}", 0},
    {"slack", "hooks.slack.com/triggers/%w{8,}/%d{8,}/%w{20,}", 0},
    {"slack", "hooks.slack.com/workflows/T%w{8,}/%w{8,}/%d{8,}/%w{20,}", 0},
    {"vault", "hvb.%W{100,}", 0},
    {"vault", "hvs.%W{24,}", 0},
    {"infracost", "ico-%w{32}", 0},
    {"mailgun", "key-%h{32}", 0},
    {"linear", "lin_api_%w{40}", 0},
    {"gocardless", "live_%W{40}", NEEDS_DIGIT},
    {"langsmith", "lsv2_pt_%h{32}_%h{10}", 0},
    {"langsmith", "lsv2_sk_%h{32}_%h{10}", 0},
    {"npm", "npm_%w{36}", 0},
    {"notion", "ntn_%d{11}%w{35}", 0},
    {"nvidia", "nvapi-%W{60,}", 0},
    {"1password", "ops_eyJ%B{200,}", 0},
    {"nuget", "oy2%l{43}", NEEDS_DIGIT},
    {"adobe", "p8e-%l{32}", 0},
    {"airtable", "pat%w{14}.%h{64}", 0},
    {"pinecone", "pcsk_%W{50,}", 0},
    {"prefect", "pnu_%w{36}", 0},
    {"perplexity", "pplx-%w{48}", 0},
    {"planetscale", "pscale_oauth_%P{32,64}", 0},
    {"planetscale", "pscale_pw_%P{32,64}", 0},
    {"planetscale", "pscale_tkn_%P{32,64}", 0},
    {"pulumi", "pul-%h{40}", 0},
    {"pypi", "pypi-AgE%W{50,}", 0},
    {"replicate", "r8_%w{37}", 0},
    {"readme", "rdme_%l{70}", 0},
    {"resend", "re_%w{8}_%w{20,}", NEEDS_DIGIT},
    {"stripe", "rk_live_%w{10,}", 0},
    {"stripe", "rk_test_%w{10,}", 0},
    {"rubygems", "rubygems_%h{48}", 0},
    {"intra42", "s-s4t2af-%h{64}", 0},
    {"intra42", "s-s4t2ud-%h{64}", 0},
    {"vault", "s.%w{24}", NEEDS_MIX},
    {"supabase", "sb_secret_%W{20,}", 0},
    {"supabase", "sbp_%h{40}", 0},
    {"notion", "secret_%w{43}", NEEDS_MIX},
    {"sourcegraph", "sgp_%H{16}_%H{40}", 0},
    {"sourcegraph", "sgp_local_%H{40}", 0},
    {"sourcegraph", "sgp_%H{40}", 0},
    {"openshift", "sha256~%W{43}", 0},
    {"shippo", "shippo_live_%h{40}", 0},
    {"shippo", "shippo_test_%h{40}", 0},
    {"shopify", "shpat_%H{32}", 0},
    {"shopify", "shpca_%H{32}", 0},
    {"shopify", "shppa_%H{32}", 0},
    {"shopify", "shpss_%H{32}", 0},
    {"openai", "sk-admin-%W{20,}", 0},
    {"anthropic", "sk-ant-%W{20,}", 0},
    {"openrouter", "sk-or-v1-%h{64}", 0},
    {"openai", "sk-proj-%W{20,}", 0},
    {"openai", "sk-svcacct-%W{20,}", 0},
    {"openai", "sk-%w{20,}", NEEDS_DIGIT},
    {"mapbox", "sk.eyJ%W{40,}.%W{20,}", 0},
    {"elevenlabs", "sk_%h{48}", 0},
    {"stripe", "sk_live_%w{10,}", 0},
    {"stripe", "sk_prod_%w{10,}", 0},
    {"stripe", "sk_test_%w{10,}", 0},
    {"sourcegraph", "slk_%H{64}", 0},
    {"settlemint", "sm_aat_%w{16}", 0},
    {"settlemint", "sm_pat_%w{16}", 0},
    {"sentry", "sntrys_eyJ%B{60,}", 0},
    {"sentry", "sntryu_%h{64}", 0},
    {"square", "sq0atp-%W{22,60}", 0},
    {"square", "sq0csp-%W{43}", 0},
    {"yandex", "t1.%V{40,}.%V{40,}", 0},
    {"typeform", "tfp_%P{59}", 0},
    {"scaleway", "tk-us-%W{48}", 0},
    {"generic", "token-%w{22,}", 0},
    {"tailscale", "tskey-%w{2,12}-%w{8,}-%w{16,}", 0},
    {"tailscale", "tskey-%w{8,}-%w{16,}", 0},
    {"tavily", "tvly-%W{20,}", NEEDS_DIGIT},
    {"github", "v1.%h{40}", NEEDS_DIGIT},
    {"cloudflare", "v1.0-%h{24}-%h{146}", 0},
    {"wakatime", "waka_%h{8}-%h{4}-%h{4}-%h{4}-%h{12}", 0},
    {"stripe", "whsec_%B{32,}", 0},
    {"xai", "xai-%w{60,}", 0},
    {"slack", "xapp-%d{1}-%u{8,}-%d{8,}-%l{20,}", 0},
    {"brevo", "xkeysib-%h{64}-%w{16}", 0},
    {"slack", "xoxa-%d{8,14}-%W{14,}", NEEDS_ALPHA},
    {"slack", "xoxb-%d{8,14}-%W{14,}", NEEDS_ALPHA},
    {"slack", "xoxc-%d{8,14}-%W{14,}", NEEDS_ALPHA},
    {"slack", "xoxd-%V{40,}", 0},
    {"slack", "xoxe-%d{1}-%w{100,}", 0},
    {"slack", "xoxe.xoxb-%d{1}-%w{100,}", 0},
    {"slack", "xoxe.xoxp-%d{1}-%w{100,}", 0},
    {"slack", "xoxo-%d{8,14}-%W{14,}", NEEDS_ALPHA},
    {"slack", "xoxp-%d{8,14}-%W{14,}", NEEDS_ALPHA},
    {"slack", "xoxr-%d{8,14}-%W{14,}", NEEDS_ALPHA},
    {"slack", "xoxs-%d{8,14}-%W{14,}", NEEDS_ALPHA},
    {"brevo", "xsmtpsib-%h{64}-%w{16}", 0},
    {"google", "ya29.%W{30,}", 0},
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

static unsigned class_mask(char c)
{
    switch (c) {
    case 'd':
        return CH_DIGIT;
    case 'h':
        return CH_DIGIT | CH_HEX_LOWER;
    case 'H':
        return CH_DIGIT | CH_HEX_LOWER | CH_HEX_UPPER;
    case 'l':
        return CH_DIGIT | CH_LOWER;
    case 'u':
        return CH_DIGIT | CH_UPPER;
    case 'a':
        return CH_ALPHA;
    case 'W':
        return CH_WORD;
    case 'P':
        return CH_WORD | CH_DOT;
    case 'B':
        return CH_ALNUM | CH_PLUS_SLASH | CH_EQUAL;
    case 'V':
        return CH_WORD | CH_PLUS_SLASH | CH_EQUAL;
    default:
        return CH_ALNUM;
    }
}

/* One run of a pattern, read from behind its '%'. */
struct run_spec {
    unsigned mask;
    size_t min, max;
};

static const char *read_spec(const char *p, struct run_spec *r)
{
    r->mask = class_mask(*p);
    p += 2;
    for (r->min = 0; *p >= '0' && *p <= '9'; p++)
        r->min = r->min * 10 + (size_t)(*p - '0');
    r->max = r->min;
    if (*p == ',') {
        r->max = 0;
        for (p++; *p >= '0' && *p <= '9'; p++)
            r->max = r->max * 10 + (size_t)(*p - '0');
        if (r->max == 0)
            r->max = OPEN_RUN_MAX;
    }
    return p + 1;
}

struct match {
    size_t body; /* where the first run begins */
    size_t to;
    struct run_spec last;
};

/* The pattern holds at `at`; what follows is for the caller to look at. */
static bool match(struct scan *s, size_t at, const char *pattern, struct match *m)
{
    struct run_spec r = {.mask = CH_ALNUM};
    m->body = 0;
    while (*pattern != '\0') {
        if (*pattern != '%') {
            if (ch_at(s, at++) != (uint8_t)*pattern++)
                return false;
            continue;
        }
        pattern = read_spec(pattern + 1, &r);
        if (m->body == 0)
            m->body = at;
        size_t n = scan_run(s, at, r.mask, r.max);
        if (n < r.min)
            return false;
        at += n;
    }
    m->to = at;
    m->last = r;
    return true;
}

/* The match is not the head of something longer; an open run that was not read to its end is longer itself.
 */
static bool ends_there(const struct scan *s, const struct match *m)
{
    if (m->last.max == OPEN_RUN_MAX)
        return true;
    unsigned glue = (m->last.mask & ~(unsigned)(CH_DOT | CH_EQUAL)) | CH_ALNUM;
    return !ch_is(s, m->to, glue);
}

static bool flags_hold(const struct scan *s, size_t from, size_t to, unsigned flags)
{
    unsigned seen = 0;
    size_t end = to - from < 128 ? to : from + 128;
    for (size_t i = from; i < end && flags != 0; i++)
        seen |= redact_chars[s->p[i]];
    if ((flags & (NEEDS_DIGIT | NEEDS_MIX)) != 0 && (seen & CH_DIGIT) == 0)
        return false;
    if ((flags & NEEDS_ALPHA) != 0 && (seen & CH_ALPHA) == 0)
        return false;
    return (flags & NEEDS_MIX) == 0 || ((seen & CH_UPPER) != 0 && (seen & CH_LOWER) != 0);
}

static bool token_hit(struct scan *s, size_t from, size_t to, size_t body, const struct token_kind *k,
                      struct hit *h)
{
    if (body == 0)
        body = from;
    s->steps += to - from < 256 ? to - from : 256;
    if (redact_is_dummy(bytes_of(s->p + body, to - body)) || !flags_hold(s, body, to, k->flags))
        return false;
    *h = (struct hit){from, to, REDACT_TOKEN, k->label};
    return true;
}

static unsigned pair_of(const char *pattern)
{
    return (unsigned)(uint8_t)pattern[0] << 8 | (uint8_t)pattern[1];
}

static size_t first_kind(unsigned pair)
{
    size_t lo = 0, hi = N_KINDS;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (pair_of(kinds[mid].pattern) < pair)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Of either alphabet; '_' is the one digit that base64_value() lacks besides '-'. */
static uint32_t digit_value(uint8_t c)
{
    int v = base64_value(c == '-' ? '+' : c);
    return v >= 0 ? (uint32_t)v : 63;
}

/* The base64url run is a JSON object: {"…}, printable throughout. */
static bool is_encoded_json(const struct scan *s, size_t from, size_t to)
{
    uint32_t bits = 0;
    unsigned held = 0;
    uint8_t last = 0;
    for (size_t i = from; i < to; i++) {
        bits = bits << 6 | digit_value(s->p[i]);
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        uint8_t c = (uint8_t)(bits >> held);
        if ((c < ' ' && c != '\n' && c != '\t' && c != '\r') || c > '~')
            return false;
        last = c > ' ' ? c : last;
    }
    return last == '}';
}

/* JSON web tokens: a header that decodes to JSON, a payload that begins like JSON (or is encrypted), a
 * signature or none. */
static bool jwt_at(struct scan *s, size_t at, struct hit *h)
{
    if (!ch_starts(s, at, CH_WORD | CH_DOT) || !scan_is(s, at, "eyJ"))
        return false;
    size_t header = at + scan_run(s, at, CH_WORD, SIZE_MAX);
    if (ch_at(s, header) != '.' || header - at < 16 || !is_encoded_json(s, at, header))
        return false;
    s->steps += header - at;
    size_t to = header;
    for (int part = 0; part < 4 && ch_at(s, to) == '.' && ch_is(s, to + 1, CH_WORD); part++)
        to += 1 + scan_run(s, to + 1, CH_WORD, SIZE_MAX);
    if (to - header < 10)
        return false;
    *h = (struct hit){at, to, REDACT_TOKEN, "jwt"};
    return true;
}

/* Discord: a user number in base64 (digits encode to M, N, O; public samples begin with A too), a time, a
 * signature. */
static bool discord_at(struct scan *s, size_t at, struct hit *h)
{
    static const struct token_kind kind = {"discord", "", NEEDS_MIX};
    uint8_t c = s->p[at];
    if ((c != 'A' && c != 'M' && c != 'N' && c != 'O') || !ch_starts(s, at, CH_WORD))
        return false;
    size_t id = scan_run(s, at, CH_WORD, 27);
    if (id < 24 || id > 26 || ch_at(s, at + id) != '.')
        return false;
    size_t time = scan_run(s, at + id + 1, CH_WORD, 7);
    if (time != 6 || ch_at(s, at + id + 7) != '.')
        return false;
    size_t mac = scan_run(s, at + id + 8, CH_WORD, 64);
    if (mac < 27 || !token_hit(s, at, at + id + 8 + mac, at, &kind, h))
        return false;
    h->to += scan_run(s, h->to, CH_WORD, SIZE_MAX);
    return true;
}

bool token_at(struct scan *s, size_t at, struct hit *h)
{
    if (at + 2 > s->n || !ch_starts(s, at, CH_ALNUM | CH_UNDER))
        return false;
    unsigned pair = (unsigned)s->p[at] << 8 | s->p[at + 1];
    for (size_t i = first_kind(pair); i < N_KINDS && pair_of(kinds[i].pattern) == pair; i++) {
        struct match m;
        s->steps += 4;
        if (!match(s, at, kinds[i].pattern, &m) || !ends_there(s, &m) ||
            !token_hit(s, at, m.to, m.body, &kinds[i], h))
            continue;
        if (m.last.max == OPEN_RUN_MAX)
            h->to += scan_run(s, h->to, m.last.mask, SIZE_MAX);
        return true;
    }
    return jwt_at(s, at, h) || discord_at(s, at, h);
}

bool token_number_at(struct scan *s, size_t at, struct hit *h)
{
    static const struct token_kind telegram = {"telegram", "", NEEDS_MIX},
                                   facebook = {"facebook", "", NEEDS_DIGIT};
    bool bot = at >= 3 && scan_is(s, at - 3, "bot");
    if (!bot && !ch_starts(s, at, CH_ALNUM))
        return false;
    size_t digits = scan_run(s, at, CH_DIGIT, 17), mark = at + digits;
    if (digits < 8 || mark >= s->n)
        return false;
    size_t rest = scan_run(s, mark + 1, CH_WORD, 64), to = mark + 1 + rest;
    if (s->p[mark] == ':' && digits <= 10 && rest == 35)
        return token_hit(s, at, to, mark + 1, &telegram, h);
    return s->p[mark] == '|' && digits >= 15 && rest >= 26 && rest <= 28 &&
           token_hit(s, at, to, mark + 1, &facebook, h);
}

/* Azure: three characters, a digit, "Q~", 31 to 34 more. */
static bool azure_at(struct scan *s, size_t at, struct hit *h)
{
    static const struct token_kind kind = {"azure", "", NEEDS_DIGIT};
    if (at < 5 || s->p[at - 1] != 'Q' || !ch_is(s, at - 2, CH_DIGIT))
        return false;
    size_t from = at - 5, to = at + 1;
    for (size_t i = from; i < at; i++)
        if (!ch_is(s, i, CH_WORD | CH_DOT) && s->p[i] != '~')
            return false;
    while (to < s->n && to - at <= 36 && (ch_is(s, to, CH_WORD | CH_DOT) || s->p[to] == '~'))
        to++;
    s->steps += to - from;
    return to - at - 1 >= 31 && to - at - 1 <= 34 && ch_starts(s, from, CH_WORD | CH_DOT) &&
           token_hit(s, from, to, at + 1, &kind, h);
}

/* Terraform: fourteen characters, ".atlasv1.", sixty or more. */
static bool terraform_at(struct scan *s, size_t at, struct hit *h)
{
    static const struct token_kind kind = {"terraform", "", 0};
    if (at < 14 || !scan_is(s, at, ".atlasv1."))
        return false;
    for (size_t i = at - 14; i < at; i++)
        if (!ch_is(s, i, CH_ALNUM))
            return false;
    size_t rest = scan_run(s, at + 9, CH_WORD | CH_EQUAL, 80);
    return rest >= 60 && ch_starts(s, at - 14, CH_WORD) &&
           token_hit(s, at - 14, at + 9 + rest, at + 9, &kind, h);
}

/* Mailchimp: 32 lower hex, "-us", the data centre. */
static bool mailchimp_at(struct scan *s, size_t at, struct hit *h)
{
    static const struct token_kind kind = {"mailchimp", "", 0};
    if (at < 32 || !scan_is(s, at, "-us") || !ch_is(s, at + 3, CH_DIGIT))
        return false;
    for (size_t i = at - 32; i < at; i++)
        if (!ch_is(s, i, CH_DIGIT | CH_HEX_LOWER))
            return false;
    size_t to = at + 3 + scan_run(s, at + 3, CH_DIGIT, 3);
    return to - at <= 5 && !ch_is(s, to, CH_WORD) && ch_starts(s, at - 32, CH_WORD) &&
           token_hit(s, at - 32, to, at - 32, &kind, h);
}

bool token_mark_at(struct scan *s, size_t at, struct hit *h)
{
    switch (s->p[at]) {
    case '~':
        return azure_at(s, at, h);
    case '.':
        return terraform_at(s, at, h);
    case '-':
        return mailchimp_at(s, at, h);
    default:
        return false;
    }
}

bool redact_tokens_sorted(void)
{
    for (size_t i = 1; i < N_KINDS; i++)
        if (pair_of(kinds[i - 1].pattern) > pair_of(kinds[i].pattern))
            return false;
    return true;
}
