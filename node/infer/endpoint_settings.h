/* The settings endpoint.*: what may stand in them, and all of them read at once. They stay on this device. */
#ifndef NODE_INFER_ENDPOINT_SETTINGS_H
#define NODE_INFER_ENDPOINT_SETTINGS_H

#include "base/limits.h"
#include "node/net/addr.h"
#include "store/local.h"

#define ENDPOINT_URL_BYTES 512
#define ENDPOINT_PARALLEL_MAX 16

/* An address as it is used: parsed, normalised, without user, password, query and fragment. */
struct endpoint_url {
    char base[ENDPOINT_URL_BYTES]; /* without a slash at the end: "http://127.0.0.1:11434/v1"; "": none */
    char host[ADDR_HOST_BYTES];    /* without brackets */
    uint16_t port;
    bool https;
    bool numeric, loopback; /* the host is an address; an address or a name that only means this machine */
};

struct endpoint_settings {
    struct endpoint_url url;
    char model[LIMIT_NAME_BYTES + 1], embed_model[LIMIT_NAME_BYTES + 1];
    char vision_model[LIMIT_NAME_BYTES + 1]; /* as model, when it is not set */
    char key_file[LIMIT_PATH_BYTES], ca_file[LIMIT_PATH_BYTES];
    char key_command[LIMIT_SETTING_BYTES + 1]; /* lines; "": none */
    char proxy[ENDPOINT_URL_BYTES];
    bool allow_remote, pseudonyms;
    unsigned parallel;
    int64_t timeout_ms;
    int64_t budget_tokens;                     /* 0: none */
    int64_t budget_money, price_in, price_out; /* millionths of the unit; prices a million tokens */
};

/* Settings that do not parse (they came from another version) are ERR_FORMAT and leave no url. */
int endpoint_settings_load(struct endpoint_settings *out, struct store *s, struct err *e) MUST_CHECK;

/* Whether what is sent leaves this machine; settings that cannot be read count as remote: nothing goes out
 * that was not named. */
bool endpoint_is_remote(struct store *s);

/* "http(s)://HOST[:PORT][/PATH]" without user, query and fragment; "/v1" is added where there is no path.
 * ERR_USAGE. */
int endpoint_url_parse(struct bytes text, struct endpoint_url *out, struct err *e) MUST_CHECK;
/* "12", "0.15": at most nine digits before and six behind the point → millionths. ERR_USAGE. */
int endpoint_money_parse(struct bytes text, int64_t *out, struct err *e) MUST_CHECK;

/* Checks for the table of settings; ERR_USAGE. */
int endpoint_url_check(struct bytes value, struct err *e);
int endpoint_name_check(struct bytes value, struct err *e);
int endpoint_path_check(struct bytes value, struct err *e);
int endpoint_command_check(struct bytes value, struct err *e);
int endpoint_proxy_check(struct bytes value, struct err *e);
int endpoint_parallel_check(struct bytes value, struct err *e);
int endpoint_timeout_check(struct bytes value, struct err *e);
int endpoint_money_check(struct bytes value, struct err *e);

#endif
