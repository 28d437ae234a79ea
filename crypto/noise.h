/* The Noise protocol framework, revision 34, with 25519 and ChaChaPoly (and BLAKE2b, unless a protocol brings
 * another hash).
 *
 * A handshake is driven by a pattern written as text (NOISE_IK and others below), so there is one code path
 * for all of them. It has one error state: after any failure the keys are wiped, noise_failed() is true, and
 * every further call returns ERR_VERIFY. Nothing tells the other side what was wrong.
 */
#ifndef CRYPTO_NOISE_H
#define CRYPTO_NOISE_H

#include "crypto/dh.h"

#define NOISE_HASH_BYTES 64        /* BLAKE2b's; the largest */
#define NOISE_MESSAGE_BYTES 65535u /* limit of the framework, for every message */
#define NOISE_TAG_BYTES 16
#define NOISE_PSKS_MAX 4
/* Transport messages in one direction before a new handshake is due; sealing and opening refuse
 * to go beyond. */
#define NOISE_MESSAGES_MAX (UINT64_C(1) << 32)

/* A hash function of the framework: all at once over the parts. len 32 or 64, block 64 or 128. */
struct noise_hash {
    size_t len, block;
    void (*digest)(const struct bytes *parts, size_t n_parts, uint8_t *out);
};

/* A pattern as the specification writes it: tokens separated by blanks, messages by commas, the initiator's
 * first. pre_i, pre_r: "s" where that side's static key is known beforehand, else "". */
struct noise_protocol {
    const char *name; /* "Noise_IK_25519_ChaChaPoly_BLAKE2b" */
    const char *pre_i, *pre_r;
    const char *messages; /* "e es s ss,e ee se" */
    const struct noise_hash *hash;
};

extern const struct noise_hash noise_blake2b;
extern const struct noise_protocol noise_ik, noise_xx, noise_xxpsk0;

/* What a side brings. All borrowed for the call of noise_init. */
struct noise_setup {
    const struct noise_protocol *protocol;
    bool initiator;
    struct bytes prologue;
    const struct dh_key *own; /* own static pair; NULL where the pattern has none */
    const uint8_t *remote;    /* the other's static public key, KEY_BYTES, where it is known; else NULL */
    const uint8_t
        *psks[NOISE_PSKS_MAX]; /* KEY_BYTES each, in the order of the pattern; NULL behind the last */
};

struct noise_cipher {
    uint8_t k[KEY_BYTES];
    uint64_t n;
    bool on; /* has a key */
};

enum noise_state { NOISE_RUNNING, NOISE_DONE, NOISE_FAILED };

struct noise {
    const struct noise_protocol *protocol;
    const char *next; /* the tokens that are still to come */
    enum noise_state state;
    bool initiator, own_turn, psk_mode;
    bool has_own, has_remote, has_remote_e;
    struct dh_key s, e;
    uint8_t rs[KEY_BYTES], re[KEY_BYTES];
    uint8_t psks[NOISE_PSKS_MAX][KEY_BYTES];
    size_t n_psks, psk_at;
    uint8_t h[NOISE_HASH_BYTES], ck[NOISE_HASH_BYTES];
    struct noise_cipher cipher;
};

/* Two ciphers, one for each direction, once the handshake is done. */
struct noise_session {
    struct noise_cipher send, recv;
    uint8_t hash[NOISE_HASH_BYTES]; /* of the handshake: unique to this session */
    bool failed;
};

/* Starts a handshake. That a pattern's keys and psks are there is the caller's duty (asserted). */
void noise_init(struct noise *h, const struct noise_setup *setup);
/* Whether it is this side's turn to write. False when done or failed. */
bool noise_own_turn(const struct noise *h);
bool noise_failed(const struct noise *h);
/* Appends the next message with payload inside. The rng gives the ephemeral key. ERR_LIMIT, ERR_VERIFY,
 * ERR_NOMEM (all three fatal for the handshake). Asking out of turn is asserted. */
int noise_write(struct noise *h, const struct rng *rng, struct bytes payload, struct buf *out) MUST_CHECK;
/* Reads the other's message; appends its payload. ERR_VERIFY for anything wrong with it, a message out of
 * turn included. out is as before when it fails. */
int noise_read(struct noise *h, struct bytes message, struct buf *payload) MUST_CHECK;
/* The other's static public key, or NULL while unknown. Whoever needs to know who it is compares it with keys
 * it trusts; Noise itself accepts any. Valid until noise_wipe. */
const uint8_t *noise_remote(const struct noise *h);
/* Once both sides have written all: fills the session and wipes the handshake. Returns ERR_VERIFY if it is
 * not done (it is then failed). */
int noise_split(struct noise *h, struct noise_session *s) MUST_CHECK;
void noise_wipe(struct noise *h);

/* Transport. Messages are to be opened in the order they were sealed; anything else fails, and a failure ends
 * the session: keys wiped, every further call ERR_VERIFY. Sealing appends plain.n + NOISE_TAG_BYTES;
 * ERR_LIMIT when plain is too long (the session goes on) or the messages are used up. */
int noise_seal(struct noise_session *s, struct bytes ad, struct bytes plain, struct buf *out) MUST_CHECK;
int noise_open(struct noise_session *s, struct bytes ad, struct bytes sealed, struct buf *out) MUST_CHECK;
/* Messages that can still be sealed and opened: the lesser of both directions. */
uint64_t noise_left(const struct noise_session *s);
/* REKEY of the specification, for one direction; both sides must do it at the same message. */
void noise_rekey(struct noise_cipher *c);
void noise_session_wipe(struct noise_session *s);

#endif
