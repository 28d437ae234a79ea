#include "node/net/addr.h"

#include "tests/support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void addresses_are_split_and_joined(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:21736", "127.0.0.1", 21736},
        {"[::1]:0", "::1", 0},
        {"[fe80::1%eth0]:9", "fe80::1%eth0", 9},
        {"my-laptop.lan:65535", "my-laptop.lan", 65535},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char host[ADDR_HOST_BYTES];
        char text[ADDR_TEXT];
        uint16_t port = 1;
        struct err e = ERR_INIT;
        assert_int_equal(addr_split(good[i].text, host, &port, &e), 0);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
        addr_join(host, port, text);
        assert_string_equal(text, good[i].text);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         ":",     "host",    "host:",       ":80",    "host:65536", "host:x",      "host:-1",
        "host: 80", "[::1]", "[::1]80", "::1:80",      "a/b:80", "a@b:80",     "host:000080", "[::1:80",
        "::1]:80",  "[]:80", "a b:80",  "a\x01.lan:1", "#:1",    "[::1]x:80",  "host:80\n",   "?:1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char host[ADDR_HOST_BYTES];
        uint16_t port;
        struct err e = ERR_INIT;
        assert_int_equal(addr_split(bad[i], host, &port, &e), ERR_USAGE);
        assert_true(e.hint[0] != '\0');
    }
}

static void a_host_longer_than_names_can_be_is_refused(void **state)
{
    (void)state;
    char text[400];
    char host[ADDR_HOST_BYTES];
    uint16_t port;
    memset(text, 'a', sizeof(text));
    memcpy(text + 300, ":80", 4);
    assert_int_equal(addr_split(text, host, &port, NULL), ERR_USAGE);
    memcpy(text + ADDR_HOST_BYTES - 1, ":80", 4);
    assert_int_equal(addr_split(text, host, &port, NULL), 0);
}

static void ipv4_is_the_same_whichever_socket_saw_it(void **state)
{
    (void)state;
    struct addr a, b;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr), 1);
    assert_true(addr_from_socket(&a, (struct sockaddr *)&in));
    assert_true(addr_from_socket(&b, (struct sockaddr *)&in6));
    assert_true(addr_eq(&a, &b));
    char text[ADDR_TEXT];
    addr_text(&b, text);
    assert_string_equal(text, "192.0.2.7:80");
}

static void link_local_addresses_keep_their_interface(void **state)
{
    (void)state;
    struct addr a, b;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_scope_id = 4};
    char text[ADDR_TEXT];
    char host[ADDR_HOST_BYTES];
    uint16_t port;
    assert_int_equal(inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr), 1);
    assert_true(addr_from_socket(&a, (struct sockaddr *)&in6));
    addr_text(&a, text);
    assert_string_equal(text, "[fe80::1%4]:80");
    assert_int_equal(addr_split(text, host, &port, NULL), 0);
    assert_true(addr_from_host(&b, host));
    assert_true(addr_same_ip(&a, &b));
}

static void loopback_and_any_are_known(void **state)
{
    (void)state;
    struct addr a;
    assert_true(addr_from_host(&a, "127.3.2.1") && addr_is_loopback(&a) && !addr_is_any(&a));
    assert_true(addr_from_host(&a, "::1") && addr_is_loopback(&a) && !addr_is_any(&a));
    assert_true(addr_from_host(&a, "0.0.0.0") && addr_is_any(&a) && !addr_is_loopback(&a));
    assert_true(addr_from_host(&a, "::") && addr_is_any(&a));
    assert_true(addr_from_host(&a, "192.0.2.1") && !addr_is_any(&a) && !addr_is_loopback(&a));
    assert_false(addr_from_host(&a, "laptop.lan"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_split_and_joined),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_host_longer_than_names_can_be_is_refused),
        cmocka_unit_test(ipv4_is_the_same_whichever_socket_saw_it),
        cmocka_unit_test(link_local_addresses_keep_their_interface),
        cmocka_unit_test(loopback_and_any_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
