/* Settings: one table of keys with their defaults and checks. Replicated ones live in the store's settings
 * (all devices share them), local ones stay on this device. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "store/local.h"

enum setting_type { SETTING_BOOL, SETTING_TEXT, SETTING_LINES, SETTING_NUMBER };

struct setting {
    const char *key;
    enum setting_type type;
    bool local;
    const char *otherwise;                           /* default, as text */
    const char *about;                               /* one line for help */
    int (*check)(struct bytes value, struct err *e); /* NULL: anything of the type */
};

/* All settings, ended by a NULL key. */
extern const struct setting settings[];
/* By key; ERR_NOTFOUND with a hint naming the nearest. */
int setting_find(struct bytes key, const struct setting **out, struct err *e) MUST_CHECK;
/* Value (or default) into out; *set says whether the user chose it. */
int config_get(struct store *s, const struct setting *k, struct buf *out, bool *set,
               struct err *e) MUST_CHECK;
/* Checks and stores; an empty value of a non-empty default must be meant: use config_unset to go back to the
 * default. */
int config_set(struct store *s, const struct setting *k, struct bytes value, struct err *e) MUST_CHECK;
int config_unset(struct store *s, const struct setting *k, struct err *e) MUST_CHECK;
/* The value, or the default, of a setting that exists, into out (cleared). */
int config_text(struct store *s, const char *key, struct buf *out, struct err *e) MUST_CHECK;
bool config_bool(struct store *s, const char *key); /* a SETTING_BOOL's value; its default when unreadable */
/* A SETTING_NUMBER's value, a whole number of up to 15 digits; its default when unreadable. */
int64_t config_number(struct store *s, const char *key);

#endif
