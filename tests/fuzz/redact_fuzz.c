/* The redactor and the audit's JSON on one input: the first byte chooses context and classes, the rest is the
 * text. What comes out must be valid UTF-8, spans ordered and inside, and redacting the output must find no
 * card, account or token. */
#include "base/check.h"
#include "base/text.h"
#include "node/model/audit_int.h"
#include "node/model/redact_int.h"

#define OUT_BYTES ((size_t)8 << 20)
#define STEPS_PER_BYTE_MAX 400u
#define SPANS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spans(struct bytes in, unsigned classes, enum redact_context context)
{
    struct redact_span spans[SPANS_MAX];
    size_t n = redact_find(in, classes, context, spans, SPANS_MAX), done = 0;
    for (size_t i = 0; i < n; i++) {
        CHECK(spans[i].from >= done && spans[i].to > spans[i].from && spans[i].to <= in.n);
        CHECK((classes & REDACT_BIT(spans[i].cls)) != 0);
        done = spans[i].to;
    }
}

static void check_steps(struct bytes in, unsigned classes, enum redact_context context)
{
    struct scan s;
    struct hit h;
    scan_init(&s, in, classes, context);
    while (scan_next(&s, &h))
        CHECK(h.to <= in.n);
    CHECK(s.steps <= (in.n + 64) * STEPS_PER_BYTE_MAX);
}

static void check_text(struct bytes in, unsigned classes, enum redact_context context)
{
    struct buf once, twice;
    struct redact_counts counts = {{0}}, again = {{0}};
    buf_init(&once, OUT_BYTES);
    buf_init(&twice, OUT_BYTES);
    check_spans(in, classes, context);
    check_steps(in, classes, context);
    if (redact(in, classes, context, &once, &counts) == 0) {
        CHECK(utf8_valid(buf_view(&once)));
        CHECK(redact(buf_view(&once), classes, context, &twice, &again) == 0);
        CHECK(again.n[REDACT_CARD] == 0 && again.n[REDACT_IBAN] == 0 && again.n[REDACT_TOKEN] == 0);
    }
    buf_release(&once);
    buf_release(&twice);
}

/* JSON that was accepted stays JSON. */
static void check_json(struct bytes in, unsigned classes)
{
    struct buf out, again;
    struct redact_counts counts = {{0}};
    buf_init(&out, OUT_BYTES);
    buf_init(&again, OUT_BYTES);
    if (json_redact(in, classes, &out, &counts) == 0) {
        CHECK(utf8_valid(buf_view(&out)));
        CHECK(json_redact(buf_view(&out), classes, &again, &counts) == 0);
    }
    buf_release(&out);
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text;
    if (size == 0)
        return 0;
    enum redact_context context = (enum redact_context)(data[0] % 3);
    unsigned classes = (data[0] & 4) != 0 ? REDACT_ALL : REDACT_DEFAULT;
    buf_init(&text, OUT_BYTES);
    if (utf8_repair(bytes_of(data + 1, size - 1), &text) == 0) {
        check_text(buf_view(&text), classes, context);
        check_json(buf_view(&text), classes);
    }
    struct bytes line = bytes_of(data + 1, size - 1);
    (void)audit_rule_check(line, NULL);
    buf_release(&text);
    return 0;
}
