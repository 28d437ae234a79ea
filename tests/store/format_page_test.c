/* store/FORMAT.md, read as a reader would: every vector in a block marked `vector` is built or checked with
 * the code, and the table of tags is compared with enum op_tag of store/op.h. */
#include "store/entity.h"
#include "store/hlc.h"

#include "base/check.h"
#include "base/limits.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE TEST_SOURCE "/store/FORMAT.md"
#define HEADER TEST_SOURCE "/store/op.h"

/* ---- reading the page */

/* Takes the next line off *rest, without its newline; false at the end. */
static bool next_line(struct bytes *rest, struct bytes *line)
{
    size_t n = bytes_find(*rest, BYTES_LIT("\n"));
    if (rest->n == 0)
        return false;
    if (n == SIZE_MAX)
        n = rest->n;
    *line = bytes_slice(*rest, 0, n);
    *rest = bytes_slice(*rest, n + 1, SIZE_MAX);
    return true;
}

/* Takes the next word off *rest; empty at the end. A quoted text is one word, its quotes stay. */
static struct bytes next_word(struct bytes *rest)
{
    struct bytes from = bytes_trim(*rest);
    bool quoted = from.n > 0 && from.p[0] == '"';
    size_t n = quoted ? bytes_find(bytes_slice(from, 1, SIZE_MAX), BYTES_LIT("\""))
                      : bytes_find(from, BYTES_LIT(" "));
    n = n == SIZE_MAX ? from.n : n + (quoted ? 2 : 0);
    *rest = bytes_slice(from, n, SIZE_MAX);
    return bytes_slice(from, 0, n);
}

static uint8_t digit(uint8_t c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    assert_non_null(at);
    return (uint8_t)(at - digits);
}

/* Appends the bytes that hex digits or a quoted text stand for. */
static void put_value(struct bytes word, struct buf *out)
{
    if (word.n >= 2 && word.p[0] == '"') {
        assert_int_equal(buf_bytes(out, bytes_slice(word, 1, word.n - 2)), 0);
        return;
    }
    assert_int_equal(word.n % 2, 0);
    for (size_t i = 0; i < word.n; i += 2)
        assert_int_equal(buf_put(out, (uint8_t)(digit(word.p[i]) << 4 | digit(word.p[i + 1]))), 0);
}

static void fixed_value(struct bytes word, void *out, size_t n)
{
    struct buf b;
    buf_init(&b, LIMIT_OP_BYTES);
    put_value(word, &b);
    assert_int_equal(b.n, n);
    memcpy(out, b.p, n);
    buf_release(&b);
}

static uint64_t number(struct bytes word)
{
    char text[32] = {0};
    assert_true(word.n > 0 && word.n < sizeof text);
    memcpy(text, word.p, word.n);
    return text[0] == '-' ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
}

/* One "name: value" of a block; the value with its following lines joined, owned by the field. */
struct field {
    struct bytes name;
    struct buf value;
};

#define FIELDS_MAX 40

struct block {
    struct field f[FIELDS_MAX];
    size_t n;
};

static void read_block(struct bytes *page, struct block *b)
{
    struct bytes line;
    b->n = 0;
    while (next_line(page, &line) && !bytes_eq(line, BYTES_LIT("```"))) {
        size_t colon = bytes_find(line, BYTES_LIT(": "));
        if (line.n > 0 && line.p[0] == ' ') {
            assert_true(b->n > 0);
            assert_int_equal(buf_bytes(&b->f[b->n - 1].value, bytes_trim(line)), 0);
            continue;
        }
        assert_true(colon != SIZE_MAX && b->n < FIELDS_MAX);
        b->f[b->n].name = bytes_slice(line, 0, colon);
        buf_init(&b->f[b->n].value, LIMIT_OP_BYTES);
        assert_int_equal(buf_bytes(&b->f[b->n].value, bytes_slice(line, colon + 2, SIZE_MAX)), 0);
        b->n++;
    }
}

static void block_release(struct block *b)
{
    for (size_t i = 0; i < b->n; i++)
        buf_release(&b->f[i].value);
}

static bool is_field(const struct block *b, size_t i, const char *name)
{
    return i < b->n && bytes_eq(b->f[i].name, bytes_str(name));
}

/* The value of field i, which must have this name. */
static struct bytes field(const struct block *b, size_t i, const char *name)
{
    assert_true(is_field(b, i, name));
    return buf_view(&b->f[i].value);
}

static void value_of(const struct block *b, size_t i, const char *name, struct buf *out)
{
    buf_clear(out);
    put_value(field(b, i, name), out);
}

static void read_file(const char *path, struct buf *out)
{
    buf_init(out, 1 << 20);
    tmp_read(path, out);
    assert_true(out->n > 0);
}

/* Calls check for each block of the page marked ```vector KIND; there must be at least `least`. */
static void each_block(const char *kind, size_t least, void (*check)(const struct block *b))
{
    struct buf page, mark;
    struct bytes rest, line;
    size_t found = 0;
    read_file(PAGE, &page);
    buf_init(&mark, 64);
    assert_int_equal(buf_printf(&mark, "```vector %s", kind), 0);
    for (rest = buf_view(&page); next_line(&rest, &line);) {
        struct block b;
        if (!bytes_eq(line, buf_view(&mark)))
            continue;
        read_block(&rest, &b);
        check(&b);
        block_release(&b);
        found++;
    }
    assert_true(found >= least);
    buf_release(&page);
    buf_release(&mark);
}

/* ---- ops */

static void draft_names(struct draft *d, uint64_t tag, struct bytes value, struct bytes rest, bool reg)
{
    uint8_t names[LIMIT_PRIOR_STAMPS][16];
    size_t n = 0;
    for (struct bytes word = next_word(&rest); word.n > 0; word = next_word(&rest)) {
        assert_true(n < LIMIT_PRIOR_STAMPS);
        fixed_value(word, names[n++], 16);
    }
    if (reg)
        draft_reg(d, (enum op_tag)tag, value, (const uint8_t(*)[16])names, n);
    else
        draft_set_remove(d, (enum op_tag)tag, value, (const uint8_t(*)[16])names, n);
}

static void draft_value(struct draft *d, struct bytes kind, struct bytes rest)
{
    uint64_t tag = number(next_word(&rest));
    struct buf value;
    buf_init(&value, LIMIT_OP_BYTES);
    put_value(next_word(&rest), &value);
    if (bytes_eq(kind, BYTES_LIT("add")))
        draft_set_add(d, (enum op_tag)tag, buf_view(&value));
    else
        draft_names(d, tag, buf_view(&value), rest, bytes_eq(kind, BYTES_LIT("reg")));
    buf_release(&value);
}

static void draft_counter(struct draft *d, struct bytes rest)
{
    struct count c;
    struct buf source;
    buf_init(&source, LIMIT_NAME_BYTES);
    fixed_value(next_word(&rest), c.device.b, ID_BYTES);
    put_value(next_word(&rest), &source);
    c.source = buf_view(&source);
    c.support = number(next_word(&rest));
    c.against = number(next_word(&rest));
    c.first_ms = (int64_t)number(next_word(&rest));
    c.last_ms = (int64_t)number(next_word(&rest));
    draft_count(d, &c);
    buf_release(&source);
}

static void read_event(struct bytes rest, struct seen *out)
{
    fixed_value(next_word(&rest), out->key, sizeof out->key);
    out->against = (uint8_t)number(next_word(&rest));
    out->time_ms = (int64_t)number(next_word(&rest));
}

/* Drafts the actions from field i on; returns the field behind them. */
static size_t draft_actions(const struct block *b, size_t i, struct draft *d)
{
    struct seen seen[FIELDS_MAX];
    size_t seen_n = 0;
    for (; is_field(b, i, "action"); i++) {
        struct bytes rest = field(b, i, "action");
        struct bytes kind = next_word(&rest);
        if (bytes_eq(kind, BYTES_LIT("seen")))
            read_event(rest, &seen[seen_n++]);
        else if (bytes_eq(kind, BYTES_LIT("count")))
            draft_counter(d, rest);
        else if (bytes_eq(kind, BYTES_LIT("forget")))
            draft_forget(d);
        else
            draft_value(d, kind, rest);
    }
    draft_seen(d, seen, seen_n);
    return i;
}

static void check_op_block(const struct block *b)
{
    struct draft d;
    struct buf op, given;
    struct op decoded;
    struct id id;
    struct hash hash, given_hash;
    uint8_t salt[SALT_BYTES];
    size_t i;
    draft_init(&d);
    buf_init(&op, LIMIT_OP_BYTES);
    buf_init(&given, LIMIT_OP_BYTES);
    fixed_value(field(b, 3, "id"), id.b, ID_BYTES);
    draft_reset(&d, (enum op_space)number(field(b, 0, "space")), (enum op_class)number(field(b, 1, "class")),
                &id);
    i = draft_actions(b, 4, &d);
    assert_int_equal(draft_encode(&d, number(field(b, 2, "hlc")), &op), 0);
    value_of(b, i, "op", &given);
    assert_true(bytes_eq(buf_view(&op), buf_view(&given)));
    assert_int_equal(op_decode(buf_view(&given), &decoded, NULL), 0);
    fixed_value(field(b, i + 1, "salt"), salt, sizeof salt);
    fixed_value(field(b, i + 2, "hash"), given_hash.b, HASH_BYTES);
    op_hash(salt, buf_view(&given), &hash);
    assert_memory_equal(hash.b, given_hash.b, HASH_BYTES);
    assert_int_equal(b->n, i + 3);
    buf_release(&op);
    buf_release(&given);
    draft_release(&d);
}

static void ops_of_the_page_are_what_the_code_writes(void **state)
{
    (void)state;
    each_block("op", 5, check_op_block);
}

static void check_invalid_block(const struct block *b)
{
    struct buf op;
    struct op out;
    int rc;
    (void)field(b, 0, "why");
    buf_init(&op, LIMIT_OP_BYTES);
    value_of(b, 1, "op", &op);
    rc = op_decode(buf_view(&op), &out, NULL);
    assert_true(rc != 0 && bytes_eq(bytes_str(err_name(rc)), field(b, 2, "error")));
    buf_release(&op);
}

static void invalid_ops_of_the_page_are_rejected_as_it_says(void **state)
{
    (void)state;
    each_block("invalid", 10, check_invalid_block);
}

/* ---- chain and time */

static void check_chain_block(const struct block *b)
{
    struct id log;
    struct hash chain, given;
    fixed_value(field(b, 0, "log"), log.b, ID_BYTES);
    fixed_value(field(b, 1, "start"), given.b, HASH_BYTES);
    chain_start(&log, &chain);
    assert_memory_equal(chain.b, given.b, HASH_BYTES);
    assert_true(b->n > 2);
    for (size_t i = 2; i < b->n; i += 2) {
        fixed_value(field(b, i, "next"), given.b, HASH_BYTES);
        chain_next(&chain, &given);
        fixed_value(field(b, i + 1, "chain"), given.b, HASH_BYTES);
        assert_memory_equal(chain.b, given.b, HASH_BYTES);
    }
}

static void chains_of_the_page_are_what_the_code_computes(void **state)
{
    (void)state;
    each_block("chain", 1, check_chain_block);
}

static void check_hlc_block(const struct block *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct bytes rest = field(b, i, "next");
        uint64_t last = number(next_word(&rest));
        int64_t wall_ms = (int64_t)number(next_word(&rest));
        assert_true(hlc_next(last, wall_ms) == number(next_word(&rest)));
    }
}

static void stamps_of_the_page_are_what_the_clock_gives(void **state)
{
    (void)state;
    each_block("hlc", 1, check_hlc_block);
}

/* ---- merge */

static void apply_fields(const struct block *b, size_t i, struct entity *x)
{
    struct id log;
    struct hash hash;
    struct op op;
    struct buf bytes;
    uint8_t salt[SALT_BYTES];
    buf_init(&bytes, LIMIT_OP_BYTES);
    fixed_value(field(b, i, "log"), log.b, ID_BYTES);
    fixed_value(field(b, i + 1, "salt"), salt, sizeof salt);
    value_of(b, i + 2, "op", &bytes);
    op_hash(salt, buf_view(&bytes), &hash);
    assert_int_equal(op_decode(buf_view(&bytes), &op, NULL), 0);
    assert_int_equal(entity_apply(x, &op, &log, &hash, NULL), 0);
    buf_release(&bytes);
}

static void check_dump(const struct block *b, size_t i, const struct entity *x)
{
    struct buf dump, given;
    struct hash digest;
    uint8_t given_digest[HASH_BYTES];
    buf_init(&dump, LIMIT_ENTITY_BYTES);
    buf_init(&given, LIMIT_ENTITY_BYTES);
    assert_int_equal(entity_dump(x, &dump), 0);
    value_of(b, i, "dump", &given);
    assert_true(bytes_eq(buf_view(&dump), buf_view(&given)));
    hash_parts(&digest, (struct bytes[]){buf_view(&dump)}, 1);
    fixed_value(field(b, i + 1, "digest"), given_digest, sizeof given_digest);
    assert_memory_equal(digest.b, given_digest, HASH_BYTES);
    buf_release(&dump);
    buf_release(&given);
}

/* In the order of the page, and against it. */
static void check_merge_block(const struct block *b)
{
    struct entity *x = entity_new();
    size_t n = 0;
    assert_non_null(x);
    for (; is_field(b, n, "log"); n += 3)
        apply_fields(b, n, x);
    check_dump(b, n, x);
    entity_clear(x);
    for (size_t i = n; i > 0; i -= 3)
        apply_fields(b, i - 3, x);
    check_dump(b, n, x);
    entity_free(x);
}

static void merges_of_the_page_give_its_dumps(void **state)
{
    (void)state;
    each_block("merge", 2, check_merge_block);
}

/* ---- tags */

/* "| NUMBER | `NAME` |", the beginning of a row of the table. */
static bool row_is_there(struct bytes page, struct bytes name, uint64_t tag)
{
    struct buf row;
    bool found;
    buf_init(&row, 256);
    assert_int_equal(buf_printf(&row, "\n| %" PRIu64 " | `%.*s` |", tag, (int)name.n, (const char *)name.p),
                     0);
    found = bytes_find(page, buf_view(&row)) != SIZE_MAX;
    if (!found)
        print_error("no row for it on the page:%.*s\n", (int)row.n, (const char *)row.p);
    buf_release(&row);
    return found;
}

static bool is_tag_name(struct bytes name)
{
    return bytes_starts(name, BYTES_LIT("REG_")) || bytes_starts(name, BYTES_LIT("SET_")) ||
           bytes_starts(name, BYTES_LIT("ACT_"));
}

/* "NAME = NUMBER," in the body of the enum. */
static bool read_tag(struct bytes line, struct bytes *name, uint64_t *tag)
{
    struct bytes rest = line;
    struct bytes value;
    *name = next_word(&rest);
    if (!is_tag_name(*name) || !bytes_eq(next_word(&rest), BYTES_LIT("=")))
        return false;
    value = next_word(&rest);
    *tag = number(bytes_slice(value, 0, bytes_find(value, BYTES_LIT(","))));
    return true;
}

static size_t count_rows(struct bytes page)
{
    struct bytes line;
    size_t n = 0;
    while (next_line(&page, &line)) {
        size_t at = bytes_find(line, BYTES_LIT("| `"));
        n += bytes_starts(line, BYTES_LIT("| ")) && at != SIZE_MAX &&
             is_tag_name(bytes_slice(line, at + 3, SIZE_MAX));
    }
    return n;
}

static void every_tag_is_on_the_page_and_no_other(void **state)
{
    struct buf header, page;
    struct bytes rest, line, name;
    uint64_t tag;
    size_t n = 0;
    (void)state;
    read_file(HEADER, &header);
    read_file(PAGE, &page);
    rest = buf_view(&header);
    rest = bytes_slice(rest, bytes_find(rest, BYTES_LIT("enum op_tag {")), SIZE_MAX);
    while (next_line(&rest, &line) && !bytes_starts(line, BYTES_LIT("}"))) {
        if (!read_tag(line, &name, &tag))
            continue;
        assert_true(row_is_there(buf_view(&page), name, tag));
        n++;
    }
    assert_true(n >= 25);
    assert_int_equal(count_rows(buf_view(&page)), n);
    buf_release(&header);
    buf_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_of_the_page_are_what_the_code_writes),
        cmocka_unit_test(invalid_ops_of_the_page_are_rejected_as_it_says),
        cmocka_unit_test(chains_of_the_page_are_what_the_code_computes),
        cmocka_unit_test(stamps_of_the_page_are_what_the_clock_gives),
        cmocka_unit_test(merges_of_the_page_give_its_dumps),
        cmocka_unit_test(every_tag_is_on_the_page_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
