/* One exchange with the endpoint, on libcurl's multi interface: its sockets and its timer stand in one epoll
 * set.
 *
 * Where data may go is decided when a socket is opened, by the address that is connected to, whatever name or
 * spelling led there: loopback always; any other only over https and with endpoint.allow-remote. A kept
 * connection was opened under the same settings: when they change the whole handle is made anew. Redirects
 * are not followed; cookies, netrc and a proxy of the environment are not used. All memory of libcurl's is
 * wiped when it is freed, since requests lie in it, and the key. */
#include "node/infer/endpoint_int.h"

#include "base/time.h"
#include "crypto/secret.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_MAX 16

/* ---- memory
 * ------------------------------------------------------------------------------------------------
 */

static void *mem_new(size_t n)
{
    return malloc(n);
}

static void *mem_new_zeros(size_t n, size_t size)
{
    return calloc(n, size);
}

static void mem_free(void *p)
{
    if (p != NULL) {
        mem_wipe(p, malloc_usable_size(p));
    }
    free(p);
}

static void *mem_resize(void *p, size_t n)
{
    void *fresh = malloc(n);
    if (fresh == NULL || p == NULL) {
        return fresh;
    }
    size_t had = malloc_usable_size(p);
    memcpy(fresh, p, had < n ? had : n);
    mem_free(p);
    return fresh;
}

static char *mem_text(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = malloc(n);
    return copy != NULL ? memcpy(copy, s, n) : NULL;
}

/* ---- sockets and the timer
 * ---------------------------------------------------------------------------------
 */

static int socket_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *mark)
{
    struct endpoint *x = ctx;
    struct epoll_event ev = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(x->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (mark == NULL) {
        (void)curl_multi_assign(x->multi, fd, x);
        return epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ||
                       (errno == EEXIST && epoll_ctl(x->epoll_fd, EPOLL_CTL_MOD, fd, &ev) == 0)
                   ? 0
                   : -1;
    }
    return epoll_ctl(x->epoll_fd, EPOLL_CTL_MOD, fd, &ev) == 0 ? 0 : -1;
}

static int timer_set(CURLM *multi, long ms, void *ctx)
{
    struct endpoint *x = ctx;
    struct itimerspec t = {0};
    (void)multi;
    if (ms >= 0) {
        t.it_value.tv_sec = ms / 1000;
        t.it_value.tv_nsec = ms == 0 ? 1 : ms % 1000 * 1000000;
    }
    return timerfd_settime(x->timer_fd, 0, &t, NULL);
}

static curl_socket_t socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct exchange *h = ctx;
    const struct endpoint_settings *set = &h->x->set;
    struct addr to;
    if (purpose != CURLSOCKTYPE_IPCXN || !addr_from_socket(&to, &a->addr)) {
        return CURL_SOCKET_BAD;
    }
    if (!addr_is_loopback(&to) && !(set->allow_remote && set->url.https)) {
        h->r.refused = true;
        addr_text(&to, h->r.address);
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- what comes back
 * ---------------------------------------------------------------------------------------
 */

static size_t header_take(char *p, size_t size, size_t n, void *ctx)
{
    struct exchange *h = ctx;
    (void)p;
    h->heard_ms = endpoint_now(h->x);
    h->header_bytes += size * n;
    h->r.too_large = h->r.too_large || h->header_bytes > ENDPOINT_HEADER_BYTES;
    return h->r.too_large ? 0 : size * n;
}

static size_t body_take(char *p, size_t size, size_t n, void *ctx)
{
    struct exchange *h = ctx;
    long status = 0;
    h->heard_ms = endpoint_now(h->x);
    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    bool over = status >= 300 && h->answer.n + size * n > ENDPOINT_ERROR_BYTES;
    if (over || buf_append(&h->answer, p, size * n) != 0) {
        h->r.too_large = true;
        return 0;
    }
    return size * n;
}

static void reply_fill(struct exchange *h, CURLcode code)
{
    struct reply *r = &h->r;
    const char *type = NULL;
    char *ip = NULL;
    long port = 0;
    curl_off_t after = 0;
    curl_off_t out = 0;
    r->code = code;
    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &r->status);
    (void)curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &after);
    (void)curl_easy_getinfo(h->easy, CURLINFO_SIZE_UPLOAD_T, &out);
    (void)curl_easy_getinfo(h->easy, CURLINFO_CONTENT_TYPE, &type);
    (void)curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_IP, &ip);
    (void)curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_PORT, &port);
    r->too_large = r->too_large || code == CURLE_FILESIZE_EXCEEDED;
    r->sent = out > 0;
    r->retry_after_ms = after > ENDPOINT_RETRY_AFTER_MS_MAX / 1000 ? ENDPOINT_RETRY_AFTER_MS_MAX
                        : after > 0                                ? (int64_t)after * 1000
                                                                   : 0;
    (void)snprintf(r->type, sizeof(r->type), "%s", type != NULL ? type : "");
    if (!r->refused && ip != NULL && ip[0] != '\0') {
        addr_join(ip, (uint16_t)port, r->address);
    }
}

/* ---- an exchange
 * -------------------------------------------------------------------------------------------
 */

static int headers_make(struct exchange *h)
{
    static const char *const fixed[] = {"Content-Type: application/json", "Accept: application/json",
                                        "Expect:"};
    struct key *k = &h->x->key;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        struct curl_slist *more = curl_slist_append(h->headers, fixed[i]);
        if (more == NULL) {
            return ERR_NOMEM;
        }
        h->headers = more;
    }
    if (k->state != KEY_HERE) {
        return 0;
    }
    struct buf line;
    struct curl_slist *more = NULL;
    if (secret_buf_init(&line, ENDPOINT_KEY_BYTES + 64) == 0 &&
        buf_str(&line, "Authorization: Bearer ") == 0 && buf_bytes(&line, buf_view(&k->text)) == 0) {
        more = curl_slist_append(h->headers, buf_cstr(&line));
    }
    secret_buf_release(&line);
    h->headers = more != NULL ? more : h->headers;
    return more != NULL ? 0 : ERR_NOMEM;
}

static bool options_where(struct exchange *h, const char *path)
{
    const struct endpoint_settings *set = &h->x->set;
    char url[ENDPOINT_URL_BYTES + 32];
    (void)snprintf(url, sizeof(url), "%s%s", set->url.base, path);
    CURL *c = h->easy;
    bool ok = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_PROXY, set->proxy) == CURLE_OK && /* "": none, whatever is in the
                                                                               environment */
              curl_easy_setopt(c, CURLOPT_NOPROXY, "") == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, socket_open) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    if (ok && set->ca_file[0] != '\0') {
        ok = curl_easy_setopt(c, CURLOPT_CAINFO, set->ca_file) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK;
    }
    return ok;
}

static bool options_how(struct exchange *h, size_t answer_max)
{
    CURL *c = h->easy;
    return curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDS, h->body.p) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)h->body.n) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK && /* never wait for a resolver */
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)answer_max) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, header_take) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERDATA, h) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, body_take) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, h) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PRIVATE, h) == CURLE_OK;
}

int http_new(struct endpoint *x, const char *path, struct buf *body, size_t answer_max, struct exchange **out)
{
    struct exchange *h = calloc(1, sizeof(*h));
    *out = NULL;
    if (h == NULL) {
        return ERR_NOMEM;
    }
    h->x = x;
    h->body = *body;
    buf_init(body, body->max);
    buf_init(&h->answer, answer_max);
    h->heard_ms = TIME_NONE;
    h->easy = curl_easy_init();
    if (h->easy == NULL || headers_make(h) != 0 || !options_where(h, path) || !options_how(h, answer_max)) {
        http_free(h);
        return ERR_NOMEM;
    }
    *out = h;
    return 0;
}

int http_send(struct exchange *h)
{
    h->started_ms = endpoint_now(h->x);
    h->whole_ms = h->started_ms + h->x->set.timeout_ms;
    h->added = curl_multi_add_handle(h->x->multi, h->easy) == CURLM_OK;
    return h->added ? 0 : ERR_NOMEM;
}

void http_free(struct exchange *h)
{
    if (h == NULL) {
        return;
    }
    if (h->easy != NULL) {
        if (h->added) {
            (void)curl_multi_remove_handle(h->x->multi, h->easy);
        }
        curl_easy_cleanup(h->easy);
    }
    curl_slist_free_all(h->headers);
    secret_buf_release(&h->body);
    secret_buf_release(&h->answer);
    free(h);
}

/* ---- deadlines
 * ---------------------------------------------------------------------------------------------
 */

static bool is_out(const struct exchange *h)
{
    curl_off_t us = 0;
    return curl_easy_getinfo(h->easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0;
}

int64_t http_due(const struct endpoint *x, const struct exchange *h)
{
    (void)x;
    int64_t due = h->whole_ms;
    if (h->heard_ms != TIME_NONE) {
        due = h->heard_ms + ENDPOINT_STALL_MS < due ? h->heard_ms + ENDPOINT_STALL_MS : due;
    } else if (!is_out(h)) {
        due = h->started_ms + ENDPOINT_CONNECT_MS < due ? h->started_ms + ENDPOINT_CONNECT_MS : due;
    }
    return due;
}

static struct exchange *late_take(struct endpoint *x)
{
    int64_t now = endpoint_now(x);
    for (struct ask *a = x->asks; a != NULL; a = a->next) {
        if (a->http != NULL && http_due(x, a->http) <= now) {
            reply_fill(a->http, CURLE_OPERATION_TIMEDOUT);
            a->http->r.late = true;
            return a->http;
        }
    }
    return NULL;
}

/* ---- stepping
 * ----------------------------------------------------------------------------------------------
 */

static void events_take(struct endpoint *x)
{
    struct epoll_event ev[EVENTS_MAX];
    int running = 0;
    int n = epoll_wait(x->epoll_fd, ev, EVENTS_MAX, 0);
    for (int i = 0; i < n; i++) {
        uint64_t times = 0;
        if (ev[i].data.fd == x->timer_fd) {
            if (read(x->timer_fd, &times, sizeof(times)) == (ssize_t)sizeof(times)) {
                (void)curl_multi_socket_action(x->multi, CURL_SOCKET_TIMEOUT, 0, &running);
            }
        } else if (ev[i].data.fd != x->key.child.fd) {
            int what = (ev[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                       (ev[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                       (ev[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            (void)curl_multi_socket_action(x->multi, ev[i].data.fd, what, &running);
        }
    }
}

struct exchange *http_step(struct endpoint *x)
{
    int left = 0;
    events_take(x);
    const CURLMsg *msg = curl_multi_info_read(x->multi, &left);
    if (msg == NULL) {
        return late_take(x);
    }
    void *h = NULL;
    CURLcode code = msg->data.result;
    (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &h);
    reply_fill(h, code);
    return h;
}

/* ---- the handle
 * --------------------------------------------------------------------------------------------
 */

static int fds_open(struct endpoint *x)
{
    struct epoll_event ev = {.events = EPOLLIN};
    x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    x->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    ev.data.fd = x->timer_fd;
    return x->epoll_fd >= 0 && x->timer_fd >= 0 &&
                   epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, x->timer_fd, &ev) == 0
               ? 0
               : -1;
}

static int multi_open(struct endpoint *x)
{
    x->multi = curl_multi_init();
    bool ok = x->multi != NULL &&
              curl_multi_setopt(x->multi, CURLMOPT_SOCKETFUNCTION, socket_watch) == CURLM_OK &&
              curl_multi_setopt(x->multi, CURLMOPT_SOCKETDATA, x) == CURLM_OK &&
              curl_multi_setopt(x->multi, CURLMOPT_TIMERFUNCTION, timer_set) == CURLM_OK &&
              curl_multi_setopt(x->multi, CURLMOPT_TIMERDATA, x) == CURLM_OK;
    return ok ? 0 : ERR_NOMEM;
}

int http_open(struct endpoint *x, struct err *e)
{
    x->epoll_fd = x->timer_fd = -1;
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_new, mem_free, mem_resize, mem_text, mem_new_zeros) !=
        0) {
        return err_set(e, ERR_NOMEM, "libcurl does not start");
    }
    int rc = 0;
    if (fds_open(x) != 0) {
        rc = err_errno(e, errno, "opening the endpoint");
        http_close(x);
        return rc;
    }
    rc = multi_open(x);
    if (rc != 0) {
        http_close(x);
        return err_set(e, rc, "opening the endpoint");
    }
    return 0;
}

void http_close(struct endpoint *x)
{
    if (x->multi != NULL) {
        (void)curl_multi_cleanup(x->multi);
    }
    x->multi = NULL;
    if (x->timer_fd >= 0) {
        (void)close(x->timer_fd);
    }
    if (x->epoll_fd >= 0) {
        (void)close(x->epoll_fd);
    }
    x->timer_fd = x->epoll_fd = -1;
    curl_global_cleanup();
}
