/* Inside of node/net/: the table of connections. A connection is one row from the moment its socket is there
 * until its stream is freed, which happens in conn_step() only: whatever is called back may mark rows, never
 * free them. */
#ifndef NODE_NET_NET_INT_H
#define NODE_NET_NET_INT_H

#include "node/net/dial.h"
#include "node/net/discover.h"
#include "node/net/net.h"
#include "node/net/strangers.h"
#include "node/net/stream.h"

#define FIRST_MESSAGE_MAX 1024u /* what a stranger may send before it has shown something */
#define KNOCK_BYTES 16
#define KNOCK_HEAD_BYTES 32 /* of the session's first message, which travel with the knock */
#define TWIN_MS 60000       /* a beacon that bears our id and is not ours is remembered for so long */
#define DIAL_TIMEOUT_MS 10000
#define DIALS_MAX 8              /* being made at one time */
#define CLOSING_MS 2000          /* for the last words to leave */
#define HURRIED_MS 2000          /* instead of SYNC_HANDSHAKE_MS, for an address that keeps failing */
#define MESSAGES_A_STEP 8        /* taken from one connection before the others get their turn */
#define QUEUE_BYTES (256u << 10) /* a session is asked for more only below this */
#define PAIR_START_MS 20000      /* for the first messages of a pairing */
#define PAIR_START_MESSAGES 3
#define PAIR_HOSTS_MAX 8   /* pairing hosts that a joiner keeps in mind */
#define PAIR_AGAIN_MS 3000 /* until a host that did not answer is tried again */

enum conn_kind {
    CONN_FREE,
    CONN_DIALING,
    CONN_WAITING, /* accepted, has said nothing yet */
    CONN_SESSION,
    CONN_PAIRING,
    CONN_CLOSING, /* last words are being sent */
};

struct conn {
    enum conn_kind kind;
    bool dialed, for_pairing, over; /* over: its address keeps failing */
    bool recovering;                /* CONN_PAIRING: somebody comes by our recovery words */
    bool proved;                    /* the session's peer is really there: no replay of a first message */
    struct stream *stream;
    struct session *session;
    struct dial_target *target; /* dialed for a session */
    char host[ADDR_HOST_BYTES]; /* what was dialed */
    uint16_t port;
    struct id peer;                        /* looked for (dialed), met (proved) */
    int64_t since_ms, met_ms, deadline_ms; /* deadline of the row itself; TIME_NONE */
    unsigned n_in, n_out;
    uint64_t serial; /* order of accepting */
    bool knocked;    /* accepted: the knock was right, `head` is the begin of the next message */
    uint8_t head[KNOCK_HEAD_BYTES];
};

struct pair_side {
    bool on, host, given; /* given: the joiner was told an address */
    bool answered;
    char reason[80]; /* why the last attempt or connection ended; "" */
    struct pairing_io io;
    struct conn *conn;
    struct beacon tried[PAIR_HOSTS_MAX];
    int64_t tried_ms[PAIR_HOSTS_MAX]; /* 0: free */
};

struct net {
    struct node *n;
    struct streams *streams;
    struct discover *discover; /* NULL: off */
    struct dial dial;
    struct strangers strangers;
    struct conn conns[NET_CONNECTIONS_MAX];
    struct pair_side pair, recovery;
    struct id recovery_words;       /* that the recovery's connection knocked with */
    char host_met[ADDR_HOST_BYTES]; /* where a pairing host answered: dialed once it is a member; "" */
    uint16_t port_met;
    int epoll_fd;
    uint16_t port;
    char address[ADDR_TEXT];
    struct buf out;  /* one message */
    bool again;      /* something was left for the next step */
    int64_t twin_ms; /* when somebody with our id was heard; TIME_NONE */
    uint64_t serial;
    struct id missing[MEMBERS_MAX];
    size_t n_missing;
};

int64_t net_now(const struct net *t);
/* The group's secret, NULL without a group. */
const uint8_t *net_secret(const struct net *t);
void net_missing(struct net *t);
/* Keeps, over restarts, where a device was met. */
void net_remember(struct net *t, const struct id *device, const char *host, uint16_t port);

/* Takes an accepted stream into the table, or closes it. */
void conn_accept(struct net *t, struct stream *s);
/* Dials; `whom` for a session, NULL for a pairing. False: no room or no memory. */
bool conn_dial(struct net *t, const char *host, uint16_t port, const struct id *whom,
               struct dial_target *target);
/* Everything that is due on one connection. */
void conn_step(struct net *t, struct conn *c);
/* Hands what the session has to say to the stream. */
void conn_pump(struct net *t, struct conn *c);
int64_t conn_deadline(const struct conn *c); /* when to step it at the latest; TIME_NONE */
/* Last words, then the end. */
void conn_close(struct net *t, struct conn *c);
/* Ends a session in order. */
void conn_goodbye(struct net *t, struct conn *c);
void conn_free(struct net *t, struct conn *c);

/* node/net/pair_side.c: what concerns a pairing. */
bool pair_may_answer(const struct net *t);
/* Whether this is the knock of recovery words of the group, and may be answered; *hello is what follows. */
bool recovery_may_answer(struct net *t, struct bytes knocked, struct bytes *hello);
void pair_forget(struct net *t, const struct conn *c); /* it is being closed */
void pair_took(struct net *t, struct conn *c);         /* a joiner's first message has come */
void pair_connected(struct net *t, struct conn *c);    /* to a host */
void pair_message(struct net *t, struct conn *c, struct bytes message);
void pair_lost(struct net *t, struct conn *c); /* the connection, or the attempt to make it */
void pair_heard(struct net *t, const struct beacon *b);

#endif
