/* The redactor and the audit: the first byte chooses context (% 3), classes (4), the redactor or the audit
 * (8), and which field the audit sees (16 to 112, all for more); the rest is the text. What comes out must be
 * valid UTF-8, spans ordered and inside, and redacting the output must find no card, account or token. */
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

/* A field of an observation, or all; data that was let through once is let through again. */
static void check_audit(struct audit *a, struct bytes in, unsigned field)
{
    struct observation out, again, o = {.source = BYTES_LIT("fuzz"), .time_ms = 0, .end_ms = TIME_NONE};
    struct bytes *const fields[] = {&o.title, &o.text, &o.url, &o.command, &o.cwd, &o.data};
    struct buf data;
    buf_init(&data, OUT_BYTES);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        *fields[i] = field == i || field > 6 ? in : BYTES_NONE;
    o.files = &in;
    o.n_files = field >= 6;
    CHECK(audit_check(a, &o, &out) != AUDIT_DROP);
    CHECK(utf8_valid(out.title) && utf8_valid(out.text) && utf8_valid(out.url) && utf8_valid(out.command) &&
          utf8_valid(out.data) && (out.n_files == 0 || utf8_valid(out.files[0])));
    CHECK(buf_bytes(&data, out.data) == 0);
    o.data = buf_view(&data);
    if (o.data.n > 0)
        CHECK(audit_check(a, &o, &again) != AUDIT_DROP && again.data.n > 0);
    buf_release(&data);
}

static struct audit *the_audit(bool all)
{
    static struct audit *audits[2];
    if (!audits[all])
        CHECK(audit_new(&audits[all], BYTES_LIT("keep site=a.b path=*x*y title=*z"),
                        all ? REDACT_ALL : REDACT_DEFAULT, NULL) == 0);
    return audits[all];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text;
    if (size == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    bool all = (data[0] & 4) != 0;
    if ((data[0] & 8) != 0) {
        check_audit(the_audit(all), in, data[0] >> 4);
        return 0;
    }
    buf_init(&text, OUT_BYTES);
    if (utf8_repair(in, &text) == 0)
        check_text(buf_view(&text), all ? REDACT_ALL : REDACT_DEFAULT, (enum redact_context)(data[0] % 3));
    buf_release(&text);
    return 0;
}
