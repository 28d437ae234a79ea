/* Short texts that people type and datagrams that strangers send. The first byte chooses; the rest is what is
 * read: 0  a line of a file of told sentences (JSON or plain) 1  the value of each setting, and a name of one
 *   2  rules of the audit, lines of `share`
 *   3  recovery words and codes of pairing
 *   4  a beacon
 *   5  HOST:PORT */
#include "base/check.h"
#include "base/text.h"
#include "crypto/pair.h"
#include "crypto/words.h"
#include "node/config.h"
#include "node/model/tell.h"
#include "node/net/discover.h"
#include "node/share.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_tell(struct bytes in)
{
    struct told_line l;
    struct err e = ERR_INIT;
    char field[64] = "";
    if (tell_line_parse(in, &l, field, &e) != 0) {
        CHECK(e.code != 0 && e.text[0] != '\0' && memchr(field, 0, sizeof field) != NULL);
    } else {
        CHECK(l.told.confidence >= 0 && l.told.confidence <= 10 && l.told.decay >= 0 && l.told.decay <= 10);
        CHECK(l.told.pinned >= -1 && l.told.pinned <= 1);
    }
    tell_line_free(&l);
}

static void try_settings(struct bytes in)
{
    const struct setting *found;
    struct err e = ERR_INIT;
    for (const struct setting *k = settings; k->key != NULL; k++) {
        e = ERR_INIT;
        if (k->check != NULL && k->check(in, &e) != 0)
            CHECK(e.code != 0 && e.text[0] != '\0');
    }
    e = ERR_INIT;
    if (setting_find(in, &found, &e) == 0)
        CHECK(bytes_eq(in, bytes_str(found->key)));
    else
        CHECK(e.code == ERR_NOTFOUND);
}

static void try_rules(struct bytes in)
{
    struct audit *a = NULL;
    struct err e = ERR_INIT;
    if (audit_new(&a, in, REDACT_DEFAULT, &e) == 0)
        audit_free(a);
    else
        CHECK(a == NULL && e.code != 0);
    (void)!audit_rule_check(in, NULL);
    enum share_level level = share_level_of(in, BYTES_LIT("firefox"));
    CHECK(level == SHARE_NOTHING || level == SHARE_COUNTS || level == SHARE_TEXT);
    (void)!share_check(in, NULL);
}

static void try_words(struct bytes in)
{
    uint8_t secret[RECOVERY_BYTES];
    struct pair_code c;
    int n = word_find(in);
    CHECK(n == -1 || (n >= 0 && n < WORDS_COUNT && bytes_ieq(in, bytes_str(word_at((unsigned)n)))));
    if (recovery_parse(in, secret, NULL) != 0)
        CHECK(secret_is_zero(secret, sizeof secret));
    if (pair_code_parse(in, &c, NULL) == 0)
        CHECK(c.has_digits != c.has_qr);
}

static void try_net(struct bytes in)
{
    static const uint8_t key[KEY_BYTES] = {1};
    static const struct id device = {{2}};
    struct addr from = {0};
    struct beacon b;
    uint8_t again[BEACON_PACKET_BYTES];
    if (beacon_unpack(&b, in, &from)) {
        beacon_pack(&b, again);
        CHECK(bytes_eq(in, bytes_of(again, sizeof again)));
        CHECK(!beacon_is_of(&b, key, &device, 0));
    }
}

static void try_address(struct bytes in)
{
    char text[ADDR_TEXT], host[ADDR_HOST_BYTES], again[ADDR_HOST_BYTES];
    uint16_t port, same;
    (void)snprintf(text, sizeof text, "%.*s", (int)(in.n < sizeof text ? in.n : sizeof text),
                   (const char *)in.p);
    if (addr_split(text, host, &port, NULL) == 0) {
        struct addr a;
        addr_join(host, port, text);
        CHECK(addr_split(text, again, &same, NULL) == 0 && same == port && strcmp(host, again) == 0);
        if (addr_from_host(&a, host)) {
            addr_text(&a, text);
            CHECK(strlen(text) > 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct bytes in) = {try_tell,  try_settings, try_rules,
                                                     try_words, try_net,      try_address};
    if (size > 0)
        tries[data[0] % (sizeof tries / sizeof *tries)](bytes_of(data + 1, size - 1));
    return 0;
}
