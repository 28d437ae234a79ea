/* Membership: who belongs to the group, whatever the order in which records arrive. */
#include "sync/group.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "crypto/label.h"
#include "store/members.h"
#include "sync/group_int.h"
#include "tests/support/unit.h"
#include "tests/sync/house.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUMP_BYTES (8u << 20)

static struct group *group_of(struct house *h, size_t i)
{
    return h->device[i].group;
}

static const struct id *id_of(const struct house *h, size_t i)
{
    return &h->device[i].id;
}

static bool is_in(struct house *h, size_t viewer, size_t i)
{
    return group_is_active(group_of(h, viewer), id_of(h, i));
}

static void remove_device(struct house *h, size_t by, size_t who)
{
    struct err e = ERR_INIT;
    house_ok(group_remove(group_of(h, by), id_of(h, who), house_now(h), &e), &e);
}

static struct record *record_of(struct house *h, size_t viewer, size_t place)
{
    const struct record_set *s = &group_of(h, viewer)->set;
    return s->r[s->order[place]];
}

static void add_unmet(struct house *h, size_t a, const struct device_keys *keys, const char *name, int want)
{
    struct history_grant all = {HISTORY_ALL, 0};
    struct buf cert;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    assert_int_equal(device_cert_make(keys, bytes_str(name), house_now(h), &cert, NULL), 0);
    assert_int_equal(group_add(group_of(h, a), buf_view(&cert), &all, house_now(h), NULL), want);
    buf_release(&cert);
}

/* ---- founding and joining */

static void a_founded_group_has_one_device_an_epoch_and_a_log(void **state)
{
    struct house h;
    struct epoch_ref ref;
    const uint8_t *key;
    struct id owner;
    uint64_t cut;
    (void)state;
    house_init(&h, 1, 1);
    assert_false(group_exists(group_of(&h, 0)));
    assert_null(group_secret(group_of(&h, 0)));
    assert_int_equal(group_epoch(group_of(&h, 0), &ref, &key, NULL), ERR_ATTENTION);
    house_found(&h, 0);
    assert_int_equal(group_members(group_of(&h, 0)), 1);
    assert_string_equal(group_member_at(group_of(&h, 0), 0)->name, "device0");
    assert_non_null(group_secret(group_of(&h, 0)));
    assert_int_equal(group_epoch(group_of(&h, 0), &ref, &key, NULL), 0);
    assert_ptr_equal(key, group_epoch_key(group_of(&h, 0), &ref.id));
    assert_true(group_log(group_of(&h, 0), &h.device[0].log, &owner, &cut));
    assert_true(id_eq(&owner, id_of(&h, 0)) && cut == UINT64_MAX);
    assert_int_equal(group_found(group_of(&h, 0), BYTES_LIT("x"), &h.device[0].log, 0, NULL), ERR_EXISTS);
    house_release(&h);
}

static void a_joiner_takes_the_group_that_it_was_told_of_and_no_other(void **state)
{
    struct house h;
    bool fresh;
    struct id wrong = {{1}};
    (void)state;
    house_init(&h, 2, 2);
    house_found(&h, 0);
    struct bytes genesis = record_of(&h, 0, 0)->bytes;
    assert_int_equal(group_receive(group_of(&h, 1), genesis, &fresh, NULL), ERR_VERIFY);
    assert_int_equal(group_join(group_of(&h, 1), &wrong, NULL), 0);
    assert_int_equal(group_receive(group_of(&h, 1), genesis, &fresh, NULL), ERR_VERIFY);
    house_add(&h, 0, 1, HISTORY_ALL, 0);
    assert_int_equal(group_join(group_of(&h, 1), &wrong, NULL), ERR_EXISTS);
    assert_true(is_in(&h, 1, 1) && is_in(&h, 1, 0));
    assert_memory_equal(group_secret(group_of(&h, 0)), group_secret(group_of(&h, 1)), KEY_BYTES);
    assert_ptr_equal(group_member_by_noise(group_of(&h, 0), h.device[1].keys.noise.pk),
                     group_find(group_of(&h, 0), id_of(&h, 1)));
    house_release(&h);
}

static void a_device_that_left_can_found_or_join_anew(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, 2, 3);
    house_pair_all(&h);
    assert_int_equal(group_leave(group_of(&h, 1), NULL), 0);
    assert_false(group_exists(group_of(&h, 1)));
    house_found(&h, 1);
    assert_int_equal(group_members(group_of(&h, 1)), 1);
    house_release(&h);
}

/* ---- records from outside */

static void a_record_whose_causes_are_missing_is_asked_for_later(void **state)
{
    struct house h;
    struct id group;
    bool fresh;
    (void)state;
    house_init(&h, 2, 4);
    house_found(&h, 0);
    group_id(group_of(&h, 0), &group);
    assert_int_equal(group_join(group_of(&h, 1), &group, NULL), 0);
    for (size_t i = 1; i < group_of(&h, 0)->set.n; i++)
        assert_int_equal(group_receive(group_of(&h, 1), record_of(&h, 0, i)->bytes, &fresh, NULL),
                         ERR_NOTFOUND);
    for (size_t i = 0; i < group_of(&h, 0)->set.n; i++) {
        assert_int_equal(group_receive(group_of(&h, 1), record_of(&h, 0, i)->bytes, &fresh, NULL), 0);
        assert_true(fresh);
        assert_int_equal(group_receive(group_of(&h, 1), record_of(&h, 0, i)->bytes, &fresh, NULL), 0);
        assert_false(fresh);
    }
    house_release(&h);
}

/* A group in which each kind of record occurs. */
static void every_kind(struct house *h)
{
    struct err e = ERR_INIT;
    house_init(h, 4, 5);
    house_pair_all(h);
    house_tell(h, 2, "x");
    house_ok(group_rename(group_of(h, 0), id_of(h, 1), BYTES_LIT("Küche"), house_now(h), &e), &e);
    house_ok(group_sleep(group_of(h, 0), id_of(h, 1), true, house_now(h), &e), &e);
    house_ok(group_sleep(group_of(h, 0), id_of(h, 1), false, house_now(h), &e), &e);
    struct key_wish wish = {0, KEY_FRAME};
    house_ok(group_hand(group_of(h, 0), 1, &wish, 1, house_now(h), &e), &e);
    house_gossip(h);
    house_ok(group_say_words(group_of(h, 3), house_now(h), &e), &e);
    house_gossip(h);
    remove_device(h, 2, 3);
    house_gossip(h);
}

static void every_kind_of_record_cut_or_changed_anywhere_is_refused(void **state)
{
    struct house h;
    struct id group;
    bool fresh;
    uint32_t kinds = 0;
    (void)state;
    every_kind(&h);
    struct group *to = group_of(&h, 3), *from = group_of(&h, 0);
    group_id(from, &group);
    assert_int_equal(group_leave(to, NULL), 0);
    assert_int_equal(group_join(to, &group, NULL), 0);
    for (size_t i = 0; i < from->set.n; i++) {
        struct bytes whole = record_of(&h, 0, i)->bytes;
        uint8_t *b = malloc(whole.n + 1);
        CHECK(b);
        memcpy(b, whole.p, whole.n);
        b[whole.n] = 0;
        for (size_t n = 0; n <= whole.n + 1; n++)
            assert_true(n == whole.n || group_receive(to, bytes_of(b, n), &fresh, NULL) < 0);
        for (size_t bit = 0; bit < whole.n * 8; bit++) {
            b[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(group_receive(to, bytes_of(b, whole.n), &fresh, NULL) < 0);
            b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(to->set.n, i);
        assert_int_equal(group_receive(to, bytes_of(b, whole.n), &fresh, NULL), 0);
        kinds |= 1u << record_of(&h, 0, i)->head.kind;
        free(b);
    }
    assert_int_equal(kinds, 0x7fe); /* 1..10 */
    house_release(&h);
}

/* A record made by hand: `kind` with this body, by device a, naming what a has. */
static void forge(struct house *h, size_t a, uint8_t kind, struct bytes body, struct buf *out)
{
    struct hash heads[MEMBER_HEADS_MAX];
    struct record_head head = {.kind = kind, .author = *id_of(h, a), .time_ms = house_now(h), .body = body};
    size_t n = group_heads(group_of(h, a), heads, MEMBER_HEADS_MAX);
    head.causes = (struct list){heads[0].b, n, HASH_BYTES};
    group_id(group_of(h, a), &head.group);
    buf_clear(out);
    assert_int_equal(record_encode(&head, &h->device[a].keys.sign, out), 0);
}

static int give(struct house *h, size_t to, const struct buf *record)
{
    bool fresh;
    return group_receive(group_of(h, to), buf_view(record), &fresh, NULL);
}

static void a_record_of_an_unknown_kind_is_kept_and_forwarded(void **state)
{
    struct house h;
    struct buf b;
    (void)state;
    house_init(&h, 3, 6);
    house_pair_all(&h);
    buf_init(&b, MEMBER_RECORD_BYTES_MAX);
    forge(&h, 0, 77, BYTES_LIT("of a later version"), &b);
    assert_int_equal(give(&h, 1, &b), 0);
    house_records(&h, 1, 2);
    house_records(&h, 2, 0);
    house_gossip(&h);
    assert_true(house_same_groups(&h, 0, 1) && house_same_groups(&h, 1, 2));
    assert_int_equal(group_rotate(group_of(&h, 2), house_now(&h), NULL), 0);
    buf_release(&b);
    house_release(&h);
}

static void recovery_words_say_themselves_what_they_are(void **state)
{
    struct house h;
    struct err e = ERR_INIT;
    struct buf b;
    (void)state;
    house_init(&h, 3, 61);
    house_pair_all(&h);
    assert_false(group_find(group_of(&h, 0), id_of(&h, 2))->words);
    assert_int_equal(group_say_words(group_of(&h, 2), house_now(&h), &e), 0);
    uint32_t n = group_of(&h, 2)->set.n;
    assert_int_equal(group_say_words(group_of(&h, 2), house_now(&h), &e), 0);
    assert_int_equal(group_of(&h, 2)->set.n, n); /* once is enough */
    house_gossip(&h);
    for (size_t i = 0; i < 3; i++) {
        assert_true(group_find(group_of(&h, i), id_of(&h, 2))->words);
        assert_false(group_find(group_of(&h, i), id_of(&h, 1))->words);
    }
    buf_init(&b, MEMBER_RECORD_BYTES_MAX);
    forge(&h, 1, MEMBER_WORDS, BYTES_LIT("?"), &b);
    assert_int_equal(give(&h, 0, &b), ERR_FORMAT);
    buf_release(&b);
    remove_device(&h, 0, 2);
    assert_true(group_find(group_of(&h, 0), id_of(&h, 2))
                    ->words); /* so that it can be told that it no longer counts */
    house_release(&h);
}

static void what_a_removed_device_says_after_it_knows_is_refused(void **state)
{
    struct house h;
    struct buf b;
    (void)state;
    house_init(&h, 3, 7);
    house_pair_all(&h);
    remove_device(&h, 0, 2);
    house_gossip(&h);
    assert_int_equal(group_rotate(group_of(&h, 2), house_now(&h), NULL), ERR_ATTENTION);
    buf_init(&b, MEMBER_RECORD_BYTES_MAX);
    forge(&h, 2, MEMBER_REMOVE, bytes_of(id_of(&h, 0)->b, ID_BYTES), &b);
    assert_int_equal(buf_put(&b, 0), 0);
    assert_int_equal(give(&h, 0, &b), ERR_FORMAT);
    struct buf body;
    buf_init(&body, 64);
    put_id(&body, id_of(&h, 0));
    wr_varint(&body, 0);
    forge(&h, 2, MEMBER_REMOVE, buf_view(&body), &b);
    assert_int_equal(give(&h, 0, &b), ERR_VERIFY);
    buf_release(&body);
    buf_release(&b);
    house_release(&h);
}

static void an_adding_of_a_removed_device_is_refused(void **state)
{
    struct house h;
    struct buf b;
    (void)state;
    house_init(&h, 3, 23);
    house_pair_all(&h);
    struct bytes body = BYTES_NONE;
    for (size_t i = 0; i < group_of(&h, 0)->set.n; i++) {
        const struct record *r = record_of(&h, 0, i);
        if (r->head.kind == MEMBER_ADD && id_eq(&r->body.device, id_of(&h, 2)))
            body = r->head.body;
    }
    buf_init(&b, MEMBER_RECORD_BYTES_MAX);
    forge(&h, 1, MEMBER_ADD, body, &b);
    assert_int_equal(give(&h, 0, &b), ERR_VERIFY); /* a member already */
    remove_device(&h, 0, 2);
    house_gossip(&h);
    forge(&h, 1, MEMBER_ADD, body, &b);
    assert_int_equal(give(&h, 0, &b), ERR_VERIFY);
    buf_release(&b);
    house_release(&h);
}

static void a_log_of_another_device_cannot_be_opened(void **state)
{
    struct house h;
    struct buf b;
    (void)state;
    house_init(&h, 2, 8);
    house_pair_all(&h);
    assert_int_equal(group_open_log(group_of(&h, 1), &h.device[0].log, 0, NULL), ERR_EXISTS);
    buf_init(&b, MEMBER_RECORD_BYTES_MAX);
    forge(&h, 1, MEMBER_LOG_OPEN, bytes_of(h.device[0].log.b, ID_BYTES), &b);
    assert_int_equal(give(&h, 0, &b), ERR_VERIFY);
    buf_release(&b);
    house_release(&h);
}

static void an_epoch_sealed_to_fewer_than_the_members_is_refused(void **state)
{
    struct house h;
    struct buf b, body;
    (void)state;
    house_init(&h, 3, 9);
    house_pair_all(&h);
    assert_int_equal(group_rotate(group_of(&h, 0), house_now(&h), NULL), 0);
    const struct record_set *s = &group_of(&h, 0)->set;
    const struct record *r = s->r[s->n - 1];
    assert_int_equal(r->head.kind, MEMBER_EPOCH);
    buf_init(&body, MEMBER_RECORD_BYTES_MAX);
    buf_init(&b, MEMBER_RECORD_BYTES_MAX);
    wr_bytes(&body, bytes_slice(r->head.body, 0, (size_t)2 * ID_BYTES));
    wr_varint(&body, 2);
    wr_bytes(&body, bytes_of(r->body.sealed.p, 2 * r->body.sealed.size));
    wr_varint(&body, 0);
    forge(&h, 1, MEMBER_EPOCH, buf_view(&body), &b);
    assert_int_equal(give(&h, 1, &b), ERR_VERIFY);
    buf_release(&body);
    buf_release(&b);
    house_release(&h);
}

static void a_damaged_record_in_the_store_is_noticed(void **state)
{
    struct house h;
    struct group *g;
    struct hash hash = {{9}};
    (void)state;
    house_init(&h, 1, 10);
    house_found(&h, 0);
    assert_int_equal(members_add(h.device[0].store, &hash, record_of(&h, 0, 0)->bytes, NULL), 0);
    assert_int_equal(group_open(&g, h.device[0].store, &h.device[0].keys, &h.rng, NULL), ERR_CORRUPT);
    assert_null(g);
    assert_int_equal(group_reload(group_of(&h, 0), NULL), ERR_CORRUPT);
    assert_false(group_exists(group_of(&h, 0)));
    house_release(&h);
}

static void a_group_is_the_same_after_reading_it_again_and_after_a_rollback(void **state)
{
    struct house h;
    struct buf before, after;
    struct err e = ERR_INIT;
    (void)state;
    every_kind(&h);
    buf_init(&before, DUMP_BYTES);
    buf_init(&after, DUMP_BYTES);
    house_group_dump(&h, 0, &before);
    house_ok(store_begin(h.device[0].store, &e), &e);
    remove_device(&h, 0, 1);
    store_rollback(h.device[0].store);
    house_ok(group_reload(group_of(&h, 0), &e), &e);
    house_group_dump(&h, 0, &after);
    assert_true(bytes_eq(buf_view(&before), buf_view(&after)));
    assert_true(is_in(&h, 0, 1));
    buf_release(&before);
    buf_release(&after);
    house_release(&h);
}

/* ---- forks */

static void of_two_that_remove_one_another_the_earlier_added_stays(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, 3, 11);
    house_pair_all(&h);
    remove_device(&h, 2, 1);
    remove_device(&h, 1, 2);
    house_gossip(&h);
    for (size_t i = 0; i < 3; i++) {
        assert_true(is_in(&h, i, 0) && is_in(&h, i, 1));
        assert_false(is_in(&h, i, 2));
        assert_true(house_same_groups(&h, 0, i));
    }
    house_release(&h);
}

static void a_junior_may_remove_the_senior_that_does_not_remove_it(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, 3, 12);
    house_pair_all(&h);
    remove_device(&h, 2, 0);
    remove_device(&h, 0, 1);
    house_gossip(&h);
    assert_false(is_in(&h, 1, 0));
    assert_false(is_in(&h, 1, 1)); /* a removal counts though its author is removed at the same time */
    assert_true(is_in(&h, 1, 2));
    assert_true(house_same_groups(&h, 0, 1) && house_same_groups(&h, 1, 2));
    house_release(&h);
}

static void what_a_device_adds_while_it_is_removed_is_void_with_all_that_follows(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, 4, 13);
    house_found(&h, 0);
    house_add(&h, 0, 1, HISTORY_ALL, 0);
    house_add(&h, 0, 2, HISTORY_ALL, 0);
    house_gossip(&h);
    house_add(&h, 2, 3, HISTORY_ALL, 0);
    assert_int_equal(group_rename(group_of(&h, 3), id_of(&h, 1), BYTES_LIT("mine"), 0, NULL), 0);
    assert_true(is_in(&h, 3, 3));
    remove_device(&h, 0, 2);
    house_gossip(&h);
    for (size_t i = 0; i < 4; i++) {
        assert_false(is_in(&h, i, 2) || is_in(&h, i, 3));
        assert_string_equal(group_find(group_of(&h, i), id_of(&h, 1))->name, "device1");
        assert_true(house_same_groups(&h, 0, i));
    }
    /* it was never removed itself: a member may add it properly */
    add_unmet(&h, 1, &h.device[3].keys, "again", 0);
    house_gossip(&h);
    assert_true(is_in(&h, 0, 3) && !is_in(&h, 0, 2));
    add_unmet(&h, 1, &h.device[2].keys, "never", ERR_EXISTS);
    house_release(&h);
}

static void two_may_add_the_same_device_and_one_of_them_counts(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, 3, 14);
    house_found(&h, 0);
    house_add(&h, 0, 1, HISTORY_ALL, 0);
    house_gossip(&h);
    add_unmet(&h, 0, &h.device[2].keys, "one", 0);
    add_unmet(&h, 1, &h.device[2].keys, "other", 0);
    house_gossip(&h);
    assert_true(house_same_groups(&h, 0, 1));
    assert_int_equal(group_members(group_of(&h, 0)), 3);
    add_unmet(&h, 0, &h.device[2].keys, "third", ERR_EXISTS);
    house_release(&h);
}

static void a_group_holds_so_many_devices_and_no_more(void **state)
{
    struct house h;
    struct device_keys keys;
    char name[16];
    (void)state;
    house_init(&h, 1, 15);
    house_found(&h, 0);
    for (unsigned i = 1; i < MEMBERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "d%u", i);
        device_keys_make(&keys, &h.rng);
        add_unmet(&h, 0, &keys, name, 0);
    }
    device_keys_make(&keys, &h.rng);
    add_unmet(&h, 0, &keys, "one more", ERR_LIMIT);
    assert_int_equal(group_remove(group_of(&h, 0), &group_member_at(group_of(&h, 0), 7)->device, 0, NULL), 0);
    add_unmet(&h, 0, &keys, "one more", 0);
    house_release(&h);
}

/* ---- epochs */

static const uint8_t *current_key(struct house *h, size_t i, struct id *id)
{
    struct epoch_ref ref;
    struct err e = ERR_INIT;
    const uint8_t *key;
    house_ok(group_epoch(group_of(h, i), &ref, &key, &e), &e);
    *id = ref.id;
    return key;
}

static void a_removal_makes_an_epoch_that_the_removed_cannot_open(void **state)
{
    struct house h;
    struct id before, after;
    (void)state;
    house_init(&h, 3, 16);
    house_pair_all(&h);
    (void)current_key(&h, 0, &before);
    remove_device(&h, 0, 2);
    house_gossip(&h);
    const uint8_t *key = current_key(&h, 1, &after);
    assert_false(id_eq(&before, &after));
    assert_memory_equal(key, current_key(&h, 0, &after), KEY_BYTES);
    assert_null(group_epoch_key(group_of(&h, 2), &after));
    assert_non_null(group_epoch_key(group_of(&h, 2), &before));
    assert_false(group_can_read(group_of(&h, 0), id_of(&h, 2), &after));
    struct epoch_ref ref;
    assert_int_equal(group_epoch(group_of(&h, 2), &ref, &key, NULL), ERR_ATTENTION);
    house_release(&h);
}

static void a_removal_beside_a_rotation_leaves_no_epoch_until_it_is_settled(void **state)
{
    struct house h;
    struct epoch_ref ref;
    const uint8_t *key;
    bool changed;
    (void)state;
    house_init(&h, 4, 17);
    house_pair_all(&h);
    remove_device(&h, 0, 3);
    remove_device(&h, 1, 2);
    house_gossip(&h);
    assert_int_equal(group_epoch(group_of(&h, 0), &ref, &key, NULL), ERR_ATTENTION);
    assert_int_equal(group_settle(group_of(&h, 1), house_now(&h), &changed, NULL), 0);
    assert_true(changed);
    house_gossip(&h);
    assert_int_equal(group_epoch(group_of(&h, 0), &ref, &key, NULL), 0);
    assert_int_equal(group_settle(group_of(&h, 0), house_now(&h), &changed, NULL), 0);
    assert_false(changed);
    assert_int_equal(group_settle(group_of(&h, 3), house_now(&h), &changed, NULL), 0);
    assert_false(changed);
    house_release(&h);
}

static void an_epoch_grows_old_in_thirty_days(void **state)
{
    struct house h;
    struct id before, after;
    (void)state;
    house_init(&h, 2, 18);
    house_pair_all(&h);
    (void)current_key(&h, 0, &before);
    test_clock_advance(&h.test_clock, 30 * INT64_C(86400000));
    assert_false(group_epoch_is_old(group_of(&h, 0), house_now(&h)));
    test_clock_advance(&h.test_clock, 1);
    assert_true(group_epoch_is_old(group_of(&h, 0), house_now(&h)));
    house_settle(&h, 0);
    (void)current_key(&h, 0, &after);
    assert_false(id_eq(&before, &after));
    assert_false(group_epoch_is_old(group_of(&h, 0), house_now(&h)));
    house_release(&h);
}

/* Three epochs a hundred days apart, the newest made now. */
static void three_epochs(struct house *h, struct id epoch[3])
{
    for (int i = 0; i < 3; i++) {
        if (i > 0) {
            test_clock_advance(&h->test_clock, 50 * INT64_C(86400000));
            assert_int_equal(group_rotate(group_of(h, 0), house_now(h), NULL), 0);
        }
        (void)current_key(h, 0, &epoch[i]);
    }
}

static unsigned readable(struct house *h, size_t i, const struct id epoch[3])
{
    unsigned got = 0;
    for (unsigned k = 0; k < 3; k++) {
        bool has = group_epoch_key(group_of(h, i), &epoch[k]) != NULL;
        assert_int_equal(has, group_can_read(group_of(h, 0), id_of(h, i), &epoch[k]));
        got |= (unsigned)has << k;
    }
    return got;
}

static void a_joiner_reads_as_much_history_as_it_was_given(void **state)
{
    struct house h;
    struct id epoch[3], now;
    (void)state;
    house_init(&h, 6, 19);
    house_found(&h, 0);
    three_epochs(&h, epoch);
    uint32_t n = group_of(&h, 0)->set.n;
    house_add(&h, 0, 1, HISTORY_ALL, 0);
    assert_int_equal(group_of(&h, 0)->set.n, n + 1); /* no new epoch, and one key is enough */
    assert_int_equal(group_of(&h, 0)->set.r[n]->body.keys.n, 1);
    house_add(&h, 0, 2, HISTORY_SINCE, house_now(&h) - 10 * INT64_C(86400000));
    house_add(&h, 0, 3, HISTORY_NONE, 0);
    house_gossip(&h);
    assert_int_equal(readable(&h, 1, epoch), 7);
    assert_int_equal(readable(&h, 2, epoch), 6);
    assert_int_equal(readable(&h, 3, epoch), 0);
    house_add(&h, 0, 4, HISTORY_ALL, 0); /* past those who may not read all */
    house_add(&h, 2, 5, HISTORY_ALL, 0); /* all that this one has */
    house_gossip(&h);
    assert_int_equal(readable(&h, 4, epoch), 7);
    assert_int_equal(readable(&h, 5, epoch), 6);
    for (size_t i = 1; i < 6; i++)
        assert_memory_equal(current_key(&h, i, &now), current_key(&h, 0, &now), KEY_BYTES);
    house_release(&h);
}

static void a_member_that_a_rotation_left_out_is_given_the_key(void **state)
{
    struct house h;
    struct id left_out;
    (void)state;
    house_init(&h, 3, 20);
    house_found(&h, 0);
    house_add(&h, 0, 1, HISTORY_ALL, 0);
    house_gossip(&h);
    house_add(&h, 0, 2, HISTORY_NONE, 0);
    assert_int_equal(group_rotate(group_of(&h, 1), house_now(&h), NULL), 0);
    (void)current_key(&h, 1, &left_out);
    house_gossip(&h);
    assert_null(group_epoch_key(group_of(&h, 2), &left_out));
    house_settle(&h, 1);
    house_gossip(&h);
    assert_non_null(group_epoch_key(group_of(&h, 2), &left_out));
    house_release(&h);
}

/* ---- any order, any fork */

static void random_change(struct house *h, size_t a, struct test_rng *r)
{
    struct group *g = group_of(h, a);
    size_t other = (size_t)test_rng_below(r, h->n - 1);
    struct id log;
    struct history_grant grant = {(enum history)test_rng_below(r, 3), 0};
    struct buf cert;
    grant.since_ms = grant.kind == HISTORY_SINCE ? house_now(h) - (int64_t)test_rng_below(r, 100000) : 0;
    test_clock_advance(&h->test_clock, (int64_t)test_rng_below(r, 50000));
    switch (test_rng_below(r, 8)) {
    case 0:
    case 1:
        (void)!group_remove(g, id_of(h, other), house_now(h), NULL);
        break;
    case 2:
        (void)!group_rotate(g, house_now(h), NULL);
        break;
    case 3:
        (void)!group_rename(g, id_of(h, other), BYTES_LIT("new name"), house_now(h), NULL);
        break;
    case 4:
        test_rng_fill(r, log.b, ID_BYTES);
        (void)!group_open_log(g, &log, house_now(h), NULL);
        break;
    case 5:
        (void)!group_sleep(g, id_of(h, other), test_rng_below(r, 2) == 0, house_now(h), NULL);
        break;
    default:
        buf_init(&cert, DEVICE_CERT_BYTES_MAX);
        house_ok(device_cert_make(&h->device[other].keys, BYTES_LIT("added"), 0, &cert, NULL), NULL);
        (void)!group_add(g, buf_view(&cert), &grant, house_now(h), NULL);
        buf_release(&cert);
        break;
    }
}

static void random_life(struct house *h, struct test_rng *r)
{
    struct id group;
    bool changed;
    for (size_t i = 0; i < h->n; i++)
        house_ok(group_leave(group_of(h, i), NULL), NULL);
    house_found(h, 0);
    group_id(group_of(h, 0), &group);
    for (size_t i = 1; i + 1 < h->n; i++)
        house_ok(group_join(group_of(h, i), &group, NULL), NULL);
    for (size_t step = 0; step < 24; step++) {
        size_t a = (size_t)test_rng_below(r, h->n - 1), b = (size_t)test_rng_below(r, h->n - 1);
        if (group_exists(group_of(h, a)) && test_rng_below(r, 2) == 0)
            random_change(h, a, r);
        else if (group_exists(group_of(h, a)) && test_rng_one_in(r, 6))
            house_ok(group_settle(group_of(h, a), house_now(h), &changed, NULL), NULL);
        else if (a != b && group_exists(group_of(h, a)))
            house_records(h, a, b);
    }
    house_gossip(h);
    house_gossip(h);
}

/* Gives the last device, which is no member, all records of `from` in a random closed order. */
static void receive_shuffled(struct house *h, size_t from, struct test_rng *r)
{
    struct group *to = group_of(h, h->n - 1);
    const struct record_set *s = &group_of(h, from)->set;
    struct id group;
    uint32_t order[512];
    bool fresh;
    assert_true(s->n <= 512);
    house_ok(group_leave(to, NULL), NULL);
    group_id(group_of(h, from), &group);
    house_ok(group_join(to, &group, NULL), NULL);
    for (uint32_t i = 0; i < s->n; i++)
        order[i] = i;
    test_rng_shuffle(r, order, s->n, sizeof *order);
    for (uint32_t done = 0; done < s->n;) {
        for (uint32_t i = 0; i < s->n; i++) {
            int rc = group_receive(to, s->r[order[i]]->bytes, &fresh, NULL);
            assert_true(rc == 0 || rc == ERR_NOTFOUND);
            done += fresh;
        }
    }
}

static void assert_nothing_sealed_to_the_removed(const struct group *g)
{
    const struct record_set *s = &g->set;
    for (uint32_t x = 0; x < s->n; x++) {
        for (uint32_t y = 0; s->r[x]->head.kind == MEMBER_EPOCH && y < x; y++) {
            if (s->r[y]->head.kind != MEMBER_REMOVE || g->state.is_void[y] || !records_saw(s, x, y))
                continue;
            for (size_t i = 0; i < s->r[x]->body.sealed.n; i++)
                assert_true(memcmp(list_at(&s->r[x]->body.sealed, i), s->r[y]->body.device.b, ID_BYTES) != 0);
        }
    }
}

/* What the records say that a device can open is what it can. */
static void assert_keys_as_recorded(struct house *h, size_t i)
{
    const struct state *st = &group_of(h, 0)->state;
    for (uint32_t k = 0; k < st->n_epochs && group_exists(group_of(h, i)); k++)
        assert_int_equal(group_can_read(group_of(h, 0), id_of(h, i), &st->epochs[k].id),
                         group_epoch_key(group_of(h, i), &st->epochs[k].id) != NULL);
}

static void settle_all(struct house *h)
{
    bool changed = true, any = true;
    for (int round = 0; round < 4 && any; round++) {
        any = false;
        for (size_t i = 0; i + 1 < h->n; i++) {
            house_ok(group_settle(group_of(h, i), house_now(h), &changed, NULL), NULL);
            any = any || changed;
            house_gossip(h);
        }
    }
    assert_false(any);
}

static void assert_one_group(struct house *h, struct test_rng *r)
{
    struct id first, other;
    size_t active = 0;
    for (size_t i = 0; i + 1 < h->n; i++) {
        if (!group_exists(group_of(h, i)))
            continue;
        assert_true(house_same_groups(h, 0, i));
        assert_keys_as_recorded(h, i);
    }
    assert_nothing_sealed_to_the_removed(group_of(h, 0));
    for (int k = 0; k < 2; k++) {
        receive_shuffled(h, 0, r);
        assert_true(house_same_groups(h, 0, h->n - 1));
    }
    house_ok(group_leave(group_of(h, h->n - 1), NULL), NULL);
    settle_all(h);
    for (size_t i = 0; i + 1 < h->n; i++) {
        if (!group_exists(group_of(h, i)) || !is_in(h, i, i))
            continue;
        (void)current_key(h, i, active == 0 ? &first : &other);
        assert_true(active == 0 || id_eq(&first, &other));
        active++;
    }
    assert_nothing_sealed_to_the_removed(group_of(h, 0));
}

static void any_forks_in_any_order_give_one_group(void **state)
{
    struct house h;
    const char *from = getenv("GROUP_SEED"), *count = getenv("GROUP_SEEDS");
    uint64_t seed = from ? strtoull(from, NULL, 10) : 1;
    uint64_t n = count ? strtoull(count, NULL, 10) : 600;
    (void)state;
    house_init(&h, 6, 21); /* the last one is the observer */
    for (uint64_t end = seed + n; seed < end; seed++) {
        struct test_rng r;
        test_rng_init(&r, seed);
        random_life(&h, &r);
        assert_one_group(&h, &r);
    }
    house_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_founded_group_has_one_device_an_epoch_and_a_log),
        cmocka_unit_test(a_joiner_takes_the_group_that_it_was_told_of_and_no_other),
        cmocka_unit_test(a_device_that_left_can_found_or_join_anew),
        cmocka_unit_test(a_record_whose_causes_are_missing_is_asked_for_later),
        cmocka_unit_test(every_kind_of_record_cut_or_changed_anywhere_is_refused),
        cmocka_unit_test(a_record_of_an_unknown_kind_is_kept_and_forwarded),
        cmocka_unit_test(recovery_words_say_themselves_what_they_are),
        cmocka_unit_test(what_a_removed_device_says_after_it_knows_is_refused),
        cmocka_unit_test(an_adding_of_a_removed_device_is_refused),
        cmocka_unit_test(a_log_of_another_device_cannot_be_opened),
        cmocka_unit_test(an_epoch_sealed_to_fewer_than_the_members_is_refused),
        cmocka_unit_test(a_damaged_record_in_the_store_is_noticed),
        cmocka_unit_test(a_group_is_the_same_after_reading_it_again_and_after_a_rollback),
        cmocka_unit_test(of_two_that_remove_one_another_the_earlier_added_stays),
        cmocka_unit_test(a_junior_may_remove_the_senior_that_does_not_remove_it),
        cmocka_unit_test(what_a_device_adds_while_it_is_removed_is_void_with_all_that_follows),
        cmocka_unit_test(two_may_add_the_same_device_and_one_of_them_counts),
        cmocka_unit_test(a_group_holds_so_many_devices_and_no_more),
        cmocka_unit_test(a_removal_makes_an_epoch_that_the_removed_cannot_open),
        cmocka_unit_test(a_removal_beside_a_rotation_leaves_no_epoch_until_it_is_settled),
        cmocka_unit_test(an_epoch_grows_old_in_thirty_days),
        cmocka_unit_test(a_joiner_reads_as_much_history_as_it_was_given),
        cmocka_unit_test(a_member_that_a_rotation_left_out_is_given_the_key),
        cmocka_unit_test(any_forks_in_any_order_give_one_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
