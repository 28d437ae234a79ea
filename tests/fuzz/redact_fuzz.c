/* The redactor and the audit on one input: the first byte chooses context and classes, the rest is the
 * text. What comes out must be valid UTF-8, spans ordered and inside, and redacting the output must find no
 * card, account or token. */
#include "base/check.h"
#include "base/text.h"
#include "node/model/audit.h"

#define OUT_BYTES ((size_t)8 << 20)
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

static void check_text(struct bytes in, unsigned classes, enum redact_context context)
{
    struct buf once, twice;
    struct redact_counts counts = {{0}}, again = {{0}};
    buf_init(&once, OUT_BYTES);
    buf_init(&twice, OUT_BYTES);
    check_spans(in, classes, context);
    if (redact(in, classes, context, &once, &counts) == 0) {
        CHECK(utf8_valid(buf_view(&once)));
        CHECK(redact(buf_view(&once), classes, context, &twice, &again) == 0);
        CHECK(again.n[REDACT_CARD] == 0 && again.n[REDACT_IBAN] == 0 && again.n[REDACT_TOKEN] == 0);
    }
    buf_release(&once);
    buf_release(&twice);
}

/* Every field of an observation; data that was let through once is let through again. */
static void check_audit(struct audit *a, struct bytes in)
{
    struct observation out, again, o = {.source = BYTES_LIT("fuzz"), .time_ms = 0, .end_ms = TIME_NONE};
    struct buf data;
    buf_init(&data, OUT_BYTES);
    o.title = o.text = o.url = o.command = o.cwd = o.data = in;
    o.files = &in;
    o.n_files = 1;
    CHECK(audit_check(a, &o, &out) != AUDIT_DROP);
    CHECK(utf8_valid(out.title) && utf8_valid(out.text) && utf8_valid(out.url) && utf8_valid(out.command) &&
          utf8_valid(out.data) && utf8_valid(out.files[0]));
    CHECK(buf_bytes(&data, out.data) == 0);
    o.data = buf_view(&data);
    CHECK(audit_check(a, &o, &again) != AUDIT_DROP && (data.n == 0) == (again.data.n == 0));
    buf_release(&data);
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
    }
    struct audit *a = NULL;
    if (audit_new(&a, bytes_of(data + 1, size - 1), classes, NULL) == 0)
        audit_free(a);
    CHECK(audit_new(&a, BYTES_LIT("keep site=a.b path=*x*y title=*z"), classes, NULL) == 0);
    check_audit(a, bytes_of(data + 1, size - 1));
    audit_free(a);
    buf_release(&text);
    return 0;
}
