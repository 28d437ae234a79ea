/* Noise: the symmetric state, the handshake read off its pattern, and the transport ciphers.
 *
 * Invariants:
 *   1. state NOISE_FAILED means that everything else in struct noise is zero;
 *   2. the pattern text drives both reading and writing: `next` points at the first token that is still to
 * come;
 *   3. what a message appended to a buffer is taken back when the message fails.
 *
 * HMAC here is the one of RFC 2104 over the protocol's hash, as the framework demands; BLAKE2b's own keyed
 * mode gives other values.
 */
#include "crypto/noise.h"

#include "base/check.h"
#include "base/cursor.h"
#include "crypto/hash.h"

#include <sodium.h>
#include <string.h>

#define BLOCK_MAX 128

/* ---- hashes */

static void blake2b_digest(const struct bytes *parts, size_t n_parts, uint8_t *out)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, 64);
    for (size_t i = 0; i < n_parts; i++)
        hasher_update(&h, parts[i]);
    hasher_final(&h, out, 64);
    mem_wipe(&h, sizeof h);
}

const struct noise_hash noise_blake2b = {64, 128, blake2b_digest};

const struct noise_protocol noise_ik = {
    "Noise_IK_25519_ChaChaPoly_BLAKE2b", "", "s", "e es s ss,e ee se", &noise_blake2b,
};
const struct noise_protocol noise_xx = {
    "Noise_XX_25519_ChaChaPoly_BLAKE2b", "", "", "e,e ee s es,s se", &noise_blake2b,
};
const struct noise_protocol noise_xxpsk0 = {
    "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2b", "", "", "psk e,e ee s es,s se", &noise_blake2b,
};

/* HMAC(key, data ‖ byte), where byte is left out when 0. The key has the hash's length. */
static void hmac(const struct noise_hash *hash, const uint8_t *key, struct bytes data, uint8_t byte,
                 uint8_t *out)
{
    uint8_t pad[BLOCK_MAX] = {0};
    uint8_t inner[NOISE_HASH_BYTES] = {0};
    struct bytes parts[3] = {bytes_of(pad, hash->block), data, bytes_of(&byte, byte ? 1 : 0)};
    CHECK(hash->block <= BLOCK_MAX && hash->len <= NOISE_HASH_BYTES);
    memcpy(pad, key, hash->len);
    for (size_t i = 0; i < hash->block; i++)
        pad[i] ^= 0x36;
    hash->digest(parts, 3, inner);
    for (size_t i = 0; i < hash->block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    parts[1] = bytes_of(inner, hash->len);
    hash->digest(parts, 2, out);
    mem_wipe(pad, sizeof pad);
    mem_wipe(inner, sizeof inner);
}

/* HKDF of the framework: n outputs (2 or 3) of the hash's length each, written to out[]. */
static void hkdf(const struct noise_hash *hash, const uint8_t *ck, struct bytes input, uint8_t out[][64],
                 int n)
{
    uint8_t temp[NOISE_HASH_BYTES] = {0};
    uint8_t none = 0;
    struct bytes previous = bytes_of(&none, 0);
    hmac(hash, ck, input, 0, temp);
    for (int i = 0; i < n; i++) {
        hmac(hash, temp, previous, (uint8_t)(i + 1), out[i]);
        previous = bytes_of(out[i], hash->len);
    }
    mem_wipe(temp, sizeof temp);
}

/* ---- cipher state */

static void cipher_key(struct noise_cipher *c, const uint8_t *k)
{
    memcpy(c->k, k, KEY_BYTES);
    c->n = 0;
    c->on = true;
}

/* Four zero bytes, then n, least significant byte first. */
static void cipher_nonce(uint64_t n, uint8_t nonce[12])
{
    memset(nonce, 0, 12);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(n >> (8 * i));
}

static int cipher_encrypt(struct noise_cipher *c, struct bytes ad, struct bytes plain, struct buf *out)
{
    uint8_t nonce[12];
    uint8_t *to;
    if (!c->on)
        return buf_bytes(out, plain);
    to = buf_extend(out, plain.n + NOISE_TAG_BYTES);
    if (!to)
        return out->err;
    cipher_nonce(c->n++, nonce);
    CHECK(crypto_aead_chacha20poly1305_ietf_encrypt(to, NULL, plain.p, plain.n, ad.p, ad.n, NULL, nonce,
                                                    c->k) == 0);
    return 0;
}

static int cipher_decrypt(struct noise_cipher *c, struct bytes ad, struct bytes sealed, struct buf *out)
{
    uint8_t nonce[12];
    size_t from = out->n;
    uint8_t *to;
    if (!c->on)
        return buf_bytes(out, sealed);
    if (sealed.n < NOISE_TAG_BYTES)
        return ERR_VERIFY;
    to = buf_extend(out, sealed.n - NOISE_TAG_BYTES);
    if (!to && out->err)
        return out->err;
    cipher_nonce(c->n, nonce);
    int rc = crypto_aead_chacha20poly1305_ietf_decrypt(to, NULL, NULL, sealed.p, sealed.n, ad.p, ad.n, nonce,
                                                       c->k);
    SECRET_PUBLIC(&rc, sizeof rc); /* whether it opens: the session ends when not */
    if (rc != 0) {
        out->n = from;
        return ERR_VERIFY;
    }
    c->n++;
    return 0;
}

/* ---- symmetric state */

static void mix_hash(struct noise *h, struct bytes data)
{
    struct bytes parts[2] = {bytes_of(h->h, h->protocol->hash->len), data};
    uint8_t out[NOISE_HASH_BYTES] = {0};
    h->protocol->hash->digest(parts, 2, out);
    memcpy(h->h, out, sizeof out);
}

static void mix_key(struct noise *h, struct bytes input)
{
    uint8_t out[2][64] = {{0}};
    hkdf(h->protocol->hash, h->ck, input, out, 2);
    memcpy(h->ck, out[0], sizeof out[0]);
    cipher_key(&h->cipher, out[1]);
    mem_wipe(out, sizeof out);
}

static void mix_psk(struct noise *h, const uint8_t *psk)
{
    uint8_t out[3][64] = {{0}};
    hkdf(h->protocol->hash, h->ck, bytes_of(psk, KEY_BYTES), out, 3);
    memcpy(h->ck, out[0], sizeof out[0]);
    mix_hash(h, bytes_of(out[1], h->protocol->hash->len));
    cipher_key(&h->cipher, out[2]);
    mem_wipe(out, sizeof out);
}

/* EncryptAndHash. */
static int put_sealed(struct noise *h, struct bytes plain, struct buf *out)
{
    size_t from = out->n;
    int rc = cipher_encrypt(&h->cipher, bytes_of(h->h, h->protocol->hash->len), plain, out);
    if (!rc)
        mix_hash(h, bytes_slice(buf_view(out), from, SIZE_MAX));
    return rc;
}

/* DecryptAndHash. */
static int get_sealed(struct noise *h, struct bytes sealed, struct buf *out)
{
    int rc = cipher_decrypt(&h->cipher, bytes_of(h->h, h->protocol->hash->len), sealed, out);
    if (!rc)
        mix_hash(h, sealed);
    return rc;
}

/* ---- handshake */

static void fail(struct noise *h)
{
    mem_wipe(h, sizeof *h);
    h->state = NOISE_FAILED;
}

/* The hash of the name, or the name itself padded with zeros where it fits. */
static void start_hash(struct noise *h)
{
    struct bytes name = bytes_str(h->protocol->name);
    if (name.n <= h->protocol->hash->len)
        memcpy(h->h, name.p, name.n);
    else
        h->protocol->hash->digest(&name, 1, h->h);
    memcpy(h->ck, h->h, sizeof h->ck);
}

/* Static keys known beforehand: the initiator's, then the responder's. */
static void mix_pre_messages(struct noise *h)
{
    const char *pre[2] = {h->protocol->pre_i, h->protocol->pre_r};
    for (int side = 0; side < 2; side++) {
        bool own = (side == 0) == h->initiator;
        if (!*pre[side])
            continue;
        CHECK(own ? h->has_own : h->has_remote);
        mix_hash(h, bytes_of(own ? h->s.pk : h->rs, KEY_BYTES));
    }
}

void noise_init(struct noise *h, const struct noise_setup *setup)
{
    *h = (struct noise){.protocol = setup->protocol,
                        .next = setup->protocol->messages,
                        .initiator = setup->initiator,
                        .own_turn = setup->initiator,
                        .psk_mode = strstr(setup->protocol->messages, "psk") != NULL};
    if (setup->own) {
        h->s = *setup->own;
        h->has_own = true;
    }
    if (setup->remote) {
        memcpy(h->rs, setup->remote, KEY_BYTES);
        h->has_remote = true;
    }
    while (h->n_psks < NOISE_PSKS_MAX && setup->psks[h->n_psks]) {
        memcpy(h->psks[h->n_psks], setup->psks[h->n_psks], KEY_BYTES);
        h->n_psks++;
    }
    start_hash(h);
    mix_hash(h, setup->prologue);
    mix_pre_messages(h);
}

bool noise_own_turn(const struct noise *h)
{
    return h->state == NOISE_RUNNING && h->own_turn;
}

bool noise_failed(const struct noise *h)
{
    return h->state == NOISE_FAILED;
}

const uint8_t *noise_remote(const struct noise *h)
{
    return h->has_remote ? h->rs : NULL;
}

void noise_wipe(struct noise *h)
{
    mem_wipe(h, sizeof *h);
    h->state = NOISE_FAILED;
}

/* Takes the next token of the current message; empty at its end. */
static struct bytes next_token(struct noise *h)
{
    size_t n;
    while (*h->next == ' ')
        h->next++;
    n = strcspn(h->next, " ,");
    h->next += n;
    return bytes_of(h->next - n, n);
}

/* DH between the key that `mine` names on this side and the one that `theirs` names on the other. */
static int mix_dh(struct noise *h, uint8_t mine, uint8_t theirs)
{
    uint8_t shared[KEY_BYTES];
    int rc;
    CHECK(mine == 'e' || h->has_own);
    CHECK(theirs == 'e' ? h->has_remote_e : h->has_remote);
    rc = dh_shared(mine == 'e' ? &h->e : &h->s, theirs == 'e' ? h->re : h->rs, shared);
    if (!rc)
        mix_key(h, bytes_of(shared, KEY_BYTES));
    mem_wipe(shared, sizeof shared);
    return rc;
}

/* Tokens that send nothing: psk, and the four DHs, which name the initiator's key first. */
static int do_silent(struct noise *h, struct bytes token)
{
    if (bytes_eq(token, BYTES_LIT("psk"))) {
        CHECK(h->psk_at < h->n_psks);
        mix_psk(h, h->psks[h->psk_at]);
        mem_wipe(h->psks[h->psk_at++], KEY_BYTES);
        return 0;
    }
    CHECK(token.n == 2);
    return h->initiator ? mix_dh(h, token.p[0], token.p[1]) : mix_dh(h, token.p[1], token.p[0]);
}

static void mix_ephemeral(struct noise *h, const uint8_t *pk)
{
    mix_hash(h, bytes_of(pk, KEY_BYTES));
    if (h->psk_mode)
        mix_key(h, bytes_of(pk, KEY_BYTES));
}

static int write_token(struct noise *h, struct bytes token, const struct rng *rng, struct buf *out)
{
    if (bytes_eq(token, BYTES_LIT("e"))) {
        dh_key_make(&h->e, rng);
        mix_ephemeral(h, h->e.pk);
        return buf_append(out, h->e.pk, KEY_BYTES);
    }
    if (bytes_eq(token, BYTES_LIT("s"))) {
        CHECK(h->has_own);
        return put_sealed(h, bytes_of(h->s.pk, KEY_BYTES), out);
    }
    return do_silent(h, token);
}

/* Reads the other's static key, sealed unless there is no key yet. */
static int read_static(struct noise *h, struct rd *r)
{
    struct bytes sealed = rd_bytes(r, KEY_BYTES + (h->cipher.on ? NOISE_TAG_BYTES : 0));
    struct buf pk;
    int rc = r->err ? ERR_VERIFY : 0;
    buf_init(&pk, KEY_BYTES);
    if (!rc)
        rc = get_sealed(h, sealed, &pk);
    if (!rc) {
        CHECK(pk.n == KEY_BYTES);
        memcpy(h->rs, pk.p, KEY_BYTES);
        h->has_remote = true;
    }
    secret_buf_release(&pk);
    return rc;
}

static int read_token(struct noise *h, struct bytes token, struct rd *r)
{
    if (bytes_eq(token, BYTES_LIT("e"))) {
        rd_copy(r, h->re, KEY_BYTES);
        h->has_remote_e = true;
        if (!r->err)
            mix_ephemeral(h, h->re);
        return r->err ? ERR_VERIFY : 0;
    }
    if (bytes_eq(token, BYTES_LIT("s")))
        return read_static(h, r);
    return do_silent(h, token);
}

/* The message is complete: the other side's turn, or the end. */
static void end_message(struct noise *h)
{
    h->own_turn = !h->own_turn;
    if (*h->next == ',')
        h->next++;
    else
        h->state = NOISE_DONE;
}

int noise_write(struct noise *h, const struct rng *rng, struct bytes payload, struct buf *out)
{
    size_t from = out->n;
    int rc = 0;
    if (h->state == NOISE_FAILED)
        return ERR_VERIFY;
    CHECK(noise_own_turn(h));
    for (struct bytes t = next_token(h); t.n > 0 && !rc; t = next_token(h))
        rc = write_token(h, t, rng, out);
    if (!rc)
        rc = put_sealed(h, payload, out);
    if (!rc && out->n - from > NOISE_MESSAGE_BYTES)
        rc = ERR_LIMIT;
    if (rc) {
        out->n = from;
        fail(h);
        return rc;
    }
    end_message(h);
    return 0;
}

int noise_read(struct noise *h, struct bytes message, struct buf *payload)
{
    struct rd r;
    int rc = 0;
    rd_init(&r, message);
    if (h->state != NOISE_RUNNING || h->own_turn || message.n > NOISE_MESSAGE_BYTES)
        rc = ERR_VERIFY;
    while (!rc) {
        struct bytes t = next_token(h);
        if (t.n == 0)
            break;
        rc = read_token(h, t, &r);
    }
    if (!rc)
        rc = get_sealed(h, rd_bytes(&r, rd_left(&r)), payload);
    if (rc) {
        fail(h);
        return rc;
    }
    end_message(h);
    return 0;
}

int noise_split(struct noise *h, struct noise_session *s)
{
    uint8_t out[2][64] = {{0}};
    *s = (struct noise_session){.failed = true};
    if (h->state != NOISE_DONE) {
        fail(h);
        return ERR_VERIFY;
    }
    hkdf(h->protocol->hash, h->ck, BYTES_NONE, out, 2);
    cipher_key(&s->send, out[h->initiator ? 0 : 1]);
    cipher_key(&s->recv, out[h->initiator ? 1 : 0]);
    memcpy(s->hash, h->h, sizeof s->hash);
    s->failed = false;
    mem_wipe(out, sizeof out);
    noise_wipe(h);
    return 0;
}

/* ---- transport */

void noise_session_wipe(struct noise_session *s)
{
    mem_wipe(s, sizeof *s);
    s->failed = true;
}

int noise_seal(struct noise_session *s, struct bytes ad, struct bytes plain, struct buf *out)
{
    if (s->failed)
        return ERR_VERIFY;
    if (plain.n > NOISE_MESSAGE_BYTES - NOISE_TAG_BYTES || s->send.n >= NOISE_MESSAGES_MAX)
        return ERR_LIMIT;
    return cipher_encrypt(&s->send, ad, plain, out);
}

int noise_open(struct noise_session *s, struct bytes ad, struct bytes sealed, struct buf *out)
{
    int rc = ERR_VERIFY;
    if (!s->failed && sealed.n <= NOISE_MESSAGE_BYTES && s->recv.n < NOISE_MESSAGES_MAX)
        rc = cipher_decrypt(&s->recv, ad, sealed, out);
    if (rc)
        noise_session_wipe(s);
    return rc;
}

uint64_t noise_left(const struct noise_session *s)
{
    uint64_t used = s->send.n > s->recv.n ? s->send.n : s->recv.n;
    return s->failed || used > NOISE_MESSAGES_MAX ? 0 : NOISE_MESSAGES_MAX - used;
}

/* The first 32 bytes of 32 zeros encrypted with the largest nonce become the key; n goes on. */
void noise_rekey(struct noise_cipher *c)
{
    static const uint8_t zeros[KEY_BYTES];
    uint8_t out[KEY_BYTES + NOISE_TAG_BYTES];
    uint8_t nonce[12];
    CHECK(c->on);
    cipher_nonce(UINT64_MAX, nonce);
    CHECK(crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, zeros, sizeof zeros, NULL, 0, NULL, nonce,
                                                    c->k) == 0);
    memcpy(c->k, out, KEY_BYTES);
    mem_wipe(out, sizeof out);
}
