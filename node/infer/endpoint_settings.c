/* The settings endpoint.*: parsing and reading. URLs go through libcurl's own parser, so that what is checked
 * here is what a transfer uses: "http://2130706433/" and "http://0x7f.1/" have become 127.0.0.1. */
#include "node/infer/endpoint_settings.h"

#include "node/config.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- URLs
 * --------------------------------------------------------------------------------------------------
 */

/* A part into out; false when it is absent or too long. */
static bool part_take(CURLU *u, CURLUPart what, char *out, size_t size)
{
    char *text = NULL;
    if (curl_url_get(u, what, &text, what == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) != CURLUE_OK) {
        return false;
    }
    int n = snprintf(out, size, "%s", text);
    curl_free(text);
    return n >= 0 && (size_t)n < size;
}

static bool has_part(CURLU *u, CURLUPart what)
{
    char *text = NULL;
    bool has = curl_url_get(u, what, &text, 0) == CURLUE_OK && text[0] != '\0';
    curl_free(text);
    return has;
}

static void host_judge(struct endpoint_url *out)
{
    struct addr a;
    size_t n = strlen(out->host);
    if (n > 2 && out->host[0] == '[') { /* as URLs have it */
        memmove(out->host, out->host + 1, n - 2);
        out->host[n - 2] = '\0';
    }
    out->numeric = addr_from_host(&a, out->host);
    out->loopback = out->numeric ? addr_is_loopback(&a) : strcasecmp(out->host, "localhost") == 0;
}

static bool url_take(CURLU *u, struct endpoint_url *out)
{
    char scheme[8];
    char port[8];
    char path[ENDPOINT_URL_BYTES];
    char host[ADDR_HOST_BYTES + 2];
    if (!part_take(u, CURLUPART_SCHEME, scheme, sizeof(scheme)) ||
        !part_take(u, CURLUPART_HOST, host, sizeof(host)) ||
        !part_take(u, CURLUPART_PORT, port, sizeof(port)) ||
        !part_take(u, CURLUPART_PATH, path, sizeof(path)) || strlen(host) >= sizeof(out->host)) {
        return false;
    }
    memcpy(out->host, host, strlen(host) + 1);
    out->https = strcmp(scheme, "https") == 0;
    out->port = (uint16_t)strtoul(port, NULL, 10);
    for (size_t n = strlen(path); n > 0 && path[n - 1] == '/'; n--) {
        path[n - 1] = '\0';
    }
    int n = snprintf(out->base, sizeof(out->base), "%s://%s:%s%s", scheme, host, port,
                     path[0] != '\0' ? path : "/v1");
    return n > 0 && (size_t)n < sizeof(out->base);
}

static int scheme_check(CURLU *u, struct err *e)
{
    char scheme[16];
    if (!part_take(u, CURLUPART_SCHEME, scheme, sizeof(scheme)) ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        return err_set(e, ERR_USAGE, "an endpoint's address starts with http:// or https://");
    }
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD)) {
        (void)err_set(e, ERR_USAGE, "an endpoint's address has no user and password in it");
        err_hint(e, "keep the key in a file: selfsame config endpoint.key-file PATH");
        return ERR_USAGE;
    }
    if (has_part(u, CURLUPART_QUERY) || has_part(u, CURLUPART_FRAGMENT)) {
        return err_set(e, ERR_USAGE, "an endpoint's address has no '?' and no '#'");
    }
    return 0;
}

int endpoint_url_parse(struct bytes text, struct endpoint_url *out, struct err *e)
{
    char url[ENDPOINT_URL_BYTES];
    *out = (struct endpoint_url){0};
    if (text.n >= sizeof(url) || memchr(text.p, 0, text.n) != NULL) {
        return err_set(e, ERR_USAGE, "an endpoint's address has at most %d bytes", ENDPOINT_URL_BYTES - 1);
    }
    memcpy(url, text.p, text.n);
    url[text.n] = '\0';
    CURLU *u = curl_url();
    if (u == NULL) {
        return err_set(e, ERR_NOMEM, "reading an address");
    }
    int rc = 0;
    if (strchr(url, '%') != NULL ||
        curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
        rc = err_set(e, ERR_USAGE, "not the address of an endpoint: it is like http://127.0.0.1:11434/v1");
    }
    if (rc == 0) {
        rc = scheme_check(u, e);
    }
    if (rc == 0 && !url_take(u, out)) {
        rc = err_set(e, ERR_USAGE, "not the address of an endpoint");
    }
    curl_url_cleanup(u);
    if (rc != 0) {
        *out = (struct endpoint_url){0};
        return rc;
    }
    host_judge(out);
    return 0;
}

int endpoint_url_check(struct bytes value, struct err *e)
{
    struct endpoint_url url;
    return endpoint_url_parse(value, &url, e);
}

/* ---- the others
 * --------------------------------------------------------------------------------------------
 */

int endpoint_money_parse(struct bytes text, int64_t *out, struct err *e)
{
    size_t whole = 0;
    size_t behind = 0;
    bool point = false;
    int64_t v = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool digit = text.p[i] >= '0' && text.p[i] <= '9';
        if (!digit && (text.p[i] != '.' || point)) {
            return err_set(e, ERR_USAGE, "an amount is like 12 or 0.15");
        }
        if (digit && ++*(point ? &behind : &whole) <= 9) {
            v = v * 10 + (text.p[i] - '0');
        }
        point = point || !digit;
    }
    if (whole == 0 || whole > 9 || behind > 6 || (point && behind == 0)) {
        return err_set(e, ERR_USAGE, "an amount has up to nine digits, and up to six behind the point");
    }
    for (; behind < 6; behind++) {
        v *= 10;
    }
    *out = v;
    return 0;
}

int endpoint_money_check(struct bytes value, struct err *e)
{
    int64_t v;
    return endpoint_money_parse(value, &v, e);
}

static bool has_control(struct bytes v)
{
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < 0x20 || v.p[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

int endpoint_name_check(struct bytes value, struct err *e)
{
    return value.n == 0 || value.n > LIMIT_NAME_BYTES || has_control(value)
               ? err_set(e, ERR_USAGE, "a model's name has 1 to %u bytes on one line", LIMIT_NAME_BYTES)
               : 0;
}

int endpoint_path_check(struct bytes value, struct err *e)
{
    return value.n < 2 || value.p[0] != '/' || value.n >= LIMIT_PATH_BYTES || has_control(value)
               ? err_set(e, ERR_USAGE, "a file is named by its whole path, from '/' on")
               : 0;
}

int endpoint_command_check(struct bytes value, struct err *e)
{
    size_t end = bytes_find(value, BYTES_LIT("\n"));
    struct bytes program = bytes_slice(value, 0, end);
    if (memchr(value.p, 0, value.n) != NULL || endpoint_path_check(program, NULL) != 0) {
        (void)err_set(e, ERR_USAGE,
                      "the first line is the whole path of a program, each other line an argument");
        err_hint(e, "no shell runs it: quotes, '~' and '$' mean nothing");
        return ERR_USAGE;
    }
    return 0;
}

int endpoint_proxy_check(struct bytes value, struct err *e)
{
    static const char *const schemes[] = {"http://", "https://", "socks5h://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (bytes_starts(value, bytes_str(schemes[i])) && value.n < ENDPOINT_URL_BYTES &&
            !has_control(value) && memchr(value.p, '@', value.n) == NULL) {
            return 0;
        }
    }
    return err_set(e, ERR_USAGE,
                   "a proxy is like http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT");
}

static int between(struct bytes value, int64_t low, int64_t high, struct err *e)
{
    int64_t v = 0;
    bool digits = true;
    for (size_t i = 0; digits && i < value.n && v <= high; i++) {
        digits = value.p[i] >= '0' && value.p[i] <= '9';
        v = v * 10 + (value.p[i] - '0');
    }
    return !digits || v < low || v > high
               ? err_set(e, ERR_USAGE, "a number from %lld to %lld", (long long)low, (long long)high)
               : 0;
}

int endpoint_parallel_check(struct bytes value, struct err *e)
{
    return between(value, 1, ENDPOINT_PARALLEL_MAX, e);
}

int endpoint_timeout_check(struct bytes value, struct err *e)
{
    return between(value, 5, 3600, e);
}

/* ---- all of them
 * -------------------------------------------------------------------------------------------
 */

struct load {
    struct store *s;
    struct buf value;
    int rc;
    struct err *e;
};

/* The value, checked as when it was set; empty when it is not set or something failed. */
static struct bytes value_load(struct load *l, const char *key)
{
    const struct setting *k = NULL;
    bool set = false;
    if (l->rc == 0) {
        l->rc = setting_find(bytes_str(key), &k, l->e);
    }
    if (l->rc == 0) {
        l->rc = config_get(l->s, k, &l->value, &set, l->e);
    }
    if (l->rc == 0 && set && k->check != NULL && k->check(buf_view(&l->value), l->e) != 0) {
        l->rc = err_wrap(l->e, ERR_FORMAT, "setting '%s'", key);
    }
    return l->rc == 0 ? buf_view(&l->value) : BYTES_NONE;
}

static void text_load(struct load *l, const char *key, char *out, size_t size)
{
    struct bytes v = value_load(l, key);
    size_t n = v.n < size ? v.n : 0; /* the checks keep to the sizes */
    memcpy(out, v.n > 0 ? (const char *)v.p : "", n);
    out[n] = '\0';
}

static void money_load(struct load *l, const char *key, int64_t *out)
{
    struct bytes v = value_load(l, key);
    *out = 0;
    if (l->rc == 0) {
        l->rc = endpoint_money_parse(v, out, l->e);
    }
}

int endpoint_settings_load(struct endpoint_settings *out, struct store *s, struct err *e)
{
    struct load l = {.s = s, .e = e};
    memset(out, 0, sizeof(*out));
    buf_init(&l.value, LIMIT_SETTING_BYTES);
    text_load(&l, "endpoint.model", out->model, sizeof(out->model));
    text_load(&l, "endpoint.embed-model", out->embed_model, sizeof(out->embed_model));
    text_load(&l, "endpoint.vision-model", out->vision_model, sizeof(out->vision_model));
    if (out->vision_model[0] == '\0') {
        memcpy(out->vision_model, out->model, sizeof(out->model));
    }
    text_load(&l, "endpoint.key-file", out->key_file, sizeof(out->key_file));
    text_load(&l, "endpoint.key-command", out->key_command, sizeof(out->key_command));
    text_load(&l, "endpoint.ca-file", out->ca_file, sizeof(out->ca_file));
    text_load(&l, "endpoint.proxy", out->proxy, sizeof(out->proxy));
    money_load(&l, "endpoint.budget-money", &out->budget_money);
    money_load(&l, "endpoint.price-in", &out->price_in);
    money_load(&l, "endpoint.price-out", &out->price_out);
    out->allow_remote = config_bool(s, "endpoint.allow-remote");
    out->pseudonyms = config_bool(s, "endpoint.pseudonyms");
    out->parallel = (unsigned)config_number(s, "endpoint.parallel");
    out->timeout_ms = config_number(s, "endpoint.timeout") * 1000;
    out->budget_tokens = config_number(s, "endpoint.budget-tokens");
    struct bytes url = value_load(&l, "endpoint.url");
    if (l.rc == 0 && url.n > 0) {
        l.rc = endpoint_url_parse(url, &out->url, e);
    }
    if (out->parallel < 1 || out->parallel > ENDPOINT_PARALLEL_MAX) {
        out->parallel = 1;
    }
    buf_release(&l.value);
    return l.rc;
}

bool endpoint_is_remote(struct store *s)
{
    struct endpoint_settings set;
    return endpoint_settings_load(&set, s, NULL) != 0 || !set.url.loopback;
}
