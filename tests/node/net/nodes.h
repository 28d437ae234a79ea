/* Whole nodes in one process, with data folders of their own, connected over the loopback interface. The
 * functions fail the test when something cannot be set up. */
#ifndef TESTS_NODE_NET_NODES_H
#define TESTS_NODE_NET_NODES_H

#include "node/net/net.h"
#include "node/pairing.h"
#include "tests/support/tmp.h"

#define NODES_MAX 5
#define NODES_PATIENCE_MS 15000

struct test_node {
    struct node *n;
    char home[TMP_PATH_BYTES];
};

struct nodes {
    struct tmp_dir dir;
    size_t n;
    struct test_node node[NODES_MAX];
};

/* n devices "device0" …, none running. */
void nodes_init(struct nodes *s, size_t n);
void nodes_release(struct nodes *s);
/* Opens the network of one, on `listen` (NULL: "127.0.0.1:0"), with one more address to dial (NULL: none). */
void nodes_start(struct nodes *s, size_t i, const char *listen, const char *peer);
void nodes_start_found(struct nodes *s, size_t i, uint16_t discovery_port); /* with discovery */
void nodes_stop(struct nodes *s, size_t i); /* its network; the node stays open */
const char *nodes_address(const struct nodes *s, size_t i);
/* What their loops would do now, then waits for an event, at most wait_ms. */
void nodes_step(struct nodes *s, int wait_ms);
/* Steps until done(s) or NODES_PATIENCE_MS; whether it came true. */
bool nodes_until(struct nodes *s, bool (*done)(struct nodes *s));
void nodes_for(struct nodes *s, int64_t ms);
/* Shows a code at `host`, types it at `joiner`, with or without the host's address; both say yes. */
void nodes_pair(struct nodes *s, size_t host, size_t joiner, bool by_address);
bool nodes_connected(struct nodes *s, size_t a, size_t b);
/* A proposition told at one; whether another shows it. */
void nodes_tell(struct nodes *s, size_t i, const char *text);
bool nodes_knows(struct nodes *s, size_t i, const char *text);
bool nodes_same_model(struct nodes *s, size_t a, size_t b);
/* Makes `twin` a copy of the data folder of `i`, keys and all; both are opened anew, no network. */
void nodes_clone(struct nodes *s, size_t i, size_t twin);
int64_t nodes_now(void);

#endif
