/* Pairing two devices by a code: messages in, messages out, no input or output of its own.
 *
 *   joiner                                        host (showed the code)
 *   1  hello                                →
 *   2                                       ←     hello ‖ CPace share
 *   3  CPace share ‖ Noise 1                →     here the host learns whether the code was right
 *   4                                       ←     Noise 2 {certificate}
 *   5  Noise 3 {certificate}                →
 *   then either: sealed yes or no           ⇄     after its user was shown the other's name and asked
 *
 * CPace (joiner = initiator) turns the code into a psk; the handshake is Noise_XXpsk0 with that psk and a
 * prologue that holds both hellos and both shares, so nothing of what came before can have been changed.
 * Nothing that names a device travels before the other side has shown that it knows the code. A wrong code
 * and a changed message are the same error, ERR_VERIFY.
 *
 * The caller counts: a host's pairing ends after PAIR_TRIES runs that came to ERR_VERIFY (all connections
 * together), or when PAIR_CODE_MS have passed; then a new code is shown. Bytes of the messages:
 * crypto/KEYS.md.
 */
#ifndef CRYPTO_PAIR_H
#define CRYPTO_PAIR_H

#include "crypto/cpace.h"
#include "crypto/device.h"
#include "crypto/noise.h"

#define PAIR_TRIES 3
#define PAIR_CODE_MS (10 * 60 * 1000)
#define PAIR_DIGITS 8
#define PAIR_DIGITS_TEXT (PAIR_DIGITS + 1) /* "4821-7309" */
#define PAIR_QR_SECRET_BYTES 16
#define PAIR_QR_TEXT 35 /* "selfsame:" and 26 characters of base32 */
/* The longest message of a run: number 5. */
#define PAIR_MESSAGE_BYTES (48 + DEVICE_CERT_BYTES_MAX + 16)

/* How the code came to the joiner: typed, or read from a picture. A host has both, a joiner one. Or it
 * follows from the public key of recovery words that are a member: whoever types them joins as that member,
 * and every device of the group knows the key. Then the certificates say who the two are, and the code keeps
 * strangers away. */
enum pair_kind { PAIR_BY_DIGITS = 1, PAIR_BY_QR = 2, PAIR_BY_WORDS = 3 };

struct pair_code {
    bool has_digits, has_qr, has_words;
    uint8_t digits[PAIR_DIGITS];      /* '0'..'9' */
    uint8_t qr[PAIR_QR_SECRET_BYTES]; /* of the picture, or of the words */
};

/* A new code of both kinds: 8 digits, each number equally likely, and 128 bits. */
void pair_code_make(struct pair_code *c, const struct rng *rng);
/* Reads what a person typed ("4821-7309", blanks and dashes anywhere) or a scanner read ("selfsame:…").
 * ERR_USAGE with a hint. */
int pair_code_parse(struct bytes text, struct pair_code *c, struct err *e) MUST_CHECK;
/* The code of recovery words with this signing key, and the secret that keys their knock (crypto/beacon.h).
 */
void pair_code_words(const uint8_t sign_pk[SIGN_PK_BYTES], struct pair_code *c);
void pair_knock_words(const uint8_t sign_pk[SIGN_PK_BYTES], uint8_t secret[KEY_BYTES]);
/* The two texts, with a NUL. The code must have that kind. */
void pair_code_digits(const struct pair_code *c, char out[PAIR_DIGITS_TEXT + 1]);
void pair_code_qr(const struct pair_code *c, char out[PAIR_QR_TEXT + 1]);
void pair_code_wipe(struct pair_code *c);

enum pair_state {
    PAIR_HELLO,   /* joiner: nothing sent yet; host: waits for message 1 */
    PAIR_SHARE,   /* joiner waits for 2, host for 3 */
    PAIR_KNOCK,   /* joiner waits for 4: a connection that ends here most likely means a wrong code */
    PAIR_CERT,    /* host waits for 5 */
    PAIR_CONFIRM, /* both have the other's certificate; waiting for one or both users */
    PAIR_DONE,    /* both said yes */
    PAIR_REFUSED, /* one of them said no */
    PAIR_FAILED,  /* keys are wiped */
};

#define PAIR_HELLO_BYTES 20

struct pair {
    enum pair_state state;
    bool joiner;
    enum pair_kind kind;
    bool own_yes, other_yes; /* what each user has answered */
    const struct device_keys *keys;
    struct bytes own_cert;
    struct pair_code code;
    uint8_t hello[2][PAIR_HELLO_BYTES]; /* the joiner's, the host's */
    uint8_t share[2][CPACE_SHARE_BYTES];
    struct cpace cpace;
    struct noise noise;
    struct noise_session session;
    struct device_cert other; /* valid from PAIR_CONFIRM on, until pair_wipe */
    uint8_t other_bytes[DEVICE_CERT_BYTES_MAX];
    size_t other_n;
};

/* What this device brings; borrowed until pair_wipe. */
struct pair_self {
    const struct device_keys *keys;
    struct bytes cert; /* as device_cert_make wrote it */
};

/* Starts one side. The code is copied; a host needs both kinds or answers only to the one it has. */
void pair_host(struct pair *p, const struct pair_self *self, const struct pair_code *code);
void pair_join(struct pair *p, const struct pair_self *self, const struct pair_code *code);
/* One message in (the joiner's first call has none: BYTES_NONE); at most one message out, appended.
 * ERR_VERIFY: wrong code or an altered message; ERR_VERSION: the other device speaks a newer one; ERR_FORMAT:
 * not a pairing message; ERR_EXISTS: the other side has our own keys. All are final, keys are wiped. */
int pair_step(struct pair *p, const struct rng *rng, struct bytes in, struct buf *out,
              struct err *e) MUST_CHECK;
/* The user's answer, in PAIR_CONFIRM, once: appends the message that tells the other side. */
int pair_answer(struct pair *p, bool yes, struct buf *out, struct err *e) MUST_CHECK;
/* The other's certificate as it was sent; empty before PAIR_CONFIRM. */
struct bytes pair_other_cert(const struct pair *p);
/* In PAIR_DONE: moves the encrypted session out, for membership and epoch keys to follow. */
void pair_take_session(struct pair *p, struct noise_session *out);
void pair_wipe(struct pair *p);

#endif
