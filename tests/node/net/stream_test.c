/* Messages over real TCP connections of this machine. */
#include "node/net/stream.h"

#include "base/time.h"
#include "tests/support/unit.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000

static struct streams *hub;
static uint16_t port;
static const char *host;

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int setup_on(const char *h)
{
    host = h;
    port = 0;
    assert_int_equal(streams_open(&hub, NULL), 0);
    assert_int_equal(streams_listen(hub, host, &port, NULL), 0);
    return port > 0 ? 0 : -1;
}

static int setup_v4(void **state)
{
    (void)state;
    return setup_on("127.0.0.1");
}

static int setup_v6(void **state)
{
    (void)state;
    return setup_on("::1");
}

static int teardown(void **state)
{
    (void)state;
    streams_close(hub);
    return 0;
}

static void rest(void)
{
    struct pollfd fd = {.fd = streams_fd(hub), .events = POLLIN};
    (void)poll(&fd, 1, 100);
    streams_wake(hub);
}

/* Two connected ends: ours[0] dialed, ours[1] accepted. */
static void connect_pair(struct stream *ours[2], size_t limit)
{
    int64_t until = now_ms() + PATIENCE_MS;
    ours[0] = stream_dial(hub, host, port, PATIENCE_MS);
    ours[1] = NULL;
    assert_non_null(ours[0]);
    while ((ours[1] == NULL || stream_step(ours[0]) == STREAM_DIALING) && now_ms() < until) {
        rest();
        ours[1] = ours[1] == NULL ? streams_accept(hub) : ours[1];
    }
    assert_non_null(ours[1]);
    assert_int_equal(stream_step(ours[0]), STREAM_OPEN);
    stream_limit(ours[0], limit);
    stream_limit(ours[1], limit);
}

static bool receive(struct stream *from, struct stream *other, struct bytes *message)
{
    int64_t until = now_ms() + PATIENCE_MS;
    while (now_ms() < until) {
        (void)stream_step(other);
        (void)stream_step(from);
        if (stream_message(from, message)) {
            return true;
        }
        if (stream_step(from) == STREAM_DEAD) {
            return false;
        }
        rest();
    }
    return false;
}

static bool dies(struct stream *c)
{
    struct bytes m;
    int64_t until = now_ms() + PATIENCE_MS;
    while (now_ms() < until) {
        (void)stream_message(c, &m);
        if (stream_step(c) == STREAM_DEAD) {
            return true;
        }
        rest();
    }
    return false;
}

static void free_pair(struct stream *ours[2])
{
    stream_free(ours[0]);
    stream_free(ours[1]);
}

static void messages_arrive_whole_and_in_order(void **state)
{
    (void)state;
    struct stream *s[2];
    struct bytes m;
    static const size_t sizes[] = {1, 2, 65535, 3, 255, 256, 257, 65534, 1};
    static uint8_t data[STREAM_MESSAGE_MAX];
    connect_pair(s, STREAM_MESSAGE_MAX);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(data, (int)i + 1, sizeof(data));
        assert_int_equal(stream_send(s[0], bytes_of(data, 1), bytes_of(data, sizes[i] - 1)), 0);
        stream_push(s[0]);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_true(receive(s[1], s[0], &m));
        assert_int_equal(m.n, sizes[i]);
        memset(data, (int)i + 1, sizeof(data));
        assert_memory_equal(m.p, data, m.n);
    }
    assert_int_equal(stream_waiting(s[0]), 0);
    assert_int_equal(stream_send(s[1], BYTES_LIT("back"), BYTES_NONE), 0);
    assert_true(receive(s[0], s[1], &m));
    assert_true(bytes_eq(m, BYTES_LIT("back")));
    assert_true(addr_is_loopback(stream_remote(s[0])) && addr_is_loopback(stream_remote(s[1])));
    free_pair(s);
}

static void megabytes_go_both_ways_at_once(void **state)
{
    (void)state;
    struct stream *s[2];
    struct bytes m;
    static uint8_t data[40000];
    size_t sent[2] = {0}, got[2] = {0};
    int64_t until = now_ms() + PATIENCE_MS;
    connect_pair(s, STREAM_MESSAGE_MAX);
    while ((got[0] < 200 || got[1] < 200) && now_ms() < until) {
        for (size_t i = 0; i < 2; i++) {
            while (sent[i] < 200 && stream_waiting(s[i]) < 200000) {
                data[0] = (uint8_t)sent[i]++;
                assert_int_equal(stream_send(s[i], bytes_of(data, sizeof(data)), BYTES_NONE), 0);
            }
            assert_int_equal(stream_step(s[i]), STREAM_OPEN);
            while (stream_message(s[i], &m)) {
                assert_int_equal(m.n, sizeof(data));
                assert_int_equal(m.p[0], (uint8_t)got[i]++);
            }
        }
        rest();
    }
    assert_int_equal(got[0], 200);
    assert_int_equal(got[1], 200);
    free_pair(s);
}

static void a_message_above_the_limit_ends_the_connection(void **state)
{
    (void)state;
    struct stream *s[2];
    struct bytes m;
    static uint8_t data[2000];
    connect_pair(s, 1024);
    assert_int_equal(stream_send(s[0], bytes_of(data, 1024), BYTES_NONE), 0);
    assert_true(receive(s[1], s[0], &m));
    assert_int_equal(m.n, 1024);
    assert_int_equal(stream_send(s[0], bytes_of(data, 1025), BYTES_NONE), 0);
    assert_false(receive(s[1], s[0], &m));
    assert_int_equal(stream_step(s[1]), STREAM_DEAD);
    assert_true(dies(s[0]));
    free_pair(s);
}

static void the_limit_can_grow_between_messages(void **state)
{
    (void)state;
    struct stream *s[2];
    struct bytes m = BYTES_NONE;
    static uint8_t data[60000] = {1};
    connect_pair(s, 100);
    assert_int_equal(stream_send(s[0], bytes_of(data, 100), BYTES_NONE), 0);
    assert_int_equal(stream_send(s[0], bytes_of(data, sizeof(data)), BYTES_NONE), 0);
    assert_true(receive(s[1], s[0], &m));
    stream_limit(s[1], STREAM_MESSAGE_MAX);
    assert_true(m.p != NULL && m.p[0] == 1); /* the view is still good */
    assert_true(receive(s[1], s[0], &m));
    assert_int_equal(m.n, sizeof(data));
    free_pair(s);
}

/* A client that speaks without our code. */
static int raw_connect(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

static struct stream *accepted(void)
{
    struct stream *s = NULL;
    int64_t until = now_ms() + PATIENCE_MS;
    while (s == NULL && now_ms() < until) {
        rest();
        s = streams_accept(hub);
    }
    assert_non_null(s);
    return s;
}

static void garbage_is_cut_off_unanswered(void **state)
{
    (void)state;
    static const char *const garbage[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "SSH-2.0-x\r\n"};
    char answer[16];
    for (size_t i = 0; i < 3; i++) {
        int fd = raw_connect();
        struct stream *s = accepted();
        stream_limit(s, 1024);
        assert_true(write(fd, garbage[i], strlen(garbage[i])) > 0);
        assert_true(dies(s));
        stream_free(s);
        assert_true(read(fd, answer, sizeof(answer)) <= 0);
        (void)close(fd);
    }
}

static void an_empty_message_is_garbage(void **state)
{
    (void)state;
    int fd = raw_connect();
    struct stream *s = accepted();
    stream_limit(s, 1024);
    assert_int_equal(write(fd, "\0\0", 2), 2);
    assert_true(dies(s));
    stream_free(s);
    (void)close(fd);
}

static void a_message_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct bytes m;
    static const char text[] = "\0\5hello";
    int fd = raw_connect();
    struct stream *s = accepted();
    stream_limit(s, 1024);
    for (size_t i = 0; i < 7; i++) {
        assert_false(stream_message(s, &m));
        assert_int_equal(write(fd, text + i, 1), 1);
        rest();
    }
    assert_true(receive(s, s, &m));
    assert_true(bytes_eq(m, BYTES_LIT("hello")));
    stream_free(s);
    (void)close(fd);
}

static void a_reader_that_stops_makes_the_queue_full_not_the_memory(void **state)
{
    (void)state;
    static uint8_t data[60000];
    struct stream *s[2];
    int rc = 0;
    connect_pair(s, STREAM_MESSAGE_MAX);
    for (int i = 0; i < 2000 && rc == 0; i++) {
        rc = stream_send(s[0], bytes_of(data, sizeof(data)), BYTES_NONE);
        stream_push(s[0]);
    }
    assert_int_equal(rc, ERR_LIMIT);
    assert_true(stream_waiting(s[0]) <= STREAM_OUT_MAX);
    free_pair(s);
}

static void a_closed_port_is_noticed(void **state)
{
    (void)state;
    struct stream *s = stream_dial(hub, "127.0.0.1", 1, PATIENCE_MS);
    assert_non_null(s);
    assert_true(dies(s));
    assert_string_equal(stream_reason(s), "Connection refused");
    stream_free(s);
}

static void a_dial_can_be_given_up_at_any_time(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        struct stream *s = stream_dial(hub, i % 2 == 0 ? host : "localhost", port, PATIENCE_MS);
        assert_non_null(s);
        if (i % 3 == 0) {
            rest();
        }
        stream_free(s);
    }
    for (int i = 0; i < 30; i++) {
        stream_free(streams_accept(hub));
    }
}

static void an_address_in_use_is_reported(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    uint16_t same = port;
    assert_int_equal(streams_listen(hub, host, &same, &e), ERR_INUSE);
    assert_non_null(strstr(e.text, host));
    same = 0;
    assert_int_equal(streams_listen(hub, "256.1.1.1", &same, &e), ERR_USAGE);
}

#define V4(f) cmocka_unit_test_setup_teardown(f, setup_v4, teardown)
#define V6(f) cmocka_unit_test_setup_teardown(f, setup_v6, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(messages_arrive_whole_and_in_order),
        V6(messages_arrive_whole_and_in_order),
        V4(megabytes_go_both_ways_at_once),
        V6(megabytes_go_both_ways_at_once),
        V4(a_message_above_the_limit_ends_the_connection),
        V4(the_limit_can_grow_between_messages),
        V4(garbage_is_cut_off_unanswered),
        V4(an_empty_message_is_garbage),
        V4(a_message_may_come_byte_by_byte),
        V4(a_reader_that_stops_makes_the_queue_full_not_the_memory),
        V4(a_closed_port_is_noticed),
        V4(a_dial_can_be_given_up_at_any_time),
        V6(a_dial_can_be_given_up_at_any_time),
        V4(an_address_in_use_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
