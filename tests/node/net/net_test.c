/* Nodes that meet over TCP: pairing, sessions, strangers. */
#include "node/net/net.h"

#include "base/time.h"
#include "node/net/addr.h"
#include "node/words.h"
#include "tests/node/net/nodes.h"
#include "tests/support/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct nodes s;
static const char *awaited;

static int setup(void **state)
{
    (void)state;
    nodes_init(&s, 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nodes_release(&s);
    return 0;
}

static bool pair_connected_01(struct nodes *n)
{
    return nodes_connected(n, 0, 1);
}

static bool all_connected(struct nodes *n)
{
    return nodes_connected(n, 0, 1) && nodes_connected(n, 0, 2) && nodes_connected(n, 1, 2);
}

static bool one_knows(struct nodes *n)
{
    return nodes_knows(n, 1, awaited);
}

static bool two_knows(struct nodes *n)
{
    return nodes_knows(n, 2, awaited);
}

/* A UDP port that nobody has now. */
static uint16_t free_udp_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    (void)close(fd);
    return ntohs(in.sin_port);
}

static uint16_t port_of(size_t i)
{
    char host[ADDR_HOST_BYTES];
    uint16_t port;
    assert_int_equal(addr_split(nodes_address(&s, i), host, &port, NULL), 0);
    return port;
}

/* A stranger's connection: non-blocking, maybe not yet made. -1 when the system has no more. */
static int stranger(size_t i)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port_of(i))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof(in)) != 0 && errno != EINPROGRESS) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Steps the nodes until the stranger's connection is over; how many bytes it got. */
static ssize_t stranger_gets(int fd)
{
    char answer[64];
    ssize_t total = 0;
    int64_t until = nodes_now() + NODES_PATIENCE_MS;
    while (nodes_now() < until) {
        nodes_step(&s, 20);
        ssize_t n = read(fd, answer, sizeof(answer));
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            return total;
        }
        total += n > 0 ? n : 0;
    }
    return -1;
}

/* ---- meeting */

static void paired_nodes_meet_and_share(void **state)
{
    (void)state;
    nodes_start(&s, 0, NULL, NULL);
    nodes_start(&s, 1, NULL, nodes_address(&s, 0));
    nodes_tell(&s, 0, "prefers plain-text mail");
    nodes_pair(&s, 0, 1, true);
    assert_true(nodes_until(&s, pair_connected_01));
    awaited = "prefers plain-text mail";
    assert_true(nodes_until(&s, one_knows));
    nodes_tell(&s, 0, "works in Porto");
    awaited = "works in Porto";
    assert_true(nodes_until(&s, one_knows));
}

static void ipv6_works_as_well(void **state)
{
    (void)state;
    nodes_start(&s, 0, "[::1]:0", NULL);
    nodes_start(&s, 1, "[::1]:0", nodes_address(&s, 0));
    nodes_pair(&s, 0, 1, true);
    assert_true(nodes_until(&s, pair_connected_01));
}

static void discovery_finds_the_host_and_then_the_members(void **state)
{
    (void)state;
    uint16_t udp = free_udp_port();
    for (size_t i = 0; i < 3; i++) {
        nodes_start_found(&s, i, udp);
    }
    nodes_pair(&s, 0, 1, false);
    nodes_pair(&s, 1, 2, false);
    assert_true(nodes_until(&s, all_connected));
}

static bool recovered(struct nodes *all)
{
    struct pairing_view v;
    net_dial_all(all->node[0].n->net); /* announces it, too: not to wait for the next beacon */
    pairing_view(all->node[2].n->pairing, &v);
    return v.phase == PAIRING_DONE && nodes_knows(all, 2, "said by the first");
}

static void recovery_words_find_a_device_by_discovery(void **state)
{
    struct err e = ERR_INIT;
    uint8_t words[RECOVERY_BYTES];
    (void)state;
    uint16_t udp = free_udp_port();
    for (size_t i = 0; i < 3; i++) {
        nodes_start_found(&s, i, udp);
    }
    nodes_tell(&s, 0, "said by the first");
    nodes_pair(&s, 0, 1, true);
    assert_int_equal(words_make(s.node[0].n, words, &e), 0);
    assert_int_equal(words_install(s.node[0].n, words, &e), 0);
    nodes_stop(&s, 1); /* lost */
    assert_int_equal(pairing_recover(s.node[2].n->pairing, words, NULL, &e), 0);
    assert_true(nodes_until(&s, recovered));
    assert_false(words_are_there(s.node[2].n));
}

static void what_one_brings_goes_on_to_the_others(void **state)
{
    (void)state;
    nodes_start(&s, 1, NULL, NULL);
    nodes_start(&s, 0, NULL, nodes_address(&s, 1));
    nodes_start(&s, 2, NULL, nodes_address(&s, 1));
    nodes_pair(&s, 1, 0, true);
    nodes_pair(&s, 1, 2, true);
    nodes_tell(&s, 0, "reads two newspapers");
    awaited = "reads two newspapers";
    assert_true(nodes_until(&s, two_knows));
}

static void crossing_connections_leave_one_that_lives(void **state)
{
    (void)state;
    nodes_start(&s, 0, NULL, NULL);
    nodes_start(&s, 1, NULL, nodes_address(&s, 0));
    nodes_pair(&s, 0, 1, true);
    assert_true(nodes_until(&s, pair_connected_01));
    char first[ADDR_TEXT];
    (void)snprintf(first, sizeof(first), "%s", nodes_address(&s, 0));
    for (int i = 0; i < 3; i++) {
        nodes_stop(&s, 0);
        nodes_stop(&s, 1);
        nodes_start(&s, 0, first, NULL);
        nodes_start(&s, 1, NULL, first);
        char second[ADDR_TEXT];
        (void)snprintf(second, sizeof(second), "%s", nodes_address(&s, 1));
        nodes_stop(&s, 0);
        nodes_start(&s, 0, first, second); /* both dial each other now */
        assert_true(nodes_until(&s, pair_connected_01));
        nodes_for(&s, 300);
        assert_true(nodes_until(&s, pair_connected_01));
    }
}

static void a_node_that_comes_back_is_met_again(void **state)
{
    (void)state;
    char address[ADDR_TEXT];
    nodes_start(&s, 0, NULL, NULL);
    nodes_start(&s, 1, NULL, nodes_address(&s, 0));
    (void)snprintf(address, sizeof(address), "%s", nodes_address(&s, 0));
    nodes_pair(&s, 0, 1, true);
    assert_true(nodes_until(&s, pair_connected_01));
    nodes_stop(&s, 0);
    nodes_for(&s, 1500);
    nodes_start(&s, 0, address, NULL);
    assert_true(nodes_until(&s, pair_connected_01));
}

/* Paired by address, without discovery or --peer: the joiner remembers where the host was. */
static void where_a_device_was_met_is_remembered(void **state)
{
    (void)state;
    char address[ADDR_TEXT];
    nodes_start(&s, 0, NULL, NULL);
    nodes_start(&s, 1, NULL, NULL);
    (void)snprintf(address, sizeof(address), "%s", nodes_address(&s, 0));
    nodes_pair(&s, 0, 1, true);
    assert_true(nodes_until(&s, pair_connected_01));
    nodes_stop(&s, 0);
    nodes_stop(&s, 1);
    nodes_start(&s, 0, address, NULL);
    nodes_start(&s, 1, NULL, NULL);
    assert_true(nodes_until(&s, pair_connected_01));
}

static bool both_know_of_the_twin(struct nodes *n)
{
    return n->node[0].n->cloned && n->node[2].n->cloned;
}

static void two_machines_with_one_key_find_out(void **state)
{
    (void)state;
    uint16_t udp = free_udp_port();
    nodes_start_found(&s, 0, udp);
    nodes_start_found(&s, 1, udp);
    nodes_pair(&s, 0, 1, false);
    nodes_stop(&s, 1); /* nobody else is there to tell them */
    nodes_clone(&s, 0, 2);
    nodes_start_found(&s, 0, udp);
    nodes_start_found(&s, 2, udp);
    assert_true(nodes_until(&s, both_know_of_the_twin));
}

static void a_node_that_hears_itself_is_no_twin(void **state)
{
    (void)state;
    uint16_t udp = free_udp_port();
    nodes_start_found(&s, 0, udp);
    nodes_start_found(&s, 1, udp);
    nodes_pair(&s, 0, 1, false);
    assert_true(nodes_until(&s, pair_connected_01));
    nodes_for(&s, 3000);
    assert_false(s.node[0].n->cloned || s.node[1].n->cloned);
    assert_true(pair_connected_01(&s));
}

static bool connected_02(struct nodes *n)
{
    return nodes_connected(n, 0, 2);
}

/* The first message of a device that may not be known yet brings records, up to the size of a message. */
static void a_long_introduction_arrives(void **state)
{
    (void)state;
    struct node *n = s.node[0].n;
    char name[DEVICE_NAME_BYTES + 1];
    nodes_start(&s, 0, NULL, NULL);
    nodes_start(&s, 1, NULL, NULL);
    nodes_start(&s, 2, NULL, NULL);
    nodes_pair(&s, 0, 1, true);
    for (int i = 0; i < 400; i++) {
        struct err e = ERR_INIT;
        (void)snprintf(name, sizeof(name), "a device that is called by a long name %d", i);
        assert_int_equal(group_rename(n->group, &n->home.device, bytes_str(name), 1000 + i, &e), 0);
    }
    n->regrouped = true;
    nodes_pair(&s, 0, 2, true);
    assert_true(nodes_until(&s, connected_02));
}

/* ---- strangers */

static void strangers_get_not_one_byte(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
    } first[] = {
        {"GET / HTTP/1.0\r\n\r\n", 18},
        {"\0\1S", 3},
        {"\0\1P", 3},
        {"\0\4Pabc", 6}, /* no code is shown */
        {"\0\1X", 3},
        {"\0\0", 2},
        {"\0\x20S0123456789abcdef0123456789abcde", 34},
        {"\0\x31S0123456789abcdef0123456789abcdef0123456789abcdef", 51},
        {"\xff\xff", 2},
    };
    nodes_start(&s, 0, NULL, NULL);
    nodes_start(&s, 1, NULL, nodes_address(&s, 0));
    nodes_pair(&s, 0, 1, true);
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        int fd = stranger(0);
        assert_true(fd >= 0);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        assert_int_equal(poll(&p, 1, 1000), 1);
        assert_int_equal(write(fd, first[i].p, first[i].n), (ssize_t)first[i].n);
        assert_int_equal(stranger_gets(fd), 0);
        (void)close(fd);
    }
}

static void a_silent_stranger_is_closed_in_time(void **state)
{
    (void)state;
    nodes_start(&s, 0, NULL, NULL);
    int fd = stranger(0);
    int64_t from = nodes_now();
    assert_int_equal(stranger_gets(fd), 0);
    assert_true(nodes_now() - from <= SYNC_HANDSHAKE_MS + 2000);
    (void)close(fd);
}

/* 10 000 connections, half of them silent, half with garbage, from the address of the members themselves. */
static void a_flood_does_not_keep_members_out(void **state)
{
    (void)state;
    static int open_fds[200];
    size_t at = 0, made = 0;
    int64_t met_ms = 0;
    nodes_start(&s, 0, NULL, NULL);
    nodes_start(&s, 1, NULL, nodes_address(&s, 0));
    nodes_pair(&s, 0, 1, true);
    assert_true(nodes_until(&s, pair_connected_01));
    nodes_stop(&s, 1);
    memset(open_fds, -1, sizeof(open_fds));
    for (size_t i = 0; i < 10000; i++) {
        if (i == 2000) {
            nodes_start(&s, 1, NULL, nodes_address(&s, 0)); /* in the middle of it */
        }
        if (open_fds[at] >= 0) {
            (void)close(open_fds[at]);
        }
        open_fds[at] = stranger(0);
        made += open_fds[at] >= 0 ? 1 : 0;
        if (open_fds[at] >= 0 && i % 2 == 0) {
            (void)!write(open_fds[at], "\0\x40Sgarbage", 10);
        }
        at = (at + 1) % 200;
        if (i % 4 == 0) {
            nodes_step(&s, 0);
        }
        if (i > 2000 && met_ms == 0 && i % 100 == 0 && nodes_connected(&s, 0, 1)) {
            met_ms = nodes_now();
            nodes_tell(&s, 1, "told in the flood");
        }
    }
    awaited = "told in the flood";
    print_message("%zu connections made; met during the flood: %s\n", made, met_ms != 0 ? "yes" : "no");
    assert_true(made > 5000);
    assert_true(nodes_until(&s, pair_connected_01));
    if (met_ms == 0) {
        nodes_tell(&s, 0, awaited);
    }
    assert_true(nodes_until(&s, one_knows));
    for (size_t i = 0; i < 200; i++) {
        if (open_fds[i] >= 0) {
            (void)close(open_fds[i]);
        }
    }
}

/* ---- options */

static void a_port_in_use_is_said(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct net *t = NULL;
    nodes_start(&s, 0, NULL, NULL);
    const struct net_options o = {.listen = nodes_address(&s, 0)};
    assert_int_equal(net_open(&t, s.node[1].n, &o, &e), ERR_INUSE);
    const struct net_options bad = {.listen = "nonsense"};
    assert_int_equal(net_open(&t, s.node[1].n, &bad, &e), ERR_USAGE);
    const struct net_options bad_peer = {.listen = "127.0.0.1:0", .peers = {"nonsense"}, .n_peers = 1};
    assert_int_equal(net_open(&t, s.node[1].n, &bad_peer, &e), ERR_USAGE);
}

static void a_node_alone_rests(void **state)
{
    (void)state;
    nodes_start(&s, 0, NULL, NULL);
    (void)net_step(s.node[0].n->net);
    assert_int_equal(net_step(s.node[0].n->net), TIME_NONE);
    struct pollfd fd = {.fd = net_fd(s.node[0].n->net), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 200), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(paired_nodes_meet_and_share),
        T(ipv6_works_as_well),
        T(discovery_finds_the_host_and_then_the_members),
        T(recovery_words_find_a_device_by_discovery),
        T(what_one_brings_goes_on_to_the_others),
        T(crossing_connections_leave_one_that_lives),
        T(a_node_that_comes_back_is_met_again),
        T(where_a_device_was_met_is_remembered),
        T(two_machines_with_one_key_find_out),
        T(a_node_that_hears_itself_is_no_twin),
        T(a_long_introduction_arrives),
        T(strangers_get_not_one_byte),
        T(a_silent_stranger_is_closed_in_time),
        T(a_flood_does_not_keep_members_out),
        T(a_port_in_use_is_said),
        T(a_node_alone_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
