/* Beacons, as bytes and over the loopback interface. */
#include "node/net/discover.h"

#include "base/time.h"
#include "crypto/hash.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define WALL INT64_C(1700000000000)
#define SEED 7

static struct test_rng seeded;
static struct rng rng;
static struct clock real;
static const uint8_t secret[KEY_BYTES] = {1, 2, 3}, other_secret[KEY_BYTES] = {9};
static const struct id one = {{0x11}}, two = {{0x22}};

static int64_t mono(void *ctx)
{
    struct timespec ts;
    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t wall(void *ctx)
{
    (void)ctx;
    return WALL;
}

static int setup(void **state)
{
    (void)state;
    test_rng_init(&seeded, SEED);
    rng = test_rng_iface(&seeded);
    real = (struct clock){.wall_ms = wall, .mono_ms = mono};
    return crypt_start();
}

static struct addr at(const char *host)
{
    struct addr a;
    assert_true(addr_from_host(&a, host));
    return a;
}

/* A UDP port that nobody has now. */
static uint16_t free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    (void)close(fd);
    return ntohs(in.sin_port);
}

static struct discover *open_on(const char *host, uint16_t udp, uint16_t tcp)
{
    struct discover *d = NULL;
    const struct discover_options o = {
        .clock = &real, .rng = &rng, .udp_port = udp, .tcp_port = tcp, .only = at(host)};
    assert_int_equal(discover_open(&d, &o, NULL), 0);
    (void)discover_step(d);
    return d;
}

/* Steps both until one hears something. */
static bool hears(struct discover *d, struct discover *other, struct beacon *b)
{
    int64_t until = mono(NULL) + PATIENCE_MS;
    while (mono(NULL) < until) {
        (void)discover_step(other);
        (void)discover_step(d);
        if (discover_next(d, b)) {
            return true;
        }
        struct pollfd fds[] = {{.fd = discover_fd(d), .events = POLLIN}};
        (void)poll(fds, 1, 50);
    }
    return false;
}

/* ---- bytes */

static void a_member_recognises_a_member(void **state)
{
    (void)state;
    struct beacon b = {.kind = BEACON_MEMBER, .from.port = 4711}, got;
    uint8_t packet[BEACON_PACKET_BYTES];
    struct addr from = at("192.0.2.7");
    beacon_sign(&b, secret, &one, WALL, &rng);
    beacon_pack(&b, packet);
    assert_true(beacon_unpack(&got, bytes_of(packet, sizeof(packet)), &from));
    assert_int_equal(got.from.port, 4711);
    assert_true(addr_same_ip(&got.from, &from));
    assert_true(beacon_is_of(&got, secret, &one, WALL));
    assert_true(beacon_is_of(&got, secret, &one, WALL + MS_HOUR));
    assert_false(beacon_is_of(&got, secret, &two, WALL));
    assert_false(beacon_is_of(&got, other_secret, &one, WALL));
    assert_false(beacon_is_of(&got, secret, &one, WALL + 3 * MS_HOUR));
}

static void a_beacon_changed_anywhere_is_nobodys(void **state)
{
    (void)state;
    struct beacon b = {.kind = BEACON_MEMBER, .from.port = 4711}, got;
    uint8_t packet[BEACON_PACKET_BYTES];
    struct addr from = at("192.0.2.7");
    beacon_sign(&b, secret, &one, WALL, &rng);
    beacon_pack(&b, packet);
    for (size_t bit = 0; bit < 8 * sizeof(packet); bit++) {
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool taken = beacon_unpack(&got, bytes_of(packet, sizeof(packet)), &from) &&
                     beacon_is_of(&got, secret, &one, WALL);
        assert_false(taken);
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void packets_of_other_sizes_and_kinds_are_dropped(void **state)
{
    (void)state;
    struct beacon b;
    uint8_t packet[BEACON_PACKET_BYTES + 1] = {BEACON_MEMBER, [BEACON_PACKET_BYTES - 1] = 1};
    struct addr from = at("192.0.2.7");
    assert_true(beacon_unpack(&b, bytes_of(packet, BEACON_PACKET_BYTES), &from));
    for (size_t n = 0; n <= sizeof(packet); n++) {
        if (n != BEACON_PACKET_BYTES) {
            assert_false(beacon_unpack(&b, bytes_of(packet, n), &from));
        }
    }
    for (int kind = 0; kind < 256; kind++) {
        packet[0] = (uint8_t)kind;
        bool known = kind == BEACON_MEMBER || kind == BEACON_PAIRING;
        assert_int_equal(beacon_unpack(&b, bytes_of(packet, BEACON_PACKET_BYTES), &from), known);
    }
    packet[0] = BEACON_MEMBER;
    packet[BEACON_PACKET_BYTES - 1] = 0; /* port 0 */
    assert_false(beacon_unpack(&b, bytes_of(packet, BEACON_PACKET_BYTES), &from));
}

static void two_beacons_of_a_device_have_nothing_in_common_but_the_port(void **state)
{
    (void)state;
    struct beacon a = {.kind = BEACON_MEMBER, .from.port = 4711}, b = a;
    beacon_sign(&a, secret, &one, WALL, &rng);
    beacon_sign(&b, secret, &one, WALL, &rng);
    for (size_t i = 0; i + 4 <= BEACON_BYTES; i++) {
        assert_memory_not_equal(a.tag + i, b.tag + i, 4);
    }
}

/* ---- over the network */

static void beacons_are_heard(void **state)
{
    (void)state;
    struct beacon b = {0};
    uint16_t udp = free_port();
    struct discover *speaker = open_on("127.0.0.1", udp, 4711);
    struct discover *listener = open_on("127.0.0.1", udp, 4712);
    struct addr from = at("127.0.0.1");
    discover_member(speaker, secret, &one);
    assert_true(hears(listener, speaker, &b));
    assert_int_equal(b.kind, BEACON_MEMBER);
    assert_int_equal(b.from.port, 4711);
    assert_true(addr_same_ip(&b.from, &from));
    assert_true(beacon_is_of(&b, secret, &one, WALL));
    discover_close(speaker);
    discover_close(listener);
}

static void a_pairing_host_is_heard_while_its_code_is_shown(void **state)
{
    (void)state;
    struct beacon b = {0}, again = {0};
    uint16_t udp = free_port();
    struct discover *host = open_on("127.0.0.1", udp, 4711);
    struct discover *joiner = open_on("127.0.0.1", udp, 4712);
    discover_pairing(host, true);
    assert_true(hears(joiner, host, &b));
    assert_int_equal(b.kind, BEACON_PAIRING);
    assert_int_equal(b.from.port, 4711);
    assert_true(hears(joiner, host, &again));
    assert_memory_equal(again.tag, b.tag, BEACON_BYTES);
    discover_pairing(host, false);
    assert_int_equal(discover_step(host), TIME_NONE);
    discover_close(host);
    discover_close(joiner);
}

static void who_has_nothing_to_say_is_silent(void **state)
{
    (void)state;
    uint16_t udp = free_port();
    struct discover *d = open_on("127.0.0.1", udp, 4711);
    assert_int_equal(discover_step(d), TIME_NONE);
    discover_announce(d);
    assert_int_equal(discover_step(d), TIME_NONE);
    discover_member(d, secret, &one);
    assert_true(discover_step(d) != TIME_NONE);
    discover_member(d, NULL, &one);
    assert_int_equal(discover_step(d), TIME_NONE);
    discover_close(d);
}

static void announcements_keep_their_distance(void **state)
{
    (void)state;
    uint16_t udp = free_port();
    struct discover *d = open_on("127.0.0.1", udp, 4711);
    discover_member(d, secret, &one);
    int64_t now = mono(NULL);
    (void)discover_step(d); /* the first one goes */
    for (int i = 0; i < 100; i++) {
        discover_announce(d);
    }
    assert_true(discover_step(d) >= now + DISCOVER_SPACING_MS * 3 / 4);
    discover_close(d);
}

/* ---- what a stranger who listens for two hours has in hand */

#define LISTENED_MS (2 * MS_HOUR)
#define HEARD_MAX 400

static int64_t passed; /* since the test began; both clocks */

static int64_t passing_mono(void *ctx)
{
    return mono(ctx) + passed;
}

static int64_t passing_wall(void *ctx)
{
    return wall(ctx) + passed;
}

struct heard {
    uint8_t packet[HEARD_MAX][BEACON_PACKET_BYTES];
    int64_t gap_ms[HEARD_MAX];
    size_t n;
};

/* Steps the speaker through two hours; takes each packet down as it came over the network. */
static void listen_two_hours(struct discover *speaker, struct discover *listener, struct heard *h)
{
    int64_t before = 0;
    while (passed < LISTENED_MS) {
        struct beacon b;
        assert_true(h->n < HEARD_MAX);
        assert_true(hears(listener, speaker, &b));
        beacon_pack(&b, h->packet[h->n]);
        h->gap_ms[h->n++] = passed - before;
        before = passed;
        passed += discover_step(speaker) - passing_mono(NULL);
    }
}

/* How many runs of four bytes, kind and port aside, are in more than one packet, at whatever place. */
static size_t runs_again(const struct heard *h)
{
    size_t again = 0;
    for (size_t a = 0; a < h->n; a++) {
        for (size_t b = a + 1; b < h->n; b++) {
            for (size_t i = 1; i + 4 <= BEACON_PACKET_BYTES - 2; i++)
                again += memmem(h->packet[b] + 1, BEACON_BYTES, h->packet[a] + i, 4) != NULL;
        }
    }
    return again;
}

static void two_hours_of_beacons_share_nothing_but_kind_and_port(void **state)
{
    (void)state;
    static struct heard h;
    struct clock virtual = {.wall_ms = passing_wall, .mono_ms = passing_mono};
    uint16_t udp = free_port();
    passed = 0;
    h.n = 0;
    real = virtual;
    struct discover *speaker = open_on("127.0.0.1", udp, 4711);
    struct discover *listener = open_on("127.0.0.1", udp, 4712);
    discover_member(speaker, secret, &one);
    listen_two_hours(speaker, listener, &h);
    assert_true(h.n >= LISTENED_MS / DISCOVER_EVERY_MS);
    assert_int_equal(runs_again(&h), 0);
    size_t differ = 0;
    for (size_t i = 1; i < h.n; i++) {
        assert_int_equal(h.packet[i][0], BEACON_MEMBER);
        assert_memory_equal(h.packet[i] + BEACON_PACKET_BYTES - 2, h.packet[0] + BEACON_PACKET_BYTES - 2, 2);
        assert_true(h.gap_ms[i] <= DISCOVER_EVERY_MS);
        differ += h.gap_ms[i] / 100 != h.gap_ms[i - 1] / 100;
    }
    assert_true(differ > h.n / 2); /* no rhythm of its own */
    discover_close(speaker);
    discover_close(listener);
}

static void garbage_from_one_address_is_dropped_in_bulk(void **state)
{
    (void)state;
    struct beacon b;
    uint16_t udp = free_port();
    struct discover *d = open_on("127.0.0.1", udp, 4711);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(udp)};
    uint8_t packet[BEACON_PACKET_BYTES] = {BEACON_MEMBER, [BEACON_PACKET_BYTES - 1] = 1};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size_t heard = 0;
    for (uint8_t i = 0; i < 200; i++) {
        packet[5] = i;
        (void)sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to));
        (void)discover_step(d);
        heard += discover_next(d, &b) ? 1 : 0;
    }
    assert_true(heard <= DISCOVER_PACKETS_MAX);
    (void)close(fd);
    discover_close(d);
}

#define T(f) cmocka_unit_test_setup(f, setup)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_member_recognises_a_member),
        T(a_beacon_changed_anywhere_is_nobodys),
        T(packets_of_other_sizes_and_kinds_are_dropped),
        T(two_beacons_of_a_device_have_nothing_in_common_but_the_port),
        T(beacons_are_heard),
        T(a_pairing_host_is_heard_while_its_code_is_shown),
        T(who_has_nothing_to_say_is_silent),
        T(announcements_keep_their_distance),
        T(two_hours_of_beacons_share_nothing_but_kind_and_port),
        T(garbage_from_one_address_is_dropped_in_bulk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
