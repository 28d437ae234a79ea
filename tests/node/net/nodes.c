#include "tests/node/net/nodes.h"

#include "base/time.h"
#include "crypto/hash.h"
#include "node/serve/api.h"
#include "node/upkeep.h"
#include "tests/support/unit.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int64_t nodes_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void must(int rc, const struct err *e)
{
    if (rc != 0) {
        print_message("%s (%s)\n", e->text, e->hint);
    }
    assert_int_equal(rc, 0);
}

static void node_up(struct test_node *t)
{
    struct err e = ERR_INIT;
    const struct node_options o = {.home = t->home, .daemon = true};
    must(node_open(&t->n, &o, &e), &e);
}

void nodes_init(struct nodes *s, size_t n)
{
    *s = (struct nodes){.n = n};
    assert_int_equal(crypt_start(), 0);
    tmp_dir_make(&s->dir);
    for (size_t i = 0; i < n; i++) {
        struct err e = ERR_INIT;
        char name[16];
        (void)snprintf(name, sizeof(name), "device%u", (unsigned)i);
        (void)tmp_path(&s->dir, name, s->node[i].home);
        must(node_init(s->node[i].home, bytes_str(name), &e), &e);
        node_up(&s->node[i]);
    }
}

static void folder_copy(const char *from, const char *to)
{
    char a[TMP_PATH_BYTES * 2], b[TMP_PATH_BYTES * 2];
    struct stat st;
    DIR *d = opendir(from);
    assert_non_null(d);
    for (const struct dirent *x = readdir(d); x != NULL; x = readdir(d)) {
        (void)snprintf(a, sizeof(a), "%s/%s", from, x->d_name);
        (void)snprintf(b, sizeof(b), "%s/%s", to, x->d_name);
        if (stat(a, &st) == 0 && S_ISREG(st.st_mode)) {
            tmp_copy(a, b);
        }
    }
    (void)closedir(d);
}

void nodes_clone(struct nodes *s, size_t i, size_t twin)
{
    nodes_stop(s, i);
    nodes_stop(s, twin);
    node_close(s->node[i].n);
    node_close(s->node[twin].n);
    folder_copy(s->node[i].home, s->node[twin].home);
    node_up(&s->node[i]);
    node_up(&s->node[twin]);
}

void nodes_stop(struct nodes *s, size_t i)
{
    struct node *n = s->node[i].n;
    pairing_free(n->pairing);
    net_close(n->net);
    n->pairing = NULL;
    n->net = NULL;
}

void nodes_release(struct nodes *s)
{
    for (size_t i = 0; i < s->n; i++) {
        nodes_stop(s, i);
        node_close(s->node[i].n);
    }
    tmp_dir_remove(&s->dir);
}

static void start(struct nodes *s, size_t i, const struct net_options *o)
{
    struct err e = ERR_INIT;
    struct node *n = s->node[i].n;
    must(net_open(&n->net, n, o, &e), &e);
    n->pairing = pairing_new(n, n->net);
    assert_non_null(n->pairing);
}

void nodes_start(struct nodes *s, size_t i, const char *listen, const char *peer)
{
    const struct net_options o = {
        .listen = listen != NULL ? listen : "127.0.0.1:0", .peers = {peer}, .n_peers = peer != NULL ? 1 : 0};
    start(s, i, &o);
}

void nodes_start_found(struct nodes *s, size_t i, uint16_t discovery_port)
{
    const struct net_options o = {
        .listen = "127.0.0.1:0", .discovery = true, .discovery_port = discovery_port};
    start(s, i, &o);
}

const char *nodes_address(const struct nodes *s, size_t i)
{
    return net_address(s->node[i].n->net);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a == TIME_NONE || (b != TIME_NONE && b < a) ? b : a;
}

/* One turn of a loop as in selfsamed. */
static int64_t node_turn(struct test_node *t)
{
    struct node *n = t->n;
    int64_t next = upkeep_step(n);
    if (n->net == NULL) {
        return next;
    }
    if (n->wrote) {
        n->wrote = false;
        net_changed(n->net);
    }
    next = sooner(next, net_step(n->net));
    next = sooner(next, pairing_step(n->pairing));
    bool more = n->regrouped || (n->merged_due && !n->cloned);
    return more ? nodes_now() : next;
}

void nodes_step(struct nodes *s, int wait_ms)
{
    struct pollfd fds[NODES_MAX];
    int64_t next = nodes_now() + wait_ms;
    for (size_t i = 0; i < s->n; i++) {
        next = sooner(next, node_turn(&s->node[i]));
        fds[i] = (struct pollfd){.fd = s->node[i].n->net != NULL ? net_fd(s->node[i].n->net) : -1,
                                 .events = POLLIN};
    }
    int64_t wait = next - nodes_now();
    (void)poll(fds, s->n, wait < 0 ? 0 : (int)wait);
}

bool nodes_until(struct nodes *s, bool (*done)(struct nodes *s))
{
    int64_t until = nodes_now() + NODES_PATIENCE_MS;
    while (!done(s)) {
        if (nodes_now() > until) {
            return false;
        }
        nodes_step(s, 50);
    }
    return true;
}

void nodes_for(struct nodes *s, int64_t ms)
{
    int64_t until = nodes_now() + ms;
    while (nodes_now() < until) {
        nodes_step(s, 20);
    }
}

static enum pairing_phase phase(const struct nodes *s, size_t i)
{
    struct pairing_view v;
    pairing_view(s->node[i].n->pairing, &v);
    if (v.phase == PAIRING_FAILED) {
        print_message("pairing of %u: %s\n", (unsigned)i, v.text);
    }
    return v.phase;
}

static void until_phase(struct nodes *s, size_t a, size_t b, enum pairing_phase wanted)
{
    int64_t until = nodes_now() + NODES_PATIENCE_MS;
    while (nodes_now() < until && (phase(s, a) != wanted || phase(s, b) != wanted)) {
        nodes_step(s, 50);
    }
    assert_int_equal(phase(s, a), wanted);
    assert_int_equal(phase(s, b), wanted);
}

void nodes_pair(struct nodes *s, size_t host, size_t joiner, bool by_address)
{
    struct err e = ERR_INIT;
    struct pairing_view v;
    const struct history_grant all = {.kind = HISTORY_ALL};
    struct pairing *h = s->node[host].n->pairing, *j = s->node[joiner].n->pairing;
    must(pairing_host(h, &all, &e), &e);
    pairing_view(h, &v);
    must(pairing_join(j, bytes_str(v.code), by_address ? nodes_address(s, host) : NULL, &e), &e);
    until_phase(s, host, joiner, PAIRING_ASKING);
    must(pairing_answer(h, true, &e), &e);
    must(pairing_answer(j, true, &e), &e);
    until_phase(s, host, joiner, PAIRING_DONE);
}

struct looked_for {
    struct id device;
    bool connected;
};

static int peer_look(void *ctx, const struct peer_status *p)
{
    struct looked_for *l = ctx;
    l->connected = l->connected || (p->connected && id_eq(&p->device, &l->device));
    return 0;
}

static bool connected_to(const struct nodes *s, size_t a, size_t b)
{
    struct err e = ERR_INIT;
    struct looked_for l = {.device = s->node[b].n->home.device};
    must(sync_peers(s->node[a].n->sync, peer_look, &l, &e), &e);
    return l.connected;
}

bool nodes_connected(struct nodes *s, size_t a, size_t b)
{
    return connected_to(s, a, b) && connected_to(s, b, a);
}

static void ask(struct nodes *s, size_t i, const char *request, struct buf *answer)
{
    assert_int_equal(api_message(s->node[i].n, bytes_str(request), answer), 0);
}

void nodes_tell(struct nodes *s, size_t i, const char *text)
{
    char request[512];
    struct buf answer;
    buf_init(&answer, 1u << 20);
    (void)snprintf(request, sizeof(request), "{\"cmd\":\"tell\",\"text\":\"%s\"}", text);
    ask(s, i, request, &answer);
    assert_int_equal(bytes_find(buf_view(&answer), BYTES_LIT("\"error\"")), SIZE_MAX);
    buf_release(&answer);
}

bool nodes_knows(struct nodes *s, size_t i, const char *text)
{
    struct buf answer;
    buf_init(&answer, 16u << 20);
    ask(s, i, "{\"cmd\":\"show\"}", &answer);
    bool knows = bytes_find(buf_view(&answer), bytes_str(text)) != SIZE_MAX;
    buf_release(&answer);
    return knows;
}

bool nodes_same_model(struct nodes *s, size_t a, size_t b)
{
    struct err e = ERR_INIT;
    struct hash x, y;
    must(store_digest(s->node[a].n->store, &x, &e), &e);
    must(store_digest(s->node[b].n->store, &y, &e), &e);
    return memcmp(x.b, y.b, HASH_BYTES) == 0;
}
