/* Private key blocks: PEM (RFC 7468), OpenSSH, OpenPGP (RFC 9580) and SSH2.
 *
 * A block runs from its header to its footer, whatever stands between, line ends written as "\n" included. A
 * block whose body holds no run of base64 is a placeholder in documentation and stays. A header without a
 * footer (the text was cut) takes the base64 that follows it along.
 */
#include "node/model/redact_int.h"

#define BODY_BYTES_MAX 16384u
#define BODY_RUN_MIN 16
#define BASE64 (CH_ALNUM | CH_PLUS_SLASH | CH_EQUAL)

/* Length of "BEGIN … PRIVATE KEY … ----" behind the dashes, 0 if it is no such header. */
static size_t header_length(struct scan *s, size_t at)
{
    if (!scan_is(s, at, "BEGIN "))
        return 0;
    size_t label = scan_run(s, at, CH_UPPER | CH_DIGIT | CH_BLANK, 64);
    size_t dashes = scan_run(s, at + label, CH_DASH, 8);
    bool key = bytes_find(bytes_of(s->p + at, label), BYTES_LIT("PRIVATE KEY")) != SIZE_MAX;
    return key && dashes >= 4 ? label + dashes : 0;
}

/* The first run of four dashes from `at`, or n. */
static size_t next_dashes(struct scan *s, size_t at)
{
    size_t end = s->n - at < BODY_BYTES_MAX ? s->n : at + BODY_BYTES_MAX;
    size_t dashes = 0;
    for (size_t i = at; i < end; i++) {
        dashes = s->p[i] == '-' ? dashes + 1 : 0;
        if (dashes == 4) {
            s->steps += i - at;
            return i - 3;
        }
    }
    s->steps += end - at;
    return s->n;
}

static bool has_base64(struct scan *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        size_t run = scan_run(s, i, BASE64, to - i);
        if (run >= BODY_RUN_MIN)
            return true;
        i += run;
    }
    return false;
}

static size_t line_break(const struct scan *s, size_t at)
{
    if (ch_is(s, at, CH_SPACE))
        return 1;
    return ch_at(s, at) == '\\' && (ch_at(s, at + 1) == 'n' || ch_at(s, at + 1) == 'r') ? 2 : 0;
}

/* The base64 lines behind a header whose footer is missing. */
static size_t loose_body_end(struct scan *s, size_t at)
{
    size_t end = at;
    while (at < s->n) {
        size_t sep;
        while ((sep = line_break(s, at)) > 0)
            at += sep;
        size_t run = scan_run(s, at, BASE64, SIZE_MAX);
        if (run == 0 || (run < BODY_RUN_MIN && s->p[at + run - 1] != '='))
            break;
        end = at += run;
    }
    return end;
}

bool private_key_at(struct scan *s, size_t at, struct hit *h)
{
    if (ch_at(s, at + 1) != '-' || !ch_starts(s, at, CH_DASH))
        return false;
    size_t dashes = scan_run(s, at, CH_DASH, 8);
    while (ch_at(s, at + dashes) == ' ' && dashes < 8)
        dashes++;
    size_t header = dashes >= 4 ? header_length(s, at + dashes) : 0;
    if (header == 0)
        return false;
    size_t body = at + dashes + header, end = next_dashes(s, body), label = end;
    while (ch_at(s, label) == '-' || ch_at(s, label) == ' ')
        label++;
    *h = (struct hit){at, loose_body_end(s, body), REDACT_PRIVATE_KEY, "private-key"};
    if (!scan_is(s, label, "END "))
        return true;
    if (!has_base64(s, body, end))
        return false;
    label += scan_run(s, label, CH_UPPER | CH_DIGIT | CH_BLANK, 64);
    h->to = label + scan_run(s, label, CH_DASH, 8);
    return true;
}
