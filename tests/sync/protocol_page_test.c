/* sync/PROTOCOL.md, read as a reader would: the records of the page give the group of the page, and its
 * frames open to the content of the page. */
#include "sync/frames_int.h"
#include "sync/group_int.h"

#include "base/check.h"
#include "tests/support/page.h"
#include "tests/support/unit.h"
#include "tests/sync/house.h"

#include <string.h>

#define PAGE TEST_SOURCE "/sync/PROTOCOL.md"
#define DEVICES 2

struct reading {
    struct house h;
    struct device_keys keys[DEVICES];
    struct id id[DEVICES];
    struct group *group; /* as the first device has it */
    size_t devices, records;
};

static void read_device(void *ctx, const struct page_block *b)
{
    struct reading *r = ctx;
    uint8_t secret[KEY_BYTES];
    struct id id;
    assert_true(r->devices < DEVICES);
    page_fixed(page_get(b, "secret"), secret, sizeof secret);
    page_fixed(page_get(b, "device"), id.b, ID_BYTES);
    device_keys_derive(&r->keys[r->devices], secret);
    device_id_of(r->keys[r->devices].sign.pk, &r->id[r->devices]);
    assert_true(id_eq(&id, &r->id[r->devices]));
    r->devices++;
}

static void read_group_id(void *ctx, const struct page_block *b)
{
    struct reading *r = ctx;
    struct id id;
    page_fixed(page_get(b, "group"), id.b, ID_BYTES);
    house_ok(group_join(r->group, &id, NULL), NULL);
}

static void read_record(void *ctx, const struct page_block *b)
{
    struct reading *r = ctx;
    struct buf bytes;
    struct record_head head;
    struct record_body body;
    struct hash hash, given;
    struct id author;
    bool fresh;
    buf_init(&bytes, MEMBER_RECORD_BYTES_MAX);
    page_hex(page_get(b, "record"), &bytes);
    assert_int_equal(record_decode(buf_view(&bytes), &head, &body, NULL), 0);
    assert_int_equal(head.kind, page_number(page_get(b, "kind")));
    assert_int_equal(head.causes.n, page_number(page_get(b, "causes")));
    assert_int_equal(head.time_ms, page_number(page_get(b, "time")));
    page_fixed(page_get(b, "author"), author.b, ID_BYTES);
    assert_true(id_eq(&author, &head.author));
    page_fixed(page_get(b, "hash"), given.b, HASH_BYTES);
    record_hash(buf_view(&bytes), &hash);
    assert_memory_equal(hash.b, given.b, HASH_BYTES);
    assert_int_equal(group_receive(r->group, buf_view(&bytes), &fresh, NULL), 0);
    assert_true(fresh);
    r->records++;
    buf_release(&bytes);
}

/* Once all are there: the records of the page stand in order. */
static void check_order(void *ctx, const struct page_block *b)
{
    struct reading *r = ctx;
    uint32_t x = r->group->set.order[r->records++];
    struct hash given;
    page_fixed(page_get(b, "hash"), given.b, HASH_BYTES);
    assert_memory_equal(given.b, r->group->set.r[x]->hash.b, HASH_BYTES);
    assert_int_equal(r->group->set.r[x]->depth, page_number(page_get(b, "depth")));
    assert_int_equal(r->group->state.is_void[x], page_number(page_get(b, "void")));
}

static struct id word_id(struct bytes *rest)
{
    struct id id;
    page_fixed(page_word(rest), id.b, ID_BYTES);
    return id;
}

static void check_member(struct reading *r, size_t rank, struct bytes line)
{
    const struct member *m = group_member_at(r->group, rank);
    struct id id = word_id(&line);
    assert_true(id_eq(&id, &m->device));
    assert_int_equal(m->state, page_number(page_word(&line)));
    assert_true(bytes_eq(bytes_trim(line), bytes_str(m->name)));
}

static void check_log(struct reading *r, struct bytes line)
{
    struct id log = word_id(&line), device = word_id(&line), owner;
    uint64_t cut, given = page_number(page_word(&line));
    assert_true(group_log(r->group, &log, &owner, &cut) && id_eq(&owner, &device));
    assert_true(cut == (group_is_active(r->group, &device) ? UINT64_MAX : given));
}

static void check_key(struct bytes word, bool has, const uint8_t key[KEY_BYTES])
{
    uint8_t given[KEY_BYTES];
    assert_int_equal(has, !bytes_eq(word, BYTES_LIT("-")));
    if (!has)
        return;
    page_fixed(word, given, sizeof given);
    assert_memory_equal(given, key, KEY_BYTES);
}

static void check_epoch(struct reading *r, struct bytes line)
{
    struct id id = word_id(&line);
    const struct epoch_keys *k = keys_of(r->group, &id);
    assert_non_null(k);
    check_key(page_word(&line), k->has_root, k->root);
    check_key(page_word(&line), k->has_frame, k->frame);
}

static void check_group(void *ctx, const struct page_block *b)
{
    struct reading *r = ctx;
    uint8_t secret[KEY_BYTES];
    struct id current;
    struct epoch_ref ref;
    const uint8_t *key;
    size_t members = 0;
    page_fixed(page_get(b, "secret"), secret, sizeof secret);
    assert_memory_equal(secret, group_secret(r->group), KEY_BYTES);
    for (size_t i = 0; i < b->n; i++) {
        if (page_is(b, i, "member"))
            check_member(r, members++, page_at(b, i, "member"));
        else if (page_is(b, i, "log"))
            check_log(r, page_at(b, i, "log"));
        else if (page_is(b, i, "epoch"))
            check_epoch(r, page_at(b, i, "epoch"));
    }
    assert_int_equal(members, group_members(r->group));
    page_fixed(page_get(b, "current"), current.b, ID_BYTES);
    assert_int_equal(group_epoch(r->group, &ref, &key, NULL), 0);
    assert_true(id_eq(&ref.id, &current));
}

static void reading_init(struct reading *r)
{
    struct err e = ERR_INIT;
    memset(r, 0, sizeof *r);
    house_init(&r->h, 1, 1);
    assert_int_equal(page_each(PAGE, "device", read_device, r), DEVICES);
    house_ok(group_open(&r->group, r->h.device[0].store, &r->keys[0], &r->h.rng, &e), &e);
    assert_int_equal(page_each(PAGE, "group", read_group_id, r), 1);
    assert_true(page_each(PAGE, "record", read_record, r) > 10);
}

static void reading_release(struct reading *r)
{
    group_close(r->group);
    house_release(&r->h);
}

static void the_records_of_the_page_give_its_group(void **state)
{
    struct reading r;
    (void)state;
    reading_init(&r);
    r.records = 0;
    (void)page_each(PAGE, "record", check_order, &r);
    assert_int_equal(page_each(PAGE, "group", check_group, &r), 1);
    reading_release(&r);
}

/* A record by itself: its fields give its bytes, and its bytes the fields. */
static void check_single(void *ctx, const struct page_block *b)
{
    size_t *kinds = ctx;
    struct device_keys keys;
    struct record_head head = {0}, read;
    struct record_body body;
    struct hash cause, hash, given;
    struct buf fields, ours, bytes;
    uint8_t secret[KEY_BYTES];
    buf_init(&fields, 4096);
    buf_init(&ours, 4096);
    buf_init(&bytes, 4096);
    page_fixed(page_get(b, "secret"), secret, sizeof secret);
    device_keys_derive(&keys, secret);
    device_id_of(keys.sign.pk, &head.author);
    head.kind = (uint8_t)page_number(page_get(b, "kind"));
    page_fixed(page_get(b, "group"), head.group.b, ID_BYTES);
    head.time_ms = (int64_t)page_number(page_get(b, "time"));
    page_fixed(page_get(b, "cause"), cause.b, HASH_BYTES);
    head.causes = (struct list){cause.b, 1, HASH_BYTES};
    page_hex(page_get(b, "body"), &fields);
    head.body = buf_view(&fields);
    assert_int_equal(record_encode(&head, &keys.sign, &ours), 0);
    page_hex(page_get(b, "record"), &bytes);
    assert_true(bytes_eq(buf_view(&ours), buf_view(&bytes)));
    assert_int_equal(record_decode(buf_view(&bytes), &read, &body, NULL), 0);
    assert_true(read.kind == head.kind && bytes_eq(read.body, head.body));
    record_hash(buf_view(&bytes), &hash);
    page_fixed(page_get(b, "hash"), given.b, HASH_BYTES);
    assert_memory_equal(hash.b, given.b, HASH_BYTES);
    if (head.kind == MEMBER_FORK) {
        struct id log;
        page_fixed(page_get(b, "log"), log.b, ID_BYTES);
        page_fixed(page_get(b, "chain"), given.b, HASH_BYTES);
        page_fixed(page_get(b, "next"), hash.b, HASH_BYTES);
        assert_true(id_eq(&log, &body.log) && body.split.seq == page_number(page_get(b, "seq")));
        assert_memory_equal(given.b, body.split.chain.b, HASH_BYTES);
        assert_int_equal(body.branches.n, 1);
        assert_memory_equal(hash.b, list_at(&body.branches, 0), HASH_BYTES);
    }
    kinds[head.kind]++;
    device_keys_wipe(&keys);
    buf_release(&fields);
    buf_release(&ours);
    buf_release(&bytes);
}

static void the_single_records_of_the_page_are_what_their_fields_say(void **state)
{
    size_t kinds[256] = {0};
    (void)state;
    assert_int_equal(page_each(PAGE, "single", check_single, kinds), 2);
    assert_true(kinds[MEMBER_WORDS] == 1 && kinds[MEMBER_FORK] == 1);
}

static void check_frame(void *ctx, const struct page_block *b)
{
    struct reading *r = ctx;
    struct buf wire, content, plain, given;
    struct wire w;
    struct id log;
    uint8_t key[KEY_BYTES], body[HASH_BYTES];
    buf_init(&wire, FRAME_WIRE_MAX);
    buf_init(&content, FRAME_CONTENT_MAX);
    buf_init(&plain, FRAME_PLAIN_MAX);
    buf_init(&given, FRAME_CONTENT_MAX);
    page_hex(page_get(b, "wire"), &wire);
    page_hex(page_get(b, "content"), &given);
    page_fixed(page_get(b, "key"), key, sizeof key);
    page_fixed(page_get(b, "log"), log.b, ID_BYTES);
    page_fixed(page_get(b, "body hash"), body, sizeof body);
    assert_int_equal(wire_read(buf_view(&wire), &w, NULL), 0);
    assert_int_equal(w.stripped ? 2 : 1, page_number(page_get(b, "form")));
    assert_int_equal(w.header.first, page_number(page_get(b, "first")));
    assert_int_equal(w.header.count, page_number(page_get(b, "count")));
    assert_true(id_eq(&log, &w.header.log));
    assert_memory_equal(body, w.body.b, HASH_BYTES);
    const struct member *author = group_find(r->group, &w.header.device);
    assert_int_equal(frame_verify_stripped(w.header_bytes, &w.body, w.signature.p, author->cert.sign_pk), 0);
    assert_int_equal(wire_open(&w, key, &content, NULL), 0);
    assert_true(bytes_eq(buf_view(&content), buf_view(&given)));
    buf_clear(&given);
    page_hex(page_get(b, "plain"), &given);
    assert_int_equal(content_unpack(buf_view(&content), &w.header.device, &plain, NULL), 0);
    assert_true(bytes_eq(buf_view(&plain), buf_view(&given)));
    const uint8_t *ours = group_epoch_key(r->group, w.stripped ? &w.epoch : &w.header.epoch);
    assert_memory_equal(ours, key, KEY_BYTES);
    buf_release(&wire);
    buf_release(&content);
    buf_release(&plain);
    buf_release(&given);
}

static void take_frame(void *ctx, const struct page_block *b)
{
    struct reading *r = ctx;
    struct frames_env env = {r->h.device[0].store, r->group, &r->keys[0], &r->h.rng};
    struct frame_result result;
    struct err e = ERR_INIT;
    struct buf wire;
    buf_init(&wire, FRAME_WIRE_MAX);
    page_hex(page_get(b, "wire"), &wire);
    bool first = page_number(page_get(b, "form")) == 1;
    int rc = frames_receive(&env, buf_view(&wire), &result, &e);
    assert_int_equal(rc, first ? 0 : ERR_EXISTS);
    assert_true(result.late); /* the phone is removed; this is below its cut-off */
    buf_release(&wire);
}

static void the_frames_of_the_page_open_and_are_taken(void **state)
{
    struct reading r;
    struct err e = ERR_INIT;
    (void)state;
    reading_init(&r);
    assert_int_equal(page_each(PAGE, "frame", check_frame, &r), 2);
    house_ok(store_begin(r.h.device[0].store, &e), &e);
    assert_int_equal(page_each(PAGE, "frame", take_frame, &r), 2);
    house_ok(store_commit(r.h.device[0].store, &e), &e);
    reading_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_records_of_the_page_give_its_group),
        cmocka_unit_test(the_single_records_of_the_page_are_what_their_fields_say),
        cmocka_unit_test(the_frames_of_the_page_open_and_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
