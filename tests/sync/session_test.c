/* One session, and what a stranger, a broken peer and a hostile member can do to it. */
#include "sync/sync_int.h"

#include "base/check.h"
#include "store/members.h"
#include "tests/support/unit.h"
#include "tests/sync/meet.h"

#include <stdio.h>
#include <string.h>

struct scene {
    struct house h;
    struct meet m;
    struct fake f;
    struct buf b;
};

static void scene_init(struct scene *s, size_t n, uint64_t seed)
{
    house_init(&s->h, n, seed);
    house_pair_all(&s->h);
    meet_init(&s->m, &s->h);
    buf_init(&s->b, SYNC_MESSAGE_MAX);
}

/* Device 1 is the one under control; it has called device 0. */
static void scene_called(struct scene *s, uint64_t seed)
{
    scene_init(s, 3, seed);
    fake_init(&s->f, &s->m, 1, 0);
    fake_hello(&s->f, 1, &s->b);
    assert_true(fake_call(&s->f, &s->b));
    assert_int_equal(s->f.rc, 0);
    buf_clear(&s->b);
}

static void scene_release(struct scene *s)
{
    fake_release(&s->f);
    meet_release(&s->m);
    house_release(&s->h);
    buf_release(&s->b);
}

/* The session must be dead now, after a BYE with this reason. */
static void assert_bye(struct scene *s, uint8_t reason)
{
    struct msg m;
    assert_true(s->f.rc < 0);
    assert_true(fake_hear_kind(&s->f, MSG_BYE, &m));
    assert_int_equal(m.reason, reason);
    assert_false(fake_hear(&s->f));
    assert_true(session_input(s->f.s, BYTES_LIT("more"), &s->f.e) < 0);
    assert_true(session_tick(s->f.s, &s->f.e) < 0);
}

static void assert_silence(struct session *s)
{
    struct buf b;
    buf_init(&b, SYNC_MESSAGE_MAX);
    assert_false(session_output(s, &b));
    assert_int_equal(b.n, 0);
    buf_release(&b);
}

/* ---- strangers */

static void a_stranger_gets_no_byte(void **state)
{
    struct scene s;
    struct device_keys keys;
    (void)state;
    scene_init(&s, 2, 1);
    device_keys_make(&keys, &s.h.rng);
    struct device_keys member = s.h.device[1].keys;
    s.h.device[1].keys = keys;
    fake_init(&s.f, &s.m, 1, 0);
    s.h.device[1].keys = member;
    fake_hello(&s.f, 1, &s.b);
    assert_false(fake_call(&s.f, &s.b));
    assert_int_equal(s.f.rc, ERR_VERIFY);
    assert_silence(s.f.s);
    device_keys_wipe(&keys);
    device_keys_wipe(&member);
    scene_release(&s);
}

static void a_call_cut_longer_or_altered_gets_no_byte(void **state)
{
    struct scene s;
    struct buf call;
    (void)state;
    scene_init(&s, 2, 2);
    fake_init(&s.f, &s.m, 1, 0);
    buf_init(&call, SYNC_MESSAGE_MAX);
    fake_hello(&s.f, 1, &s.b);
    assert_int_equal(noise_write(&s.f.hs, &s.h.rng, buf_view(&s.b), &call), 0);
    wr_u8(&call, 0);
    for (size_t n = 0; n < call.n; n++) {
        struct session *cut = session_accept(s.m.sync[0]), *altered = session_accept(s.m.sync[0]);
        size_t len = n == call.n - 1 ? call.n : n;
        assert_int_equal(session_input(cut, bytes_slice(buf_view(&call), 0, len), NULL), ERR_VERIFY);
        assert_silence(cut);
        call.p[n] ^= 1;
        assert_int_equal(
            session_input(altered, bytes_slice(buf_view(&call), 0, call.n - (n < call.n - 1)), NULL),
            ERR_VERIFY);
        assert_silence(altered);
        call.p[n] ^= 1;
        session_free(cut);
        session_free(altered);
    }
    assert_int_equal(session_input(s.f.s, bytes_slice(buf_view(&call), 0, call.n - 1), NULL), 0);
    buf_release(&call);
    scene_release(&s);
}

static void a_member_of_another_group_gets_no_byte(void **state)
{
    struct scene s;
    struct house other;
    struct fake f;
    struct meet m;
    (void)state;
    scene_init(&s, 2, 3);
    house_init(&other, 2, 4);
    house_pair_all(&other);
    meet_init(&m, &other);
    fake_init(&s.f, &s.m, 1, 0);
    fake_init(&f, &m, 1, 0);
    fake_hello(&f, 1, &s.b);
    session_free(f.s); /* what it has to say goes to the first house */
    f.s = session_accept(s.m.sync[0]);
    assert_false(fake_call(&f, &s.b));
    assert_int_equal(f.rc, ERR_VERIFY);
    fake_release(&f);
    meet_release(&m);
    house_release(&other);
    scene_release(&s);
}

static void a_call_that_carries_no_hello_gets_no_byte(void **state)
{
    static const char *const calls[] = {"", "\x01", "\x06\x00\x00", "\x0b\x00\x00", "\x80"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct scene s;
        scene_init(&s, 2, 5);
        fake_init(&s.f, &s.m, 1, 0);
        assert_int_equal(buf_append(&s.b, calls[i], i == 2 || i == 3 ? 3 : i == 0 ? 0 : 1), 0);
        assert_false(fake_call(&s.f, &s.b));
        assert_int_equal(s.f.rc, ERR_VERIFY);
        scene_release(&s);
    }
}

static void a_handshake_that_takes_too_long_is_dropped(void **state)
{
    struct scene s;
    struct err e;
    (void)state;
    scene_init(&s, 2, 6);
    fake_init(&s.f, &s.m, 1, 0);
    struct session *c = session_connect(s.m.sync[0], &s.h.device[1].id);
    assert_true(session_output(c, &s.b));
    test_clock_advance(&s.h.test_clock, SYNC_HANDSHAKE_MS - 1);
    assert_int_equal(session_tick(c, &e), 0);
    assert_int_equal(session_deadline(c), SYNC_HANDSHAKE_MS);
    test_clock_advance(&s.h.test_clock, 1);
    assert_int_equal(session_tick(c, &e), ERR_CANCELLED);
    assert_int_equal(session_tick(s.f.s, &e), ERR_CANCELLED);
    assert_silence(c);
    session_free(c);
    scene_release(&s);
}

static void who_calls_and_then_says_nothing_is_dropped_and_not_counted_as_seen(void **state)
{
    struct scene s;
    struct peer_status p;
    (void)state;
    scene_called(&s, 7);
    test_clock_advance(&s.h.test_clock, SYNC_HANDSHAKE_MS);
    assert_true(session_deadline(s.f.s) <= s.h.test_clock.mono_ms);
    assert_int_equal(session_tick(s.f.s, &s.f.e), ERR_CANCELLED);
    meet_status(&s.m, 1, 0, &p);
    assert_int_equal(p.last_seen_ms, 0);
    scene_release(&s);
}

/* ---- hello */

static void versions_that_do_not_meet_end_with_a_word(void **state)
{
    struct scene s;
    struct msg m;
    (void)state;
    scene_init(&s, 2, 8);
    fake_init(&s.f, &s.m, 1, 0);
    fake_hello(&s.f, 1, &s.b);
    s.b.p[1] = s.b.p[2] = SYNC_VERSION + 1;
    assert_true(fake_call(&s.f, &s.b));
    assert_int_equal(msg_decode(buf_view(&s.f.plain), &m, NULL), 0);
    assert_true(m.kind == MSG_BYE && m.reason == BYE_VERSION);
    assert_silence(s.f.s);
    scene_release(&s);
}

static void a_later_version_that_speaks_ours_is_welcome(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 2, 9);
    fake_init(&s.f, &s.m, 1, 0);
    fake_hello(&s.f, 1, &s.b);
    s.b.p[1] = SYNC_VERSION + 7;
    s.b.n--; /* and has more to say */
    wr_lenbytes(&s.b, BYTES_LIT("something new"));
    assert_true(fake_call(&s.f, &s.b));
    assert_int_equal(s.f.plain.p[0], MSG_HELLO);
    scene_release(&s);
}

static void the_clock_of_the_peer_is_measured(void **state)
{
    struct scene s;
    struct peer_status p;
    (void)state;
    scene_init(&s, 2, 10);
    fake_init(&s.f, &s.m, 1, 0);
    test_clock_jump(&s.h.test_clock, HOUSE_MS + 3600000);
    fake_hello(&s.f, 1, &s.b);
    test_clock_jump(&s.h.test_clock, HOUSE_MS);
    assert_true(fake_call(&s.f, &s.b));
    buf_clear(&s.b);
    put_ack(&s.b, 0, 0);
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    meet_status(&s.m, 1, 0, &p);
    assert_int_equal(p.clock_offset_ms, 3600000);
    assert_int_equal(p.last_seen_ms, HOUSE_MS);
    assert_true(p.connected);
    scene_release(&s);
}

/* ---- messages of an authenticated peer */

static void every_message_cut_short_ends_the_session(void **state)
{
    static const uint8_t whole[][40] = {
        {MSG_HAVES, 0, 0},      {MSG_WANT, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1},
        {MSG_ACK, 0, 0},        {MSG_STALL, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 1},
        {MSG_PING, 1, 2, 3, 4}, {MSG_PONG, 1, 2, 3, 4}};
    static const size_t size[] = {3, 19, 3, 19, 5, 5};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        for (size_t n = 0; n <= size[i] + 1; n++) {
            struct scene s;
            scene_called(&s, 11);
            int rc = fake_say(&s.f, bytes_of(whole[i], n));
            assert_int_equal(rc == 0, n == size[i]);
            if (rc)
                assert_bye(&s, BYE_PROTOCOL);
            scene_release(&s);
        }
    }
}

static void a_second_hello_ends_the_session(void **state)
{
    struct scene s;
    (void)state;
    scene_called(&s, 12);
    fake_hello(&s.f, 1, &s.b);
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), ERR_FORMAT);
    assert_bye(&s, BYE_PROTOCOL);
    scene_release(&s);
}

static void a_kind_that_may_be_skipped_is(void **state)
{
    struct scene s;
    struct msg m;
    (void)state;
    scene_called(&s, 13);
    assert_int_equal(fake_say(&s.f, BYTES_LIT("\xc8 of a later version")), 0);
    put_ping(&s.b, MSG_PING, 77);
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    assert_true(fake_hear_kind(&s.f, MSG_PONG, &m));
    assert_int_equal(m.nonce, 77);
    assert_int_equal(fake_say(&s.f, BYTES_LIT("\x20 must be known")), ERR_VERSION);
    assert_bye(&s, BYE_VERSION);
    scene_release(&s);
}

static void a_sealed_message_altered_replayed_or_out_of_order_ends_the_session(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct scene s;
        struct buf one, two;
        scene_called(&s, 14);
        buf_init(&one, 128);
        buf_init(&two, 128);
        put_ping(&s.b, MSG_PING, 1);
        assert_int_equal(noise_seal(&s.f.noise, BYTES_NONE, buf_view(&s.b), &one), 0);
        assert_int_equal(noise_seal(&s.f.noise, BYTES_NONE, buf_view(&s.b), &two), 0);
        one.p[3] ^= how == 0;
        if (how == 1)
            assert_int_equal(session_input(s.f.s, buf_view(&one), NULL), 0);
        struct err e = ERR_INIT;
        assert_int_equal(session_input(s.f.s, buf_view(how == 2 ? &two : &one), &e), ERR_VERIFY);
        assert_silence(s.f.s);
        buf_release(&one);
        buf_release(&two);
        scene_release(&s);
    }
}

static void acknowledging_what_was_not_sent_ends_the_session(void **state)
{
    struct scene s;
    (void)state;
    scene_called(&s, 15);
    put_ack(&s.b, 1, 0);
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), ERR_FORMAT);
    assert_bye(&s, BYE_PROTOCOL);
    scene_release(&s);
}

static void taking_an_acknowledgement_back_ends_the_session(void **state)
{
    struct scene s;
    (void)state;
    scene_called(&s, 16);
    for (uint64_t seq = 9; seq >= 8; seq--) {
        buf_clear(&s.b);
        put_ack(&s.b, 0, 1);
        put_vector_entry(&s.b, &(struct vector_entry){{{7}}, seq, {0}, 0}, false);
        assert_int_equal(fake_say(&s.f, buf_view(&s.b)), seq == 9 ? 0 : ERR_FORMAT);
    }
    assert_bye(&s, BYE_PROTOCOL);
    scene_release(&s);
}

static void naming_logs_without_end_ends_the_session(void **state)
{
    struct scene s;
    uint64_t n = 0;
    (void)state;
    scene_called(&s, 17);
    for (; s.f.rc == 0 && n < 100; n++) {
        buf_clear(&s.b);
        put_want(&s.b, 100);
        for (uint8_t i = 0; i < 100; i++)
            put_want_entry(&s.b, &(struct want_entry){{{(uint8_t)n, i}}, true, 0});
        (void)fake_say(&s.f, buf_view(&s.b));
    }
    assert_int_equal(s.f.rc, ERR_LIMIT);
    assert_in_range(n, SYNC_LOGS_MAX / 100, 2 * SYNC_LOGS_MAX / 100 + 1);
    assert_bye(&s, BYE_PROTOCOL);
    scene_release(&s);
}

static void asking_for_records_without_end_ends_the_session(void **state)
{
    struct scene s;
    unsigned n = 0;
    (void)state;
    scene_called(&s, 18);
    for (; s.f.rc == 0 && n < 100; n++) {
        buf_clear(&s.b);
        put_haves(&s.b, HAVES_AGAIN, NULL, 0);
        (void)fake_say(&s.f, buf_view(&s.b));
        while (s.f.rc == 0 && fake_hear(&s.f)) {
        }
    }
    assert_int_equal(s.f.rc, ERR_LIMIT);
    assert_true(n < 50);
    scene_release(&s);
}

static void refused_records_change_nothing(void **state)
{
    struct scene s;
    struct buf before, after;
    (void)state;
    scene_called(&s, 19);
    buf_init(&before, 1u << 20);
    buf_init(&after, 1u << 20);
    house_group_dump(&s.h, 0, &before);
    put_records(&s.b, RECORDS_END);
    wr_lenbytes(&s.b, BYTES_LIT("no record"));
    wr_lenbytes(&s.b, BYTES_LIT("\x01\x01\x07 nor this"));
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    house_group_dump(&s.h, 0, &after);
    assert_true(bytes_eq(buf_view(&before), buf_view(&after)));
    buf_release(&before);
    buf_release(&after);
    scene_release(&s);
}

static void bye_ends_the_session_and_says_why(void **state)
{
    struct scene s;
    (void)state;
    scene_called(&s, 20);
    put_bye(&s.b, BYE_RENEW, BYTES_NONE);
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), ERR_CANCELLED);
    assert_non_null(strstr(s.f.e.text, bye_text(BYE_RENEW)));
    assert_silence(s.f.s);
    scene_release(&s);
}

static void an_orderly_end_says_bye(void **state)
{
    struct scene s;
    (void)state;
    scene_called(&s, 21);
    session_end(s.f.s);
    s.f.rc = session_tick(s.f.s, &s.f.e);
    assert_bye(&s, BYE_DONE);
    scene_release(&s);
}

/* ---- flow */

static void no_more_goes_out_than_the_window_holds(void **state)
{
    struct scene s;
    char text[2048];
    uint64_t sent = 0;
    (void)state;
    scene_called(&s, 22);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < 1500; i++)
        house_tell(&s.h, 0, text);
    meet_changed(&s.m, 0);
    while (fake_hear(&s.f))
        sent += s.f.plain.p[0] == MSG_FRAMES ? s.f.plain.n : 0;
    assert_in_range(sent, SYNC_WINDOW_BYTES / 2, SYNC_WINDOW_BYTES);
    put_ack(&s.b, sent, 0);
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    assert_true(fake_hear(&s.f));
    scene_release(&s);
}

static void a_log_that_stalls_at_the_peer_is_not_sent_again_until_it_asks(void **state)
{
    struct scene s;
    struct msg m;
    struct id log;
    (void)state;
    scene_called(&s, 23);
    log = s.h.device[0].log;
    meet_tell(&s.m, 0, "first");
    assert_true(fake_hear_kind(&s.f, MSG_FRAMES, &m));
    put_stall(&s.b, &log, 1, STALL_REFUSED);
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    meet_tell(&s.m, 0, "second");
    assert_false(fake_hear_kind(&s.f, MSG_FRAMES, &m));
    struct peer_status p;
    meet_status(&s.m, 1, 0, &p);
    assert_true(p.they_lack > 0 && strlen(p.reason) > 0);
    buf_clear(&s.b);
    put_want(&s.b, 1);
    put_want_entry(&s.b, &(struct want_entry){log, true, 0});
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    assert_true(fake_hear_kind(&s.f, MSG_FRAMES, &m));
    scene_release(&s);
}

static int keep_reason(void *ctx, const struct quarantine *q)
{
    struct quarantine *out = ctx;
    *out = *q;
    return 0;
}

static void a_frame_that_does_not_verify_stalls_its_log_alone(void **state)
{
    struct scene s;
    struct buf wire;
    struct quarantine q = {.first = 0};
    struct msg m;
    struct id bad;
    (void)state;
    scene_called(&s, 24);
    bad = s.h.device[1].log;
    buf_init(&wire, FRAME_WIRE_MAX);
    house_tell(&s.h, 1, "a true thing");
    house_seal(&s.h, 1);
    house_next(&s.h, 1, &bad, 0, HOUSE_DEVICES, &wire);
    wire.p[wire.n - 1] ^= 1;
    put_frames(&s.b, &bad);
    wr_lenbytes(&s.b, buf_view(&wire));
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    assert_true(fake_hear_kind(&s.f, MSG_STALL, &m));
    assert_true(id_eq(&m.log, &bad) && m.reason == STALL_REFUSED);
    assert_int_equal(sync_quarantine(s.m.sync[0], keep_reason, &q, NULL), 0);
    assert_true(id_eq(&q.log, &bad) && q.first == 1 && strlen(q.reason) > 0);
    house_tell(&s.h, 2, "another log");
    house_seal(&s.h, 2);
    assert_int_equal(house_frames(&s.h, 2, 1), 0);
    buf_clear(&s.b);
    buf_clear(&wire);
    house_next(&s.h, 1, &s.h.device[2].log, 0, HOUSE_DEVICES, &wire);
    put_frames(&s.b, &s.h.device[2].log);
    wr_lenbytes(&s.b, buf_view(&wire));
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    assert_true(fake_hear_kind(&s.f, MSG_ACK, &m) && m.n >= 1);
    buf_release(&wire);
    scene_release(&s);
}

static void what_stalled_is_taken_when_it_comes_right_from_another_peer(void **state)
{
    struct scene s;
    struct buf wire;
    struct quarantine q = {.first = 0};
    struct id log;
    struct hash chain;
    uint64_t seq;
    (void)state;
    scene_called(&s, 25);
    log = s.h.device[2].log;
    buf_init(&wire, FRAME_WIRE_MAX);
    house_tell(&s.h, 2, "a true thing");
    house_seal(&s.h, 2);
    house_next(&s.h, 2, &log, 0, HOUSE_DEVICES, &wire);
    wire.p[200] ^= 1;
    put_frames(&s.b, &log);
    wr_lenbytes(&s.b, buf_view(&wire));
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    while (fake_hear(&s.f)) {
    }
    (void)meet_pair(&s.m, 2, 0);
    meet_run(&s.m);
    assert_int_equal(store_log_head(s.h.device[0].store, &log, &seq, &chain, NULL), 0);
    assert_true(seq > 0);
    assert_int_equal(sync_quarantine(s.m.sync[0], keep_reason, &q, NULL), 0);
    assert_int_equal(q.first, 0);
    buf_release(&wire);
    scene_release(&s);
}

static void a_frame_under_the_name_of_another_log_ends_the_session(void **state)
{
    struct scene s;
    struct buf wire;
    struct msg m;
    (void)state;
    scene_called(&s, 26);
    buf_init(&wire, FRAME_WIRE_MAX);
    house_tell(&s.h, 1, "mine");
    house_seal(&s.h, 1);
    house_next(&s.h, 1, &s.h.device[1].log, 0, HOUSE_DEVICES, &wire);
    put_frames(&s.b, &s.h.device[2].log);
    wr_lenbytes(&s.b, buf_view(&wire));
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    assert_true(fake_hear_kind(&s.f, MSG_BYE, &m) && m.reason == BYE_PROTOCOL);
    assert_true(session_tick(s.f.s, NULL) < 0);
    buf_release(&wire);
    scene_release(&s);
}

/* ---- time */

static void silence_is_asked_about_and_then_ends_the_session(void **state)
{
    struct scene s;
    struct msg m;
    (void)state;
    scene_called(&s, 27);
    put_ack(&s.b, 0, 0);
    assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    while (fake_hear(&s.f)) {
    }
    test_clock_advance(&s.h.test_clock, SYNC_SILENCE_MS / 3);
    assert_true(session_deadline(s.f.s) <= s.h.test_clock.mono_ms);
    assert_int_equal(session_tick(s.f.s, &s.f.e), 0);
    assert_true(fake_hear_kind(&s.f, MSG_PING, &m));
    assert_false(fake_hear_kind(&s.f, MSG_PING, &m));
    test_clock_advance(&s.h.test_clock, SYNC_SILENCE_MS);
    s.f.rc = session_tick(s.f.s, &s.f.e);
    assert_bye(&s, BYE_SILENT);
    scene_release(&s);
}

static void a_pong_keeps_the_session_alive(void **state)
{
    struct scene s;
    struct msg m;
    (void)state;
    scene_called(&s, 28);
    for (int i = 0; i < 20; i++) {
        test_clock_advance(&s.h.test_clock, SYNC_SILENCE_MS / 3);
        if (i == 0) {
            put_ack(&s.b, 0, 0);
            assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
            continue;
        }
        assert_int_equal(session_tick(s.f.s, &s.f.e), 0);
        assert_true(fake_hear_kind(&s.f, MSG_PING, &m));
        buf_clear(&s.b);
        put_ping(&s.b, MSG_PONG, m.nonce);
        assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
    }
    scene_release(&s);
}

static void a_session_of_a_day_ends_for_new_keys(void **state)
{
    struct scene s;
    (void)state;
    scene_called(&s, 29);
    for (int64_t t = 0; t < SYNC_RENEW_MS; t += SYNC_SILENCE_MS / 2) {
        buf_clear(&s.b);
        put_ping(&s.b, MSG_PING, 1);
        assert_int_equal(fake_say(&s.f, buf_view(&s.b)), 0);
        while (fake_hear(&s.f)) {
        }
        test_clock_advance(&s.h.test_clock, SYNC_SILENCE_MS / 2);
    }
    s.f.rc = session_tick(s.f.s, &s.f.e);
    assert_bye(&s, BYE_RENEW);
    scene_release(&s);
}

/* ---- removed */

static void a_removed_device_learns_of_its_removal_and_nothing_else(void **state)
{
    struct scene s;
    struct hash chain;
    struct err e = ERR_INIT;
    uint64_t seq;
    (void)state;
    scene_init(&s, 3, 30);
    memset(&s.f, 0, sizeof s.f);
    house_ok(group_remove(s.h.device[0].group, &s.h.device[2].id, HOUSE_MS, &e), &e);
    assert_int_equal(group_rename(s.h.device[0].group, &s.h.device[1].id, BYTES_LIT("later"), HOUSE_MS, &e),
                     0);
    meet_tell(&s.m, 0, "after");
    struct pair *p = meet_pair(&s.m, 2, 0);
    meet_run(&s.m);
    assert_int_equal(p->rc[0], ERR_CANCELLED);
    assert_false(group_is_active(s.h.device[2].group, &s.h.device[2].id));
    assert_string_equal(group_find(s.h.device[2].group, &s.h.device[1].id)->name, "device1");
    assert_int_equal(store_log_head(s.h.device[2].store, &s.h.device[0].log, &seq, &chain, NULL), 0);
    assert_int_equal(seq, 0);
    assert_null(session_connect(s.m.sync[2], &s.h.device[0].id));
    assert_null(session_connect(s.m.sync[0], &s.h.device[2].id));
    meet_release(&s.m);
    house_release(&s.h);
    buf_release(&s.b);
}

static void a_session_with_a_device_that_is_removed_meanwhile_ends(void **state)
{
    struct scene s;
    struct err e = ERR_INIT;
    struct hash chain;
    uint64_t before, after;
    (void)state;
    scene_init(&s, 3, 31);
    struct pair *p = meet_pair(&s.m, 2, 0);
    meet_tell(&s.m, 0, "before");
    meet_run(&s.m);
    assert_true(p->s[0] && session_idle(p->s[0]) && session_idle(p->s[1]));
    assert_int_equal(store_log_head(s.h.device[2].store, &s.h.device[0].log, &before, &chain, NULL), 0);
    assert_true(before > 0);
    house_ok(group_remove(s.h.device[0].group, &s.h.device[2].id, HOUSE_MS, &e), &e);
    meet_tell(&s.m, 0, "after");
    meet_run(&s.m);
    assert_true(p->rc[0] < 0 && p->rc[1] < 0);
    assert_false(group_is_active(s.h.device[2].group, &s.h.device[2].id));
    assert_int_equal(store_log_head(s.h.device[2].store, &s.h.device[0].log, &after, &chain, NULL), 0);
    assert_int_equal(after, before);
    meet_release(&s.m);
    house_release(&s.h);
    buf_release(&s.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_gets_no_byte),
        cmocka_unit_test(a_call_cut_longer_or_altered_gets_no_byte),
        cmocka_unit_test(a_member_of_another_group_gets_no_byte),
        cmocka_unit_test(a_call_that_carries_no_hello_gets_no_byte),
        cmocka_unit_test(a_handshake_that_takes_too_long_is_dropped),
        cmocka_unit_test(who_calls_and_then_says_nothing_is_dropped_and_not_counted_as_seen),
        cmocka_unit_test(versions_that_do_not_meet_end_with_a_word),
        cmocka_unit_test(a_later_version_that_speaks_ours_is_welcome),
        cmocka_unit_test(the_clock_of_the_peer_is_measured),
        cmocka_unit_test(every_message_cut_short_ends_the_session),
        cmocka_unit_test(a_second_hello_ends_the_session),
        cmocka_unit_test(a_kind_that_may_be_skipped_is),
        cmocka_unit_test(a_sealed_message_altered_replayed_or_out_of_order_ends_the_session),
        cmocka_unit_test(acknowledging_what_was_not_sent_ends_the_session),
        cmocka_unit_test(taking_an_acknowledgement_back_ends_the_session),
        cmocka_unit_test(naming_logs_without_end_ends_the_session),
        cmocka_unit_test(asking_for_records_without_end_ends_the_session),
        cmocka_unit_test(refused_records_change_nothing),
        cmocka_unit_test(bye_ends_the_session_and_says_why),
        cmocka_unit_test(an_orderly_end_says_bye),
        cmocka_unit_test(no_more_goes_out_than_the_window_holds),
        cmocka_unit_test(a_log_that_stalls_at_the_peer_is_not_sent_again_until_it_asks),
        cmocka_unit_test(a_frame_that_does_not_verify_stalls_its_log_alone),
        cmocka_unit_test(what_stalled_is_taken_when_it_comes_right_from_another_peer),
        cmocka_unit_test(a_frame_under_the_name_of_another_log_ends_the_session),
        cmocka_unit_test(silence_is_asked_about_and_then_ends_the_session),
        cmocka_unit_test(a_pong_keeps_the_session_alive),
        cmocka_unit_test(a_session_of_a_day_ends_for_new_keys),
        cmocka_unit_test(a_removed_device_learns_of_its_removal_and_nothing_else),
        cmocka_unit_test(a_session_with_a_device_that_is_removed_meanwhile_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
