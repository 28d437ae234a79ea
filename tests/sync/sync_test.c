/* Devices that meet: what goes over the wire and how much of it, what is known of each other, and what
 * becomes of restored, forked and cloned devices. */
#include "sync/sync.h"

#include "base/check.h"
#include "store/members.h"
#include "tests/support/unit.h"
#include "tests/sync/meet.h"

#include <stdio.h>
#include <string.h>

struct scene {
    struct house h;
    struct meet m;
};

static void scene_init(struct scene *s, size_t n, uint64_t seed)
{
    house_init(&s->h, n, seed);
    house_pair_all(&s->h);
    meet_init(&s->m, &s->h);
}

static void scene_release(struct scene *s)
{
    meet_release(&s->m);
    house_release(&s->h);
}

static void tell_many(struct scene *s, size_t i, size_t n)
{
    char text[64];
    for (size_t k = 0; k < n; k++) {
        (void)snprintf(text, sizeof text, "claim %zu of device %zu", k, i);
        house_tell(&s->h, i, text);
    }
    meet_changed(&s->m, i);
}

static uint64_t head_of(struct scene *s, size_t at, const struct id *log)
{
    struct hash chain;
    uint64_t seq;
    assert_int_equal(store_log_head(s->h.device[at].store, log, &seq, &chain, NULL), 0);
    return seq;
}

static void count_from_here(struct meet *m)
{
    m->bytes = m->messages = 0;
}

/* ---- what goes over the wire */

static void with_nothing_to_say_one_round_trip_of_600_bytes_is_enough(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 3, 1);
    for (size_t i = 0; i < 3; i++)
        tell_many(&s, i, 300);
    (void)meet_pair(&s.m, 0, 1);
    (void)meet_pair(&s.m, 0, 2);
    (void)meet_pair(&s.m, 1, 2);
    meet_run(&s.m);
    for (size_t i = 0; i < 3; i++)
        meet_cut(&s.m.pair[i]);
    count_from_here(&s.m);
    struct pair *p = meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    assert_true(session_idle(p->s[0]) && session_idle(p->s[1]));
    assert_int_equal(s.m.messages, 3); /* there, back, and a word that shows that the caller is there */
    assert_in_range(s.m.bytes, 200, 600);
    scene_release(&s);
}

static void everything_reaches_everybody(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 4, 2);
    for (size_t i = 0; i < 4; i++)
        tell_many(&s, i, 200 * (i + 1));
    for (size_t i = 0; i < 3; i++)
        (void)meet_pair(&s.m, i, i + 1); /* a line */
    meet_run(&s.m);
    for (size_t i = 1; i < 4; i++)
        assert_true(meet_equal(&s.m, 0, i));
    for (size_t i = 0; i < 3; i++)
        assert_true(session_idle(s.m.pair[i].s[0]) && session_idle(s.m.pair[i].s[1]));
    scene_release(&s);
}

static void an_edit_reaches_connected_peers_at_once_and_is_carried_on(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 3, 3);
    (void)meet_pair(&s.m, 0, 1);
    (void)meet_pair(&s.m, 1, 2);
    meet_run(&s.m);
    for (int i = 0; i < 20; i++) {
        meet_tell(&s.m, 0, "now");
        meet_run(&s.m); /* no time passes */
        assert_true(meet_equal(&s.m, 0, 1) && meet_equal(&s.m, 0, 2));
    }
    scene_release(&s);
}

static void an_op_comes_once_although_two_peers_have_it(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 3, 4);
    tell_many(&s, 0, 2000);
    struct pair *p = meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    uint64_t once = s.m.bytes;
    meet_cut(p);
    count_from_here(&s.m);
    (void)meet_pair(&s.m, 0, 2);
    (void)meet_pair(&s.m, 1, 2);
    meet_run(&s.m);
    assert_true(meet_equal(&s.m, 0, 2));
    assert_in_range(s.m.bytes, once / 2, once + once / 10 + 8000);
    scene_release(&s);
}

static void what_was_acknowledged_is_not_sent_again_after_a_cut(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 2, 5);
    tell_many(&s, 0, 6000);
    (void)meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    uint64_t whole = s.m.bytes, all = head_of(&s, 1, &s.h.device[0].log);
    scene_release(&s);
    scene_init(&s, 2, 5);
    tell_many(&s, 0, 6000);
    struct pair *p = meet_pair(&s.m, 0, 1);
    s.m.limit = 11;
    meet_run(&s.m);
    meet_cut(p);
    s.m.limit = 0;
    uint64_t held = head_of(&s, 1, &s.h.device[0].log);
    assert_in_range(held, 1, all - 1);
    count_from_here(&s.m);
    (void)meet_pair(&s.m, 1, 0);
    meet_run(&s.m);
    assert_true(meet_equal(&s.m, 0, 1));
    assert_in_range(s.m.bytes, 1, whole * (all - held) / all + 20000);
    scene_release(&s);
}

static void records_of_the_group_spread(void **state)
{
    struct scene s;
    struct err e = ERR_INIT;
    (void)state;
    scene_init(&s, 3, 6);
    (void)meet_pair(&s.m, 0, 1);
    (void)meet_pair(&s.m, 1, 2);
    meet_run(&s.m);
    house_ok(group_rename(s.h.device[0].group, &s.h.device[0].id, BYTES_LIT("desk"), HOUSE_MS, &e), &e);
    house_ok(group_rotate(s.h.device[0].group, HOUSE_MS, &e), &e);
    meet_tell(&s.m, 0, "under the new key");
    house_ok(group_rename(s.h.device[2].group, &s.h.device[2].id, BYTES_LIT("lap"), HOUSE_MS, &e), &e);
    meet_changed(&s.m, 2);
    meet_run(&s.m);
    assert_true(house_same_groups(&s.h, 0, 1) && house_same_groups(&s.h, 0, 2));
    assert_true(meet_equal(&s.m, 0, 2));
    scene_release(&s);
}

static void groups_that_went_on_apart_come_together(void **state)
{
    struct scene s;
    struct err e = ERR_INIT;
    char name[16];
    (void)state;
    scene_init(&s, 2, 7);
    for (int i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        house_ok(group_rename(s.h.device[0].group, &s.h.device[0].id, bytes_str(name), HOUSE_MS, &e), &e);
        house_ok(group_rename(s.h.device[1].group, &s.h.device[1].id, bytes_str(name), HOUSE_MS, &e), &e);
    }
    struct pair *p = meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    assert_true(house_same_groups(&s.h, 0, 1));
    assert_true(session_idle(p->s[0]) && session_idle(p->s[1]));
    scene_release(&s);
}

static void a_device_added_while_a_peer_was_away_introduces_itself(void **state)
{
    struct scene s;
    (void)state;
    house_init(&s.h, 3, 8);
    house_found(&s.h, 0);
    house_add(&s.h, 0, 1, HISTORY_ALL, 0);
    house_records(&s.h, 1, 0);
    house_add(&s.h, 0, 2, HISTORY_ALL, 0); /* 1 does not know, and 0 is gone */
    meet_init(&s.m, &s.h);
    assert_null(group_find(s.h.device[1].group, &s.h.device[2].id));
    meet_tell(&s.m, 2, "hello");
    struct pair *p = meet_pair(&s.m, 2, 1);
    meet_run(&s.m);
    assert_true(p->s[0] && session_idle(p->s[0]));
    assert_true(meet_equal(&s.m, 1, 2));
    scene_release(&s);
}

static void ops_of_a_later_version_are_kept_and_carried_on(void **state)
{
    struct scene s;
    struct draft d;
    struct id id = {{42}};
    (void)state;
    scene_init(&s, 3, 9);
    draft_init(&d);
    draft_reset(&d, (enum op_space)40, CLASS_EDIT, &id);
    draft_reg(&d, (enum op_tag)9000, BYTES_LIT("\x00\x01\xff later"), NULL, 0);
    house_write(&s.h, 0, &d);
    draft_release(&d);
    meet_changed(&s.m, 0);
    struct pair *p = meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    meet_cut(p);
    (void)meet_pair(&s.m, 1, 2);
    meet_run(&s.m);
    assert_true(meet_equal(&s.m, 0, 2));
    scene_release(&s);
}

/* ---- what is known of each other */

static void status_counts_from_what_was_acknowledged(void **state)
{
    struct scene s;
    struct peer_status p;
    (void)state;
    scene_init(&s, 2, 10);
    meet_status(&s.m, 1, 0, &p);
    assert_true(p.state == PEER_OFFLINE && p.last_seen_ms == 0 && !p.connected);
    struct pair *pair = meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    meet_tell(&s.m, 0, "one");
    meet_status(&s.m, 1, 0, &p);
    assert_true(p.state == PEER_BEHIND && p.they_lack > 0);
    meet_run(&s.m);
    meet_status(&s.m, 1, 0, &p);
    assert_true(p.state == PEER_EQUAL && p.they_lack == 0 && p.we_lack == 0 && p.connected);
    assert_string_equal(p.reason, "");
    assert_false(id_none(&p.epoch));
    pair->cut = true;
    meet_tell(&s.m, 0, "two");
    meet_run(&s.m);
    meet_status(&s.m, 1, 0, &p);
    assert_true(p.state == PEER_BEHIND && p.they_lack == 1); /* sent is not acknowledged */
    scene_release(&s);
}

static void status_survives_a_restart(void **state)
{
    struct scene s;
    struct peer_status before, after;
    (void)state;
    scene_init(&s, 2, 11);
    tell_many(&s, 0, 50);
    (void)meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    meet_cut(&s.m.pair[0]);
    meet_tell(&s.m, 0, "later");
    meet_status(&s.m, 1, 0, &before);
    meet_restart(&s.m, 0);
    meet_status(&s.m, 1, 0, &after);
    assert_int_equal(after.they_lack, 1);
    assert_int_equal(after.last_seen_ms, before.last_seen_ms);
    assert_true(after.state == PEER_OFFLINE && id_eq(&after.epoch, &before.epoch));
    scene_release(&s);
}

/* ---- two connections at once */

static void of_two_sessions_with_one_peer_one_is_left(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 2, 12);
    struct pair *a = meet_pair(&s.m, 0, 1), *b = meet_pair(&s.m, 1, 0);
    meet_run(&s.m);
    assert_true((a->s[0] && a->s[1] && !b->s[0]) || (b->s[0] && b->s[1] && !a->s[0]));
    meet_tell(&s.m, 0, "still connected");
    meet_run(&s.m);
    assert_true(meet_equal(&s.m, 0, 1));
    scene_release(&s);
}

static void a_peer_that_restarted_is_no_clone(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 2, 13);
    struct pair *old = meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    session_free(old->s[0]); /* without a word */
    old->s[0] = NULL;
    sync_close(s.m.sync[0]);
    struct err e = ERR_INIT;
    struct device *d = &s.h.device[0];
    struct sync_env env = {d->store, d->group, &d->keys, &s.h.clock, &s.h.rng, d->log, NULL, NULL, NULL};
    house_ok(sync_open(&s.m.sync[0], &env, &e), &e);
    struct pair *p = meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    test_clock_advance(&s.h.test_clock, SYNC_HANDSHAKE_MS);
    meet_run(&s.m);
    assert_true(p->s[0] && p->s[1]);
    assert_null(old->s[1]);
    assert_int_equal(sync_identity(s.m.sync[0]), IDENTITY_FINE);
    scene_release(&s);
}

static void two_machines_with_one_key_are_told(void **state)
{
    struct scene s;
    struct sync *clone;
    struct err e = ERR_INIT;
    (void)state;
    scene_init(&s, 2, 14);
    struct device *d = &s.h.device[0];
    struct sync_env env = {d->store, d->group, &d->keys, &s.h.clock, &s.h.rng, d->log, NULL, NULL, NULL};
    house_ok(sync_open(&clone, &env, &e), &e);
    (void)meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    struct sync *first = s.m.sync[0];
    s.m.sync[0] = clone;
    (void)meet_pair(&s.m, 0, 1);
    s.m.sync[0] = first;
    meet_run(&s.m);
    assert_int_equal(sync_identity(first), IDENTITY_CLONED);
    assert_int_equal(sync_identity(clone), IDENTITY_CLONED);
    sync_log_renewed(first, &d->log);
    assert_int_equal(sync_identity(first), IDENTITY_CLONED);
    sync_close(clone);
    scene_release(&s);
}

static void a_clone_that_calls_is_noticed_and_our_own_node_is_not_one(void **state)
{
    struct scene s;
    struct sync *clone;
    struct err e = ERR_INIT;
    (void)state;
    scene_init(&s, 2, 15);
    struct device *d = &s.h.device[0];
    struct sync_env env = {d->store, d->group, &d->keys, &s.h.clock, &s.h.rng, d->log, NULL, NULL, NULL};
    struct pair *self = meet_pair(&s.m, 0, 0);
    meet_run(&s.m);
    assert_true(self->rc[0] < 0);
    assert_int_equal(sync_identity(s.m.sync[0]), IDENTITY_FINE);
    house_ok(sync_open(&clone, &env, &e), &e);
    struct sync *first = s.m.sync[0];
    s.m.sync[0] = clone;
    struct pair *p = meet_pair(&s.m, 0, 0);
    session_free(p->s[1]);
    p->s[1] = session_accept(first);
    s.m.sync[0] = first;
    meet_run(&s.m);
    assert_int_equal(sync_identity(first), IDENTITY_CLONED);
    assert_int_equal(sync_identity(clone), IDENTITY_CLONED);
    sync_close(clone);
    scene_release(&s);
}

/* ---- restored and forked */

/* Device 0 loses its database, but for the membership, and keeps its key and log. */
static void lose_database(struct scene *s)
{
    struct device *d = &s->h.device[0];
    struct err e = ERR_INIT;
    char path[TMP_PATH_BYTES];
    struct id group;
    meet_cut(&s->m.pair[0]);
    sync_close(s->m.sync[0]);
    group_close(d->group);
    store_close(d->store);
    tmp_path(&s->h.dir, "fresh", path);
    struct store_config cfg = {.path = path, .vfs = "memdb", .clock = &s->h.clock, .rng = &s->h.rng};
    house_ok(store_open(&d->store, &cfg, &e), &e);
    store_use_log(d->store, &d->log, &d->id);
    house_ok(group_open(&d->group, d->store, &d->keys, &s->h.rng, &e), &e);
    group_id(s->h.device[1].group, &group);
    house_ok(group_join(d->group, &group, &e), &e);
    house_records(&s->h, 1, 0);
    d->env.store = d->store;
    d->env.group = d->group;
    struct sync_env env = {d->store, d->group, &d->keys, &s->h.clock, &s->h.rng, d->log, NULL, NULL, NULL};
    house_ok(sync_open(&s->m.sync[0], &env, &e), &e);
}

static void a_restored_device_gets_its_own_ops_back_and_opens_a_new_log(void **state)
{
    struct scene s;
    struct err e = ERR_INIT;
    (void)state;
    scene_init(&s, 2, 16);
    struct device *d = &s.h.device[0];
    tell_many(&s, 0, 700);
    (void)meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    uint64_t all = head_of(&s, 1, &d->log);
    lose_database(&s);
    assert_int_equal(head_of(&s, 0, &d->log), 0);
    (void)meet_pair(&s.m, 0, 1);
    s.m.limit = s.m.messages + 2;
    meet_run(&s.m);
    s.m.limit = 0;
    assert_int_equal(sync_identity(s.m.sync[0]), IDENTITY_BEHIND);
    assert_false(sync_identity_pulled(s.m.sync[0]));
    meet_run(&s.m);
    assert_int_equal(sync_identity(s.m.sync[0]), IDENTITY_BEHIND);
    assert_true(sync_identity_pulled(s.m.sync[0]));
    assert_int_equal(head_of(&s, 0, &d->log), all);
    struct id log = {{77}};
    house_ok(group_open_log(d->group, &log, HOUSE_MS, &e), &e);
    store_use_log(d->store, &log, &d->id);
    sync_log_renewed(s.m.sync[0], &log);
    assert_int_equal(sync_identity(s.m.sync[0]), IDENTITY_FINE);
    meet_tell(&s.m, 0, "in the new log");
    meet_run(&s.m);
    assert_int_equal(head_of(&s, 1, &log), 2); /* with the op that opens it */
    assert_true(meet_equal(&s.m, 0, 1));
    scene_release(&s);
}

/* Device 0 opens the log that it goes on in. */
static void renew_log(struct scene *s, uint8_t n)
{
    struct device *d = &s->h.device[0];
    struct err e = ERR_INIT;
    d->log = (struct id){{n}};
    house_ok(group_open_log(d->group, &d->log, HOUSE_MS, &e), &e);
    store_use_log(d->store, &d->log, &d->id);
    sync_log_renewed(s->m.sync[0], &d->log);
    meet_changed(&s->m, 0);
}

static int list_head(void *ctx, const struct log_head *h)
{
    struct buf *b = ctx;
    return buf_append(b, h->log.b, ID_BYTES) || buf_append(b, &h->seq, sizeof h->seq) ||
           buf_append(b, h->chain.b, HASH_BYTES);
}

static void all_alike(struct scene *s)
{
    struct buf first, other;
    struct err e = ERR_INIT;
    buf_init(&first, 1u << 16);
    house_ok(store_logs(s->h.device[0].store, list_head, &first, &e), &e);
    for (size_t i = 0; i < s->h.n; i++) {
        buf_init(&other, 1u << 16);
        house_ok(store_logs(s->h.device[i].store, list_head, &other, &e), &e);
        assert_true(bytes_eq(buf_view(&first), buf_view(&other)));
        buf_release(&other);
        assert_true(meet_equal(&s->m, 0, i));
        assert_true(house_same_groups(&s->h, 0, i));
        house_ok(store_verify(s->h.device[i].store, &e), &e);
        house_ok(store_check(s->h.device[i].store, &e), &e);
    }
    buf_release(&first);
}

static void nobody_lacks_anything(struct scene *s)
{
    struct peer_status p;
    for (size_t i = 0; i + 1 < s->h.n; i++) {
        for (size_t k = i; k < i + 2; k++) {
            meet_status(&s->m, k, 2 * i + 1 - k, &p);
            if (p.state != PEER_EQUAL || p.they_lack || p.we_lack)
                fail_msg("%s of %zu at %zu: %s", p.name, k, 2 * i + 1 - k, p.reason);
        }
    }
}

static void histories_that_share_nothing_end_up_everywhere(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 3, 17);
    struct id log = s.h.device[0].log;
    tell_many(&s, 0, 30);
    (void)meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    uint64_t kept = head_of(&s, 1, &log);
    lose_database(&s);
    tell_many(&s, 0, 10); /* under the old log, before it met anybody */
    tell_many(&s, 1, 5);
    uint64_t branch = head_of(&s, 0, &log);
    assert_true(kept > branch && branch > 0);
    (void)meet_pair(&s.m, 0, 1);
    (void)meet_pair(&s.m, 1, 2);
    meet_run(&s.m);
    assert_int_equal(sync_identity(s.m.sync[0]), IDENTITY_FORKED);
    assert_true(sync_identity_pulled(s.m.sync[0]));
    renew_log(&s, 78);
    meet_tell(&s.m, 0, "in the new log");
    meet_run(&s.m);
    assert_int_equal(head_of(&s, 2, &log), 0);
    assert_int_equal(group_splits(s.h.device[2].group), 1);
    all_alike(&s);
    nobody_lacks_anything(&s);
    meet_restart(&s.m, 1);
    all_alike(&s);
    scene_release(&s);
}

/* A copy of device 0's store, as a backup of the folder; it goes on in the copy. */
struct backup {
    struct store *store;
    struct group *group;
};

struct copying {
    struct store *to;
    struct err e;
};

static int copy_op(void *ctx, const struct op_record *r)
{
    struct copying *c = ctx;
    house_ok(store_receive(c->to, r, &c->e), &c->e);
    return 0;
}

static int copy_record(void *ctx, const struct hash *hash, struct bytes record)
{
    struct copying *c = ctx;
    house_ok(members_add(c->to, hash, record, &c->e), &c->e);
    return 0;
}

static void back_up(struct scene *s, struct backup *b, const char *name)
{
    struct device *d = &s->h.device[0];
    struct copying c = {.e = ERR_INIT};
    char path[TMP_PATH_BYTES];
    tmp_path(&s->h.dir, name, path);
    struct store_config cfg = {.path = path, .vfs = "memdb", .clock = &s->h.clock, .rng = &s->h.rng};
    house_ok(store_open(&c.to, &cfg, &c.e), &c.e);
    store_use_log(c.to, &d->log, &d->id);
    house_ok(store_ops(d->store, &d->log, 0, UINT64_MAX, copy_op, &c, &c.e), &c.e);
    house_ok(members_each(d->store, copy_record, &c, &c.e), &c.e);
    house_ok(group_open(&b->group, c.to, &d->keys, &s->h.rng, &c.e), &c.e);
    b->store = c.to;
}

/* Device 0 is the backup now, and what it was lies in *b. */
static void swap(struct scene *s, struct backup *b)
{
    struct device *d = &s->h.device[0];
    struct err e = ERR_INIT;
    struct backup was = {d->store, d->group};
    for (size_t i = 0; i < s->m.n; i++) {
        if (s->m.pair[i].device[0] == 0 || s->m.pair[i].device[1] == 0)
            meet_cut(&s->m.pair[i]);
    }
    sync_close(s->m.sync[0]);
    d->store = d->env.store = b->store;
    d->group = d->env.group = b->group;
    *b = was;
    struct sync_env env = {d->store, d->group, &d->keys, &s->h.clock, &s->h.rng, d->log, NULL, NULL, NULL};
    house_ok(sync_open(&s->m.sync[0], &env, &e), &e);
}

static void drop(struct backup *b)
{
    group_close(b->group);
    store_close(b->store);
}

/* `common` ops, then `kept` and `other` ones, each history first known to another device; they meet in three
 * orders. */
static void two_histories(uint64_t seed, size_t common, size_t kept, size_t other)
{
    static const size_t orders[3][3][2] = {
        {{0, 1}, {1, 2}, {0, 2}}, {{1, 2}, {0, 1}, {2, 0}}, {{2, 1}, {2, 0}, {1, 0}}};
    struct scene s;
    struct backup b;
    scene_init(&s, 3, seed);
    struct id log = s.h.device[0].log;
    tell_many(&s, 0, common);
    (void)meet_pair(&s.m, 0, 1);
    (void)meet_pair(&s.m, 0, 2);
    meet_run(&s.m);
    uint64_t at = head_of(&s, 1, &log);
    back_up(&s, &b, "backup");
    tell_many(&s, 0, kept);
    meet_cut(&s.m.pair[1]);
    meet_run(&s.m);
    swap(&s, &b);
    tell_many(&s, 0, other);
    (void)meet_pair(&s.m, 0, 2); /* who does not know of the first history */
    meet_run(&s.m);
    assert_int_equal(sync_identity(s.m.sync[0]), IDENTITY_FINE);
    for (size_t i = 0; i < 3; i++)
        (void)meet_pair(&s.m, orders[seed % 3][i][0], orders[seed % 3][i][1]);
    meet_run(&s.m);
    for (size_t i = 0; i < 4; i++) { /* what was asked for elsewhere and did not come is asked for again */
        test_clock_advance(&s.h.test_clock, 11000);
        meet_run(&s.m);
    }
    assert_int_equal(sync_identity(s.m.sync[0]), IDENTITY_FORKED);
    assert_true(sync_identity_pulled(s.m.sync[0]));
    renew_log(&s, 79);
    meet_tell(&s.m, 0, "in the new log");
    meet_run(&s.m);
    assert_int_equal(head_of(&s, 2, &log), at);
    assert_int_equal(head_of(&s, 1, &log), at);
    all_alike(&s);
    nobody_lacks_anything(&s);
    scene_release(&s);
    drop(&b);
}

static void two_histories_of_any_length_become_one_model_everywhere(void **state)
{
    static const size_t lengths[] = {1, 3, 127, 150, 400};
    uint64_t seed = 20;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k += 2) {
            two_histories(seed++, lengths[i], lengths[k], lengths[(i + k) % 5]);
        }
    }
}

static void more_histories_than_a_log_may_have_are_refused_and_told(void **state)
{
    struct scene s;
    struct backup b[LOG_BRANCHES_MAX + 1];
    struct peer_status p;
    (void)state;
    scene_init(&s, 2, 60);
    struct id log = s.h.device[0].log;
    tell_many(&s, 0, 3);
    (void)meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    for (size_t i = 0; i < LOG_BRANCHES_MAX + 1; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "copy%zu", i);
        back_up(&s, &b[i], name);
    }
    for (size_t i = 0; i < LOG_BRANCHES_MAX + 1; i++) {
        swap(&s, &b[i]);
        tell_many(&s, 0, 1);
        (void)meet_pair(&s.m, 0, 1);
        meet_run(&s.m);
        meet_status(&s.m, 0, 1, &p);
        if (i < LOG_BRANCHES_MAX && p.state == PEER_DIVERGED)
            fail_msg("history %zu: %s", i, p.reason);
    }
    meet_status(&s.m, 1, 0, &p);
    assert_int_equal(p.state, PEER_DIVERGED);
    assert_non_null(strstr(p.reason, "device0"));
    assert_non_null(strstr(p.reason, "init --renew"));
    char id[ID_TEXT + 1];
    id_text(&log, id);
    id[8] = '\0';
    assert_non_null(strstr(p.reason, id));
    scene_release(&s);
    for (size_t i = 0; i < LOG_BRANCHES_MAX + 1; i++)
        drop(&b[i]);
}

static void a_device_met_only_through_another_is_heard_of_and_not_said_to_be_in_step(void **state)
{
    struct scene s;
    struct peer_status p;
    (void)state;
    scene_init(&s, 3, 61);
    meet_status(&s.m, 0, 2, &p);
    assert_string_equal(p.reason, "never met");
    tell_many(&s, 2, 4);
    (void)meet_pair(&s.m, 1, 2);
    meet_run(&s.m);
    (void)meet_pair(&s.m, 0, 1);
    meet_run(&s.m);
    meet_status(&s.m, 2, 0, &p);
    assert_int_equal(p.state, PEER_OFFLINE);
    assert_int_equal(p.last_seen_ms, 0);
    assert_int_equal(p.last_heard_ms, HOUSE_MS);
    assert_non_null(strstr(p.reason, "never met directly; 5 changes of it came through others"));
    assert_non_null(strstr(p.reason, "device1 has them, too"));
    assert_true(p.they_lack > 0); /* nothing that it has not acknowledged itself counts as there */
    scene_release(&s);
}

static void logs_beyond_what_a_hello_names_are_counted(void **state)
{
    struct scene s;
    struct err e = ERR_INIT;
    (void)state;
    scene_init(&s, 2, 62);
    struct device *d = &s.h.device[0];
    for (unsigned i = 0; i < SYNC_LOGS_MAX + 3; i++) {
        struct id log = {{200, (uint8_t)(i >> 8), (uint8_t)i}};
        house_ok(group_open_log(d->group, &log, HOUSE_MS, &e), &e);
        store_use_log(d->store, &log, &d->id);
        house_tell(&s.h, 0, "one");
    }
    meet_restart(&s.m, 0);
    assert_int_equal(sync_logs_beyond(s.m.sync[0]), 3);
    assert_int_equal(sync_logs_beyond(s.m.sync[1]), 0);
    scene_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_nothing_to_say_one_round_trip_of_600_bytes_is_enough),
        cmocka_unit_test(everything_reaches_everybody),
        cmocka_unit_test(an_edit_reaches_connected_peers_at_once_and_is_carried_on),
        cmocka_unit_test(an_op_comes_once_although_two_peers_have_it),
        cmocka_unit_test(what_was_acknowledged_is_not_sent_again_after_a_cut),
        cmocka_unit_test(records_of_the_group_spread),
        cmocka_unit_test(groups_that_went_on_apart_come_together),
        cmocka_unit_test(a_device_added_while_a_peer_was_away_introduces_itself),
        cmocka_unit_test(ops_of_a_later_version_are_kept_and_carried_on),
        cmocka_unit_test(status_counts_from_what_was_acknowledged),
        cmocka_unit_test(status_survives_a_restart),
        cmocka_unit_test(of_two_sessions_with_one_peer_one_is_left),
        cmocka_unit_test(a_peer_that_restarted_is_no_clone),
        cmocka_unit_test(two_machines_with_one_key_are_told),
        cmocka_unit_test(a_clone_that_calls_is_noticed_and_our_own_node_is_not_one),
        cmocka_unit_test(a_restored_device_gets_its_own_ops_back_and_opens_a_new_log),
        cmocka_unit_test(histories_that_share_nothing_end_up_everywhere),
        cmocka_unit_test(two_histories_of_any_length_become_one_model_everywhere),
        cmocka_unit_test(more_histories_than_a_log_may_have_are_refused_and_told),
        cmocka_unit_test(a_device_met_only_through_another_is_heard_of_and_not_said_to_be_in_step),
        cmocka_unit_test(logs_beyond_what_a_hello_names_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
