/* From observations to names. Everything here is pure: bytes in, names out. */
#include "node/infer/features.h"

#include "base/limits.h"
#include "node/infer/statement.h"
#include "node/infer/words.h"

#include <string.h>

#define KEY_SEPARATOR 0x1f

static bool one_of(struct bytes b, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (bytes_eq(b, bytes_str(*list)))
            return true;
    }
    return false;
}

bool source_is_shell(struct bytes source)
{
    static const char *const list[] = {"bash", "zsh", "fish", "atuin", "shell", NULL};
    return one_of(source, list);
}

bool source_is_browser(struct bytes source)
{
    static const char *const list[] = {"firefox", "chromium", "chrome", "browser", "web", "safari", NULL};
    return one_of(source, list);
}

bool source_is_calendar(struct bytes source)
{
    static const char *const list[] = {"ical", "calendar", "caldav", NULL};
    return one_of(source, list);
}

bool source_is_written(struct bytes source)
{
    static const char *const list[] = {"note",     "notes", "journal",   "diary", "message",
                                       "messages", "chat",  "mail.sent", "tell",  NULL};
    return one_of(source, list);
}

bool source_is_picture(struct bytes source)
{
    static const char *const list[] = {"image", "screenshot", NULL};
    return one_of(source, list);
}

/* ---- keys and times ---------------------------------------------------------------------------------------
 */

void feature_key_join(const struct feature_key *k, struct buf *out)
{
    (void)buf_bytes(out, bytes_slice(k->name, 0, LIMIT_NAME_BYTES));
    (void)buf_put(out, KEY_SEPARATOR);
    (void)buf_put(out, k->shared ? 's' : 'p');
    (void)buf_bytes(out, bytes_slice(k->source, 0, LIMIT_NAME_BYTES));
}

bool feature_key_split(struct bytes key, struct feature_key *out)
{
    const uint8_t *at = key.n > 0 ? memrchr(key.p, KEY_SEPARATOR, key.n) : NULL;
    if (at == NULL)
        return false;
    size_t n = (size_t)(at - key.p);
    if (n + 2 >= key.n || (at[1] != 's' && at[1] != 'p'))
        return false;
    out->name = bytes_slice(key, 0, n);
    out->shared = at[1] == 's';
    out->source = bytes_slice(key, n + 2, key.n);
    return true;
}

void trace_when(const struct stored_observation *o, int32_t *day, uint16_t *minute)
{
    if (o->untimed) {
        *day = (int32_t)(-1 - o->row / UNTIMED_STRETCH);
        *minute = 0;
        return;
    }
    int64_t local = o->time_ms + (o->offset_min == INT16_MIN ? 0 : o->offset_min * MS_MINUTE);
    int64_t days = local >= 0 ? local / MS_DAY : -((MS_DAY - 1 - local) / MS_DAY);
    int64_t in_day = local - days * MS_DAY;
    *day = (int32_t)(days < 0 ? 0 : days); /* the evening before 1970 is 1970 */
    *minute = (uint16_t)(in_day / MS_MINUTE);
}

/* ---- URLs -------------------------------------------------------------------------------------------------
 */

static struct bytes url_after_scheme(struct bytes url)
{
    if (bytes_starts(url, BYTES_LIT("https://")))
        return bytes_slice(url, 8, url.n);
    if (bytes_starts(url, BYTES_LIT("http://")))
        return bytes_slice(url, 7, url.n);
    return BYTES_NONE;
}

static struct bytes url_host(struct bytes url)
{
    struct bytes rest = url_after_scheme(url);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    struct bytes host = bytes_slice(rest, 0, n);
    const uint8_t *at = host.n > 0 ? memrchr(host.p, '@', host.n) : NULL;
    if (at != NULL)
        host = bytes_slice(host, (size_t)(at + 1 - host.p), host.n);
    const uint8_t *colon = host.n > 0 ? memchr(host.p, ':', host.n) : NULL;
    return colon != NULL ? bytes_slice(host, 0, (size_t)(colon - host.p)) : host;
}

static bool host_is_public(struct bytes host)
{
    bool dot = false, letter = false;
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        bool alpha = (c >= 'a' && c <= 'z') || c >= 0x80;
        if (!alpha && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
        dot |= c == '.' && i > 0 && i + 1 < host.n;
        letter |= alpha;
    }
    return dot && letter && host.n <= 100 && !bytes_ends(host, BYTES_LIT(".local")) &&
           !bytes_ends(host, BYTES_LIT(".lan")) && !bytes_ends(host, BYTES_LIT(".internal")) &&
           !bytes_ends(host, BYTES_LIT(".localhost"));
}

struct bytes url_site(struct bytes url, struct buf *out)
{
    struct bytes host = url_host(url);
    size_t at = out->n;
    for (size_t i = 0; i < host.n && host.n <= 100; i++) {
        uint8_t c = host.p[i];
        (void)buf_put(out, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
    }
    struct bytes site = bytes_slice(buf_view(out), at, out->n);
    if (bytes_starts(site, BYTES_LIT("www.")))
        site = bytes_slice(site, 4, site.n);
    return host_is_public(site) ? site : BYTES_NONE;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void form_decode(struct bytes v, struct buf *out)
{
    for (size_t i = 0; i < v.n; i++) {
        int hi = v.p[i] == '%' && i + 2 < v.n ? hex_digit(v.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(v.p[i + 2]) : -1;
        if (lo >= 0) {
            (void)buf_put(out, (uint8_t)(hi * 16 + lo));
            i += 2;
        } else {
            (void)buf_put(out, v.p[i] == '+' ? ' ' : v.p[i]);
        }
    }
}

static struct bytes query_value(struct bytes url, struct bytes name)
{
    const uint8_t *mark = url.n > 0 ? memchr(url.p, '?', url.n) : NULL;
    size_t at = mark == NULL ? url.n : (size_t)(mark + 1 - url.p);
    while (at < url.n) {
        size_t end = at;
        while (end < url.n && url.p[end] != '&' && url.p[end] != '#')
            end++;
        struct bytes pair = bytes_slice(url, at, end - at);
        if (bytes_starts(pair, name) && pair.n > name.n && pair.p[name.n] == '=')
            return bytes_slice(pair, name.n + 1, pair.n);
        if (end < url.n && url.p[end] == '#')
            break;
        at = end + 1;
    }
    return BYTES_NONE;
}

struct bytes url_search(struct bytes url, struct buf *out)
{
    static const struct {
        const char *label, *parameter; /* a label of the host */
    } engines[] = {{"google", "q"},        {"bing", "q"},   {"duckduckgo", "q"}, {"kagi", "q"},
                   {"startpage", "query"}, {"ecosia", "q"}, {"qwant", "q"},      {"brave", "q"},
                   {"yandex", "text"},     {"baidu", "wd"}, {"yahoo", "p"},      {"youtube", "search_query"},
                   {"wikipedia", "search"}};
    struct bytes host = url_host(url);
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        struct bytes label = bytes_str(engines[i].label);
        size_t at = bytes_ifind(host, label);
        bool whole = at != SIZE_MAX && (at == 0 || host.p[at - 1] == '.') && at + label.n < host.n &&
                     host.p[at + label.n] == '.';
        struct bytes value = whole ? query_value(url, bytes_str(engines[i].parameter)) : BYTES_NONE;
        if (value.n > 0 && value.n <= 512) {
            size_t from = out->n;
            form_decode(value, out);
            return bytes_slice(buf_view(out), from, out->n);
        }
    }
    return BYTES_NONE;
}

/* ---- paths ------------------------------------------------------------------------------------------------
 */

static struct bytes path_part(struct bytes path, size_t *at)
{
    while (*at < path.n && path.p[*at] == '/')
        ++*at;
    size_t from = *at;
    while (*at < path.n && path.p[*at] != '/')
        ++*at;
    return bytes_slice(path, from, *at - from);
}

struct bytes path_project(struct bytes path)
{
    static const char *const containers[] = {"src",    "projects", "Projects", "code",      "Code",
                                             "repos",  "git",      "dev",      "workspace", "work",
                                             "github", "GitHub",   "gitlab",   NULL};
    static const char *const forges[] = {"github.com", "gitlab.com", "codeberg.org", "git.sr.ht", NULL};
    size_t at = 0, depth = 0;
    bool home = bytes_starts(path, BYTES_LIT("/home/")) || bytes_starts(path, BYTES_LIT("/Users/")) ||
                bytes_starts(path, BYTES_LIT("~/")) || bytes_starts(path, BYTES_LIT("/root/"));
    for (struct bytes part; home && (part = path_part(path, &at)).n > 0; depth++) {
        if (depth > 0 && one_of(part, containers)) {
            struct bytes name = path_part(path, &at);
            if (one_of(name, forges)) {
                (void)path_part(path, &at); /* the owner */
                name = path_part(path, &at);
            }
            return name.n <= 64 ? name : BYTES_NONE;
        }
    }
    return BYTES_NONE;
}

static struct bytes base_name(struct bytes path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    const uint8_t *at = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
    return at == NULL ? path : bytes_slice(path, (size_t)(at + 1 - path.p), path.n);
}

/* The string value of a key of a flat JSON object, without escapes in it; else empty. */
static struct bytes json_string(struct bytes data, const char *quoted_key)
{
    size_t at = bytes_find(data, bytes_str(quoted_key));
    if (at == SIZE_MAX)
        return BYTES_NONE;
    at += strlen(quoted_key);
    while (at < data.n && (data.p[at] == ' ' || data.p[at] == ':'))
        at++;
    if (at >= data.n || data.p[at] != '"')
        return BYTES_NONE;
    size_t from = ++at;
    while (at < data.n && data.p[at] != '"' && data.p[at] != '\\')
        at++;
    return at < data.n && data.p[at] == '"' ? bytes_slice(data, from, at - from) : BYTES_NONE;
}

/* ---- an observation ---------------------------------------------------------------------------------------
 */

struct collect {
    int (*fn)(void *ctx, const struct feature_name *f);
    void *ctx;
    enum feature_kind kind;
};

static int collect_name(void *ctx, struct bytes name)
{
    const struct collect *c = ctx;
    const struct feature_name f = {c->kind, name};
    return name.n > 0 ? c->fn(c->ctx, &f) : 0;
}

static int collect_as(struct collect *c, enum feature_kind kind, struct bytes name)
{
    c->kind = kind;
    return collect_name(c, name);
}

static struct bytes project_of(const struct stored_observation *o)
{
    if (bytes_eq(o->source, BYTES_LIT("git")))
        return o->app;
    struct bytes project = base_name(json_string(o->data, "\"project\""));
    if (project.n > 0 && project.n <= 64)
        return project;
    return o->cwd.n > 0 ? path_project(o->cwd) : BYTES_NONE;
}

/* The last part of a page's title is the site's name more often than not. */
static struct bytes title_of_page(struct bytes title)
{
    static const char *const marks[] = {" - ", " | ", " \xe2\x80\x94 ", " \xe2\x80\x93 ", " \xc2\xb7 ", NULL};
    size_t cut = title.n;
    for (size_t m = 0; marks[m] != NULL; m++) {
        struct bytes mark = bytes_str(marks[m]);
        for (size_t i = title.n; i-- > 8;) {
            if (bytes_starts(bytes_slice(title, i, title.n), mark)) {
                cut = i < cut || cut == title.n ? i : cut;
                break;
            }
        }
    }
    return bytes_slice(title, 0, cut);
}

static int features_page(const struct stored_observation *o, struct buf *words, struct collect *c)
{
    struct bytes asked = url_search(o->url, words);
    if (asked.n > 0) {
        c->kind = FEATURE_TOPIC;
        return title_topics(asked, words, collect_name, c);
    }
    int rc = collect_as(c, FEATURE_SITE, url_site(o->url, words));
    c->kind = FEATURE_TOPIC;
    return rc != 0 ? rc : title_topics(title_of_page(o->title), words, collect_name, c);
}

static int features_command(const struct stored_observation *o, struct collect *c)
{
    c->kind = FEATURE_TOOL;
    int rc = command_tools(o->command, collect_name, c);
    return rc != 0 ? rc : collect_as(c, FEATURE_PROJECT, project_of(o));
}

static int features_event(const struct stored_observation *o, struct buf *words, struct collect *c)
{
    size_t at = words->n;
    (void)text_normalise(o->title, words);
    return collect_as(c, FEATURE_EVENT, bytes_slice(buf_view(words), at, 200));
}

static int features_other(const struct stored_observation *o, struct buf *words, struct collect *c)
{
    int rc = collect_as(c, FEATURE_PROJECT, project_of(o));
    if (rc == 0 && bytes_eq(o->source, BYTES_LIT("xbel"))) {
        const uint8_t *end = o->files.n > 0 ? memchr(o->files.p, '\n', o->files.n) : NULL;
        return collect_as(c, FEATURE_DOCUMENT,
                          end == NULL ? o->files : bytes_slice(o->files, 0, (size_t)(end - o->files.p)));
    }
    if (rc == 0 && o->app.n > 0 && o->app.n <= 64 && !bytes_eq(o->source, BYTES_LIT("git"))) {
        size_t at = words->n;
        (void)text_normalise(o->app, words);
        rc = collect_as(c, FEATURE_APP, bytes_slice(buf_view(words), at, 64));
    }
    c->kind = FEATURE_TOPIC;
    return rc != 0 ? rc : title_topics(o->title, words, collect_name, c);
}

int features_of(const struct stored_observation *o, struct buf *words,
                int (*fn)(void *ctx, const struct feature_name *f), void *ctx)
{
    struct collect c = {fn, ctx, FEATURE_SOURCE};
    /* Room for all names of one observation, so that no view into it moves. */
    if (buf_extend(words, 4096) == NULL)
        return words->err;
    buf_clear(words);
    if (source_is_picture(o->source)) /* what a model says of it is not counted as what was done */
        return 0;
    if (source_is_calendar(o->source))
        return features_event(o, words, &c);
    if (source_is_written(o->source)) {
        c.kind = FEATURE_STATEMENT;
        return statements_of(o->text.n > 0 ? o->text : o->title, words, collect_name, &c);
    }
    if (o->command.n > 0)
        return features_command(o, &c);
    if (o->url.n > 0 && url_after_scheme(o->url).n > 0)
        return features_page(o, words, &c);
    return features_other(o, words, &c);
}
