#include "node/net/strangers.h"

#include "tests/support/unit.h"

static struct addr at(const char *host)
{
    struct addr a;
    assert_true(addr_from_host(&a, host));
    return a;
}

static void a_burst_is_let_in_and_no_more(void **state)
{
    (void)state;
    static struct strangers t;
    t = (struct strangers){0};
    struct addr a = at("192.0.2.1");
    struct addr b = at("192.0.2.2");
    for (int i = 0; i < STRANGERS_BURST; i++) {
        assert_false(strangers_over(&t, &a, 1000));
    }
    assert_true(strangers_over(&t, &a, 1000));
    assert_false(strangers_over(&t, &b, 1000));
    assert_false(strangers_over(&t, &a, 1000 + STRANGERS_REFILL_MS));
    assert_true(strangers_over(&t, &a, 1000 + STRANGERS_REFILL_MS));
}

static void a_member_gives_its_address_everything_back(void **state)
{
    (void)state;
    static struct strangers t;
    t = (struct strangers){0};
    struct addr a = at("192.0.2.1");
    for (int i = 0; i <= STRANGERS_BURST; i++) {
        (void)strangers_over(&t, &a, 1000);
    }
    strangers_forgive(&t, &a);
    for (int i = 0; i < STRANGERS_BURST; i++) {
        assert_false(strangers_over(&t, &a, 1000));
    }
    assert_true(strangers_over(&t, &a, 1000));
}

static void ipv6_counts_by_network(void **state)
{
    (void)state;
    static struct strangers t;
    t = (struct strangers){0};
    struct addr a = at("2001:db8:1:2::1");
    struct addr b = at("2001:db8:1:2:ffff::9");
    struct addr c = at("2001:db8:1:3::1");
    for (int i = 0; i < STRANGERS_BURST; i++) {
        (void)strangers_over(&t, &a, 5);
    }
    assert_true(strangers_over(&t, &b, 5));
    assert_false(strangers_over(&t, &c, 5));
}

static void thousands_of_addresses_fit_a_table_of_fixed_size(void **state)
{
    (void)state;
    static struct strangers t;
    t = (struct strangers){0};
    for (uint32_t i = 1; i <= 5000; i++) {
        struct addr a = at("10.0.0.0");
        a.ip[14] = (uint8_t)(i >> 8);
        a.ip[15] = (uint8_t)i;
        assert_false(strangers_over(&t, &a, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_let_in_and_no_more),
        cmocka_unit_test(a_member_gives_its_address_everything_back),
        cmocka_unit_test(ipv6_counts_by_network),
        cmocka_unit_test(thousands_of_addresses_fit_a_table_of_fixed_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
