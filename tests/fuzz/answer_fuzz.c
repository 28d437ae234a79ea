/* Answers of an endpoint. The first byte chooses the reader and the schema, the rest is what came. What is
 * taken must be strict JSON of the shape that was asked for, and reading it again must give the same. */
#include "node/infer/answer.h"

#include "base/check.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char claims_schema[] =
    "{\"type\":\"object\",\"properties\":{\"claims\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}},"
    "\"required\":[\"claims\"]}";
static const char *const schemas[] = {
    claims_schema,
    "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}",
    "{\"type\":\"object\"}",
    "{\"type\":\"array\"}",
};

static void document_take(struct bytes text, unsigned which, bool whole)
{
    struct answer_shape shape;
    struct buf once;
    struct buf twice;
    buf_init(&once, 1u << 20);
    buf_init(&twice, 1u << 20);
    CHECK(answer_shape_read(bytes_str(schemas[which % 4]), &shape, NULL) == 0);
    if (answer_document(text, &shape, whole, &once, NULL) == 0) {
        struct json_mend m = {
            .in = buf_view(&once), .strict = true, .values_max = ANSWER_VALUES_MAX, .out = &twice};
        CHECK(json_mend(&m) == 0 && m.at == once.n && m.added == 0);
        buf_clear(&twice);
        CHECK(answer_document(buf_view(&once), &shape, false, &twice, NULL) == 0);
        CHECK(bytes_eq(buf_view(&once), buf_view(&twice)));
    }
    buf_release(&once);
    buf_release(&twice);
}

static void message_take(struct bytes body)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    struct answer_message m = {.text = &text};
    if (answer_message_read(body, &m, NULL) == 0) {
        CHECK(utf8_valid(buf_view(&text)));
        CHECK(!(m.cut && m.whole));
    }
    buf_release(&text);
}

static void vectors_take(struct bytes body, size_t n)
{
    struct answer_vectors v;
    if (answer_vectors_read(body, n, &v, NULL) == 0) {
        CHECK(v.n == n && v.n_dims > 0 && v.n_dims <= ANSWER_DIMS_MAX);
        for (size_t i = 0; i < v.n * v.n_dims; i++) {
            CHECK(isfinite(v.v[i]));
        }
        free(v.v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char code[ANSWER_CODE_BYTES + 1];
    if (size == 0) {
        return 0;
    }
    struct bytes rest = bytes_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
    case 1:
        document_take(rest, data[0] >> 2, (data[0] & 1) != 0);
        break;
    case 2:
        message_take(rest);
        answer_error_code(rest, code);
        break;
    default:
        vectors_take(rest, 1 + (data[0] >> 2) % 4);
        break;
    }
    return 0;
}
