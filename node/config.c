/* Settings: the table, and reading and writing through it. */
#include "node/config.h"

#include "base/limits.h"
#include "base/text.h"
#include "node/embedding.h"
#include "node/infer/consent.h"
#include "node/infer/endpoint_settings.h"
#include "node/infer/lease.h"
#include "node/infer/queue.h"
#include "node/model/audit.h"
#include "node/model/norms.h"
#include "node/screen.h"
#include "node/share.h"

#include <stdio.h>
#include <string.h>

static int rules_check(struct bytes value, struct err *e)
{
    struct audit *a = NULL;
    int rc = audit_new(&a, value, REDACT_DEFAULT, e);
    audit_free(a);
    return rc;
}

static int user_name_check(struct bytes value, struct err *e)
{
    struct buf shown;
    buf_init(&shown, LIMIT_SETTING_BYTES * 8);
    bool plain = text_escape(value, true, &shown) == 0 && bytes_eq(buf_view(&shown), value);
    buf_release(&shown);
    return plain && value.n <= PROMPT_USER_BYTES && bytes_eq(bytes_trim(value), value)
               ? 0
               : err_set(e, ERR_USAGE, "a name is one line of at most %u bytes", PROMPT_USER_BYTES);
}

const struct setting settings[] = {
    {"audit.rules", SETTING_LINES, false, "",
     "what is never observed, a rule a line (see: selfsame help audit)", rules_check},
    {"audit.email", SETTING_BOOL, false, "off", "redact e-mail addresses", NULL},
    {"audit.phone", SETTING_BOOL, false, "off", "redact phone numbers", NULL},
    {"discovery", SETTING_BOOL, true, "on",
     "find the other devices on the local network, and be found; when the node starts (off: --peer, "
     "--address)",
     NULL},
    {"share", SETTING_LINES, true, "",
     "what leaves this device, a source and one of nothing, counts, text a line", share_check},
    {"embed.table", SETTING_TEXT, true, "",
     "file with vectors of words, for finding what shares no word with the question", embedding_check},
    {"endpoint.url", SETTING_TEXT, true, "",
     "the OpenAI-compatible endpoint of a language model that thinks about what was observed; http on this "
     "machine",
     endpoint_url_check},
    {"endpoint.model", SETTING_TEXT, true, "", "the model that thinks, as the endpoint names it",
     endpoint_name_check},
    {"endpoint.embed-model", SETTING_TEXT, true, "",
     "the model that makes vectors of texts; none: no vectors", endpoint_name_check},
    {"endpoint.vision-model", SETTING_TEXT, true, "",
     "the model that describes pictures, when it is another one than endpoint.model", endpoint_name_check},
    {"endpoint.allow-remote", SETTING_BOOL, true, "off",
     "let what passed the audit go to an endpoint that is not this machine, over https", NULL},
    {"endpoint.key-file", SETTING_TEXT, true, "",
     "a file, readable by you alone, that holds the endpoint's key", endpoint_path_check},
    {"endpoint.key-command", SETTING_LINES, true, "",
     "a program that prints the endpoint's key: its path, then its arguments, one a line",
     endpoint_command_check},
    {"endpoint.ca-file", SETTING_TEXT, true, "",
     "certificates (PEM) to verify the endpoint with, instead of the system's", endpoint_path_check},
    {"endpoint.proxy", SETTING_TEXT, true, "",
     "a proxy to a remote endpoint; none is taken from the environment", endpoint_proxy_check},
    {"endpoint.parallel", SETTING_NUMBER, true, "1", "requests under way at one time, 1 to 16",
     endpoint_parallel_check},
    {"endpoint.timeout", SETTING_NUMBER, true, "300", "seconds for one answer, 5 to 3600",
     endpoint_timeout_check},
    {"endpoint.budget-tokens", SETTING_NUMBER, true, "0", "tokens a day, in and out; 0: as many as it takes",
     NULL},
    {"endpoint.budget-money", SETTING_TEXT, true, "0", "money a day, in the unit of the prices; 0: no limit",
     endpoint_money_check},
    {"endpoint.price-in", SETTING_TEXT, true, "0", "price of a million tokens sent", endpoint_money_check},
    {"endpoint.price-out", SETTING_TEXT, true, "0", "price of a million tokens answered",
     endpoint_money_check},
    {"endpoint.pseudonyms", SETTING_BOOL, true, "off",
     "replace names of other people, as far as they are known, before anything is sent", NULL},
    {"endpoint.people", SETTING_LINES, true, "", "names of other people that are then replaced, one a line",
     NULL},
    {"user.name", SETTING_TEXT, false, "", "what to call you, to a language model and in what it says",
     user_name_check},
    {"norms", SETTING_LINES, false, "", "what may be learnt of what is said where, a sentence a line",
     norms_check},
    {"audit.context", SETTING_LINES, true, "",
     "sources whose records a language model first holds against your norms, a name a line",
     source_lines_check},
    {"endpoint.sources", SETTING_LINES, true, "",
     "what the language model may see: NAME, -NAME or * a line (otherwise all, when it runs on this machine)",
     endpoint_sources_check},
    {"screenshot.command", SETTING_LINES, true, "",
     "a program that prints a picture of the screen, which a language model then describes: its path, then "
     "its "
     "arguments, one a line; none: no screenshots",
     endpoint_command_check},
    {"screenshot.every", SETTING_TEXT, true, "5m", "how often it is run at most, from 10s on",
     screen_every_check},
    {"think.wait", SETTING_TEXT, true, "15m",
     "how long a few observations wait for more to be thought about with", think_wait_check},
    {"think.share", SETTING_LINES, true, "",
     "what may be handed, sealed, to the device that thinks for all: a source and local or remote a line",
     consent_check},
    {"think.lease", SETTING_TEXT, true, "6h",
     "how long this device thinks for the others before it must say so again, 10s to 6h", lease_check},
    {NULL, SETTING_TEXT, false, NULL, NULL, NULL},
};

int setting_find(struct bytes key, const struct setting **out, struct err *e)
{
    for (const struct setting *k = settings; k->key != NULL; k++) {
        if (bytes_eq(bytes_str(k->key), key)) {
            *out = k;
            return 0;
        }
    }
    (void)err_set(e, ERR_NOTFOUND, "there is no setting '%.*s'", (int)(key.n > 64 ? 64 : key.n),
                  (const char *)key.p);
    err_hint(e, "list them with: selfsame config");
    return ERR_NOTFOUND;
}

int config_get(struct store *s, const struct setting *k, struct buf *out, bool *set, struct err *e)
{
    char name[LIMIT_NAME_BYTES];
    int n = snprintf(name, sizeof(name), "config:%s", k->key);
    if (n < 0 || (size_t)n >= sizeof(name)) {
        return err_set(e, ERR_LIMIT, "the name of setting '%s' is too long", k->key);
    }
    buf_clear(out);
    int rc = k->local ? local_get(s, name, out, set, e) : store_setting(s, k->key, out, set, e);
    if (rc != 0) {
        return rc;
    }
    if (*set && out->n == 0) {
        *set = false; /* unset is written as empty */
    }
    if (!*set) {
        buf_clear(out);
        (void)buf_str(out, k->otherwise);
    }
    return out->err;
}

static int value_write(struct store *s, const struct setting *k, struct bytes value, struct err *e)
{
    char name[LIMIT_NAME_BYTES];
    (void)snprintf(name, sizeof(name), "config:%s", k->key);
    return k->local ? local_set(s, name, value, e) : store_setting_set(s, k->key, value, e);
}

#define NUMBER_DIGITS_MAX 15

static bool number_read(struct bytes text, int64_t *out)
{
    int64_t v = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        v = v < INT64_C(1000000000000000) ? v * 10 + (text.p[i] - '0') : v;
    }
    *out = v;
    return text.n > 0 && text.n <= NUMBER_DIGITS_MAX;
}

int config_set(struct store *s, const struct setting *k, struct bytes value, struct err *e)
{
    int rc = 0;
    if (value.n > LIMIT_SETTING_BYTES) {
        return err_set(e, ERR_LIMIT, "a setting has at most %u bytes", LIMIT_SETTING_BYTES);
    }
    if (!utf8_valid(value)) {
        return err_set(e, ERR_USAGE, "the value is not valid UTF-8");
    }
    if (k->type == SETTING_BOOL && !bytes_eq(value, BYTES_LIT("on")) && !bytes_eq(value, BYTES_LIT("off"))) {
        return err_set(e, ERR_USAGE, "'%s' is on or off", k->key);
    }
    int64_t number = 0;
    if (k->type == SETTING_NUMBER && !number_read(value, &number)) {
        return err_set(e, ERR_USAGE, "'%s' is a whole number", k->key);
    }
    if (k->check != NULL) {
        rc = k->check(value, e);
    }
    return rc != 0 ? rc : value_write(s, k, value, e);
}

int config_unset(struct store *s, const struct setting *k, struct err *e)
{
    return value_write(s, k, BYTES_NONE, e);
}

int config_text(struct store *s, const char *key, struct buf *out, struct err *e)
{
    const struct setting *k = NULL;
    bool set = false;
    int rc = setting_find(bytes_str(key), &k, e);
    return rc != 0 ? rc : config_get(s, k, out, &set, e);
}

bool config_bool(struct store *s, const char *key)
{
    const struct setting *k = NULL;
    bool set = false;
    struct buf v;
    buf_init(&v, LIMIT_SETTING_BYTES);
    bool on = false;
    if (setting_find(bytes_str(key), &k, NULL) == 0) {
        int rc = config_get(s, k, &v, &set, NULL);
        on = bytes_eq(rc == 0 ? buf_view(&v) : bytes_str(k->otherwise), BYTES_LIT("on"));
    }
    buf_release(&v);
    return on;
}

int64_t config_number(struct store *s, const char *key)
{
    const struct setting *k = NULL;
    bool set = false;
    struct buf v;
    int64_t number = 0;
    buf_init(&v, LIMIT_SETTING_BYTES);
    if (setting_find(bytes_str(key), &k, NULL) == 0 &&
        (config_get(s, k, &v, &set, NULL) != 0 || !number_read(buf_view(&v), &number))) {
        (void)number_read(bytes_str(k->otherwise), &number);
    }
    buf_release(&v);
    return number;
}
