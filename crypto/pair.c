/* Pairing. One function a state and side; each reads one message and writes at most one. */
#include "crypto/pair.h"

#include "base/check.h"
#include "crypto/hash.h"
#include "crypto/label.h"

#include <string.h>

#define VERSION 1
#define SUITE 1
#define NONCE_BYTES 16
#define QR_PREFIX "selfsame:"
#define CODES 100000000u

enum role { JOINER, HOST };

/* ---- codes */

void pair_code_make(struct pair_code *c, const struct rng *rng)
{
    uint64_t v; /* so wide that the remainder is even but for 2^-37 */
    *c = (struct pair_code){.has_digits = true, .has_qr = true};
    rng_fill(rng, &v, sizeof v);
    rng_fill(rng, c->qr, sizeof c->qr);
    v %= CODES;
    for (int i = PAIR_DIGITS - 1; i >= 0; i--) {
        c->digits[i] = (uint8_t)('0' + v % 10);
        v /= 10;
    }
    mem_wipe(&v, sizeof v);
}

static int bad_code(struct pair_code *c, struct err *e)
{
    pair_code_wipe(c);
    (void)err_set(e, ERR_USAGE, "not a pairing code");
    err_hint(e, "a code has 8 digits, like 4821-7309");
    return ERR_USAGE;
}

static int parse_digits(struct bytes text, struct pair_code *c, struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ' ' || text.p[i] == '-')
            continue;
        if (text.p[i] < '0' || text.p[i] > '9' || n == PAIR_DIGITS)
            return bad_code(c, e);
        c->digits[n++] = text.p[i];
    }
    c->has_digits = true;
    return n == PAIR_DIGITS ? 0 : bad_code(c, e);
}

int pair_code_parse(struct bytes text, struct pair_code *c, struct err *e)
{
    struct id id;
    *c = (struct pair_code){0};
    text = bytes_trim(text);
    if (!bytes_ieq(bytes_slice(text, 0, sizeof QR_PREFIX - 1), BYTES_LIT(QR_PREFIX)))
        return parse_digits(text, c, e);
    if (id_parse(bytes_slice(text, sizeof QR_PREFIX - 1, SIZE_MAX), &id))
        return bad_code(c, e);
    memcpy(c->qr, id.b, sizeof c->qr);
    c->has_qr = true;
    mem_wipe(&id, sizeof id);
    return 0;
}

void pair_code_words(const uint8_t sign_pk[SIGN_PK_BYTES], struct pair_code *c)
{
    uint8_t key[KEY_BYTES];
    *c = (struct pair_code){.has_words = true};
    key_derive(sign_pk, LABEL_WORDS_CODE, BYTES_NONE, key);
    memcpy(c->qr, key, sizeof c->qr);
    mem_wipe(key, sizeof key);
}

void pair_knock_words(const uint8_t sign_pk[SIGN_PK_BYTES], uint8_t secret[KEY_BYTES])
{
    key_derive(sign_pk, LABEL_WORDS_KNOCK, BYTES_NONE, secret);
}

void pair_code_digits(const struct pair_code *c, char out[PAIR_DIGITS_TEXT + 1])
{
    CHECK(c->has_digits);
    memcpy(out, c->digits, 4);
    out[4] = '-';
    memcpy(out + 5, c->digits + 4, 4);
    out[PAIR_DIGITS_TEXT] = 0;
}

void pair_code_qr(const struct pair_code *c, char out[PAIR_QR_TEXT + 1])
{
    struct id id;
    _Static_assert(sizeof id.b == PAIR_QR_SECRET_BYTES, "an id's text form carries the secret");
    CHECK(c->has_qr);
    memcpy(id.b, c->qr, sizeof id.b);
    memcpy(out, QR_PREFIX, sizeof QR_PREFIX - 1);
    id_text(&id, out + sizeof QR_PREFIX - 1);
    mem_wipe(&id, sizeof id);
}

void pair_code_wipe(struct pair_code *c)
{
    mem_wipe(c, sizeof *c);
}

/* ---- the run */

static void start(struct pair *p, const struct pair_self *self, const struct pair_code *code)
{
    *p = (struct pair){.keys = self->keys, .own_cert = self->cert, .code = *code};
    CHECK(self->cert.n > 0 && self->cert.n <= DEVICE_CERT_BYTES_MAX);
    CHECK(code->has_digits || code->has_qr || code->has_words);
}

void pair_host(struct pair *p, const struct pair_self *self, const struct pair_code *code)
{
    start(p, self, code);
}

void pair_join(struct pair *p, const struct pair_self *self, const struct pair_code *code)
{
    start(p, self, code);
    p->joiner = true;
    p->kind = code->has_words ? PAIR_BY_WORDS : code->has_qr ? PAIR_BY_QR : PAIR_BY_DIGITS;
}

void pair_wipe(struct pair *p)
{
    mem_wipe(p, sizeof *p);
    p->state = PAIR_FAILED;
}

/* One text for a wrong code and for an altered message: nobody can tell them apart. */
static int not_verified(struct err *e)
{
    (void)err_set(e, ERR_VERIFY, "the code does not match, or somebody interferes");
    err_hint(e, "check the code on the other device and try again");
    return ERR_VERIFY;
}

static void make_hello(struct pair *p, const struct rng *rng)
{
    enum role own = p->joiner ? JOINER : HOST;
    uint8_t *hello = p->hello[own];
    hello[0] = VERSION;
    hello[1] = SUITE;
    hello[2] = (uint8_t)(own + 1);
    hello[3] = (uint8_t)p->kind;
    rng_fill(rng, hello + 4, NONCE_BYTES);
}

/* The other's hello at the start of a message of n bytes in all. */
static int read_hello(struct pair *p, struct bytes in, size_t n, struct err *e)
{
    enum role other = p->joiner ? HOST : JOINER;
    if (in.n < PAIR_HELLO_BYTES || in.p[0] == 0 || in.p[1] == 0)
        return err_set(e, ERR_FORMAT, "not a pairing message");
    if (in.p[0] != VERSION || in.p[1] != SUITE)
        return err_set(e, ERR_VERSION, "the other device pairs by version %u, suite %u", in.p[0], in.p[1]);
    if (in.n != n || in.p[2] != other + 1)
        return err_set(e, ERR_FORMAT, "not a pairing message");
    memcpy(p->hello[other], in.p, PAIR_HELLO_BYTES);
    return 0;
}

/* The run's session id is fresh as long as one of the two nonces is. */
static void start_cpace(struct pair *p, const struct rng *rng)
{
    uint8_t prs[1 + PAIR_QR_SECRET_BYTES] = {(uint8_t)p->kind};
    struct hash sid;
    struct bytes parts[2] = {BYTES_LIT(LABEL_PAIR_SID), bytes_of(p->hello, sizeof p->hello)};
    struct cpace_input in = {.ci = BYTES_LIT(LABEL_PAIR_CHANNEL), .sid = bytes_of(sid.b, HASH_BYTES)};
    _Static_assert(PAIR_DIGITS <= PAIR_QR_SECRET_BYTES, "either code fits");
    if (p->kind != PAIR_BY_DIGITS) {
        memcpy(prs + 1, p->code.qr, PAIR_QR_SECRET_BYTES);
        in.prs = bytes_of(prs, 1 + PAIR_QR_SECRET_BYTES);
    } else {
        memcpy(prs + 1, p->code.digits, PAIR_DIGITS);
        in.prs = bytes_of(prs, 1 + PAIR_DIGITS);
    }
    hash_parts(&sid, parts, 2);
    cpace_start(&p->cpace, &in, rng);
    memcpy(p->share[p->joiner ? JOINER : HOST], p->cpace.share, CPACE_SHARE_BYTES);
    mem_wipe(prs, sizeof prs);
    pair_code_wipe(&p->code);
}

static void make_psk(uint8_t isk[CPACE_ISK_BYTES], uint8_t psk[KEY_BYTES])
{
    struct hasher h;
    hasher_init(&h, bytes_of(isk, CPACE_ISK_BYTES), KEY_BYTES);
    hasher_update(&h, BYTES_LIT(LABEL_PAIR_PSK));
    hasher_final(&h, psk, KEY_BYTES);
    mem_wipe(&h, sizeof h);
    mem_wipe(isk, CPACE_ISK_BYTES);
}

/* Once both shares are known: the psk, and the handshake with all that was said as its prologue. */
static int start_noise(struct pair *p, struct err *e)
{
    uint8_t isk[CPACE_ISK_BYTES];
    uint8_t psk[KEY_BYTES];
    uint8_t prologue[sizeof LABEL_PAIR_PROLOGUE - 1 + sizeof p->hello + sizeof p->share];
    uint8_t *to = prologue + sizeof LABEL_PAIR_PROLOGUE - 1;
    const struct cpace_side joiner = {p->share[JOINER], bytes_of(p->hello[JOINER], PAIR_HELLO_BYTES)};
    const struct cpace_side host = {p->share[HOST], bytes_of(p->hello[HOST], PAIR_HELLO_BYTES)};
    if (cpace_finish(&p->cpace, &joiner, &host, isk))
        return not_verified(e);
    make_psk(isk, psk);
    memcpy(prologue, LABEL_PAIR_PROLOGUE, sizeof LABEL_PAIR_PROLOGUE - 1);
    memcpy(to, p->hello, sizeof p->hello);
    memcpy(to + sizeof p->hello, p->share, sizeof p->share);
    noise_init(&p->noise, &(struct noise_setup){.protocol = &noise_xxpsk0,
                                                .initiator = p->joiner,
                                                .prologue = bytes_of(prologue, sizeof prologue),
                                                .own = &p->keys->noise,
                                                .psks = {psk}});
    mem_wipe(psk, sizeof psk);
    return 0;
}

/* Reads a handshake message; what it carries goes to `payload`, at most n bytes. */
static int read_noise(struct pair *p, struct bytes in, uint8_t *payload, size_t *n, struct err *e)
{
    struct buf b;
    int rc = secret_buf_init(&b, *n + NOISE_TAG_BYTES);
    if (rc)
        return err_set(e, rc, "pairing");
    rc = noise_read(&p->noise, in, &b);
    if (rc == 0 && b.n > *n)
        rc = ERR_VERIFY;
    if (rc == 0 && b.n > 0)
        memcpy(payload, b.p, b.n);
    *n = b.n;
    secret_buf_release(&b);
    if (rc == ERR_NOMEM)
        return err_set(e, rc, "pairing");
    return rc ? not_verified(e) : 0;
}

static int write_noise(struct pair *p, const struct rng *rng, struct bytes payload, struct buf *out,
                       struct err *e)
{
    int rc = noise_write(&p->noise, rng, payload, out);
    if (rc == ERR_VERIFY)
        return not_verified(e); /* the other's key is of low order */
    return rc ? err_set(e, rc, "pairing") : 0;
}

/* The certificate must name the very key that took part in the handshake. */
static int read_cert(struct pair *p, struct bytes in, struct err *e)
{
    int rc;
    p->other_n = sizeof p->other_bytes;
    rc = read_noise(p, in, p->other_bytes, &p->other_n, e);
    if (rc)
        return rc;
    rc = device_cert_open(bytes_of(p->other_bytes, p->other_n), &p->other, e);
    if (rc)
        return err_wrap(e, rc, "pairing");
    if (!secret_eq(p->other.noise_pk, noise_remote(&p->noise), KEY_BYTES))
        return err_set(e, ERR_VERIFY, "the other device's certificate is not its own");
    if (secret_eq(p->other.sign_pk, p->keys->sign.pk, SIGN_PK_BYTES))
        return err_set(e, ERR_EXISTS, "the other device has this device's keys");
    return 0;
}

static int joiner_hello(struct pair *p, const struct rng *rng, struct bytes in, struct buf *out,
                        struct err *e)
{
    if (in.n > 0)
        return err_set(e, ERR_FORMAT, "not a pairing message");
    make_hello(p, rng);
    p->state = PAIR_SHARE;
    return buf_append(out, p->hello[JOINER], PAIR_HELLO_BYTES) ? err_set(e, out->err, "pairing") : 0;
}

static int joiner_share(struct pair *p, const struct rng *rng, struct bytes in, struct buf *out,
                        struct err *e)
{
    int rc = read_hello(p, in, PAIR_HELLO_BYTES + CPACE_SHARE_BYTES, e);
    if (rc)
        return rc;
    if (p->hello[HOST][3] != p->kind)
        return err_set(e, ERR_FORMAT, "not a pairing message");
    memcpy(p->share[HOST], in.p + PAIR_HELLO_BYTES, CPACE_SHARE_BYTES);
    start_cpace(p, rng);
    rc = start_noise(p, e);
    if (rc)
        return rc;
    if (buf_append(out, p->share[JOINER], CPACE_SHARE_BYTES))
        return err_set(e, out->err, "pairing");
    p->state = PAIR_KNOCK;
    return write_noise(p, rng, BYTES_NONE, out, e);
}

static int joiner_knock(struct pair *p, const struct rng *rng, struct bytes in, struct buf *out,
                        struct err *e)
{
    int rc = read_cert(p, in, e);
    if (!rc)
        rc = write_noise(p, rng, p->own_cert, out, e);
    if (rc)
        return rc;
    CHECK(noise_split(&p->noise, &p->session) == 0);
    p->state = PAIR_CONFIRM;
    return 0;
}

static bool host_has(const struct pair *p, uint8_t kind)
{
    return (kind == PAIR_BY_DIGITS && p->code.has_digits) || (kind == PAIR_BY_QR && p->code.has_qr) ||
           (kind == PAIR_BY_WORDS && p->code.has_words);
}

static int host_hello(struct pair *p, const struct rng *rng, struct bytes in, struct buf *out, struct err *e)
{
    int rc = read_hello(p, in, PAIR_HELLO_BYTES, e);
    if (rc)
        return rc;
    if (!host_has(p, p->hello[JOINER][3]))
        return err_set(e, ERR_FORMAT, "not a pairing message");
    p->kind = (enum pair_kind)p->hello[JOINER][3];
    make_hello(p, rng);
    start_cpace(p, rng);
    p->state = PAIR_SHARE;
    (void)buf_append(out, p->hello[HOST], PAIR_HELLO_BYTES);
    return buf_append(out, p->share[HOST], CPACE_SHARE_BYTES) ? err_set(e, out->err, "pairing") : 0;
}

static int host_share(struct pair *p, const struct rng *rng, struct bytes in, struct buf *out, struct err *e)
{
    size_t none = 0;
    int rc;
    if (in.n != CPACE_SHARE_BYTES + KEY_BYTES + NOISE_TAG_BYTES)
        return err_set(e, ERR_FORMAT, "not a pairing message");
    memcpy(p->share[JOINER], in.p, CPACE_SHARE_BYTES);
    rc = start_noise(p, e);
    if (!rc)
        rc = read_noise(p, bytes_slice(in, CPACE_SHARE_BYTES, SIZE_MAX), NULL, &none, e);
    if (!rc)
        rc = write_noise(p, rng, p->own_cert, out, e);
    if (!rc)
        p->state = PAIR_CERT;
    return rc;
}

static int host_cert(struct pair *p, struct bytes in, struct err *e)
{
    int rc = read_cert(p, in, e);
    if (rc)
        return rc;
    CHECK(noise_split(&p->noise, &p->session) == 0);
    p->state = PAIR_CONFIRM;
    return 0;
}

/* Keeps keys no longer than somebody may need them. */
static void settle(struct pair *p)
{
    if (p->state == PAIR_REFUSED) {
        pair_wipe(p);
        p->state = PAIR_REFUSED;
    } else if (p->own_yes && p->other_yes) {
        p->state = PAIR_DONE;
    }
}

static int other_answer(struct pair *p, struct bytes in, struct err *e)
{
    struct buf b;
    uint8_t answer = 0;
    int rc = secret_buf_init(&b, 1 + NOISE_TAG_BYTES);
    if (rc)
        return err_set(e, rc, "pairing");
    rc = in.n == 1 + NOISE_TAG_BYTES && !p->other_yes ? noise_open(&p->session, BYTES_NONE, in, &b)
                                                      : ERR_VERIFY;
    if (!rc)
        answer = b.p[0];
    buf_release(&b);
    if (rc || answer > 1)
        return not_verified(e);
    p->other_yes = answer == 1;
    if (!p->other_yes)
        p->state = PAIR_REFUSED;
    settle(p);
    return 0;
}

int pair_answer(struct pair *p, bool yes, struct buf *out, struct err *e)
{
    uint8_t answer = yes;
    int rc;
    CHECK(p->state == PAIR_CONFIRM && !p->own_yes);
    rc = noise_seal(&p->session, BYTES_NONE, bytes_of(&answer, 1), out);
    if (rc) {
        pair_wipe(p);
        return err_set(e, rc, "pairing");
    }
    p->own_yes = yes;
    if (!yes)
        p->state = PAIR_REFUSED;
    settle(p);
    return 0;
}

static int step(struct pair *p, const struct rng *rng, struct bytes in, struct buf *out, struct err *e)
{
    switch (p->state) {
    case PAIR_HELLO:
        return p->joiner ? joiner_hello(p, rng, in, out, e) : host_hello(p, rng, in, out, e);
    case PAIR_SHARE:
        return p->joiner ? joiner_share(p, rng, in, out, e) : host_share(p, rng, in, out, e);
    case PAIR_KNOCK:
        return joiner_knock(p, rng, in, out, e);
    case PAIR_CERT:
        return host_cert(p, in, e);
    case PAIR_CONFIRM:
        return other_answer(p, in, e);
    case PAIR_DONE:
    case PAIR_REFUSED:
    case PAIR_FAILED:
        break;
    }
    return err_set(e, ERR_VERIFY, "pairing has ended");
}

int pair_step(struct pair *p, const struct rng *rng, struct bytes in, struct buf *out, struct err *e)
{
    size_t from = out->n;
    int rc = step(p, rng, in, out, e);
    if (rc) {
        out->n = from;
        pair_wipe(p);
    }
    return rc;
}

struct bytes pair_other_cert(const struct pair *p)
{
    bool known = p->state == PAIR_CONFIRM || p->state == PAIR_DONE;
    return known ? bytes_of(p->other_bytes, p->other_n) : BYTES_NONE;
}

void pair_take_session(struct pair *p, struct noise_session *out)
{
    CHECK(p->state == PAIR_DONE && !p->session.failed);
    *out = p->session;
    noise_session_wipe(&p->session);
}
