/* Every label under which keys are derived, things are sealed and messages signed: one list, so that no two
 * uses share one. crypto/KEYS.md shows the same list, and a test compares them. The number is the suite. */
#ifndef CRYPTO_LABEL_H
#define CRYPTO_LABEL_H

/* Signatures. */
#define LABEL_SIGN_CERT "selfsame 1 sign device certificate"
#define LABEL_SIGN_FRAME "selfsame 1 sign frame"
#define LABEL_SIGN_MEMBER "selfsame 1 sign membership record"
/* Hashes that are ids. */
#define LABEL_DEVICE_ID "selfsame 1 device id"
#define LABEL_EPOCH_ID "selfsame 1 epoch id"
#define LABEL_MEMBER_HASH "selfsame 1 membership record"
/* Sealing (crypto/aead.h). */
#define LABEL_SEAL_FRAME "selfsame 1 seal frame"
#define LABEL_SEAL_STRIPPED "selfsame 1 seal stripped frame"
#define LABEL_SEAL_EPOCH "selfsame 1 wrap epoch key"
#define LABEL_SEAL_SLOT "selfsame 1 key file slot"
#define LABEL_SEAL_PAYLOAD "selfsame 1 key file payload"
/* Keys derived from keys. */
#define LABEL_KEY_SIGN "selfsame 1 derive signing key"
#define LABEL_KEY_NOISE "selfsame 1 derive session key"
#define LABEL_KEY_SEAL "selfsame 1 derive sealing key"
#define LABEL_KEY_SLOT "selfsame 1 derive slot key"
#define LABEL_KEY_FRAMES "selfsame 1 derive frame key"
/* Pairing. */
#define LABEL_PAIR_SID "selfsame 1 pair session"
#define LABEL_PAIR_CHANNEL "selfsame 1 pair joiner host"
#define LABEL_PAIR_PSK "selfsame 1 pair psk"
#define LABEL_PAIR_PROLOGUE "selfsame 1 pair prologue"
#define LABEL_WORDS_CODE "selfsame 1 recovery code"
#define LABEL_WORDS_KNOCK "selfsame 1 recovery knock"
/* Discovery. */
#define LABEL_BEACON "selfsame 1 beacon"
#define LABEL_KNOCK "selfsame 1 knock"

#endif
