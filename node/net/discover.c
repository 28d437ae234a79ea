#include "node/net/discover.h"

#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LINKS_MAX 64
#define SEEN_MAX 32
#define SENT_MAX 8
#define SOURCES_MAX 64
#define PACKETS_A_STEP 64 /* what more there is makes the descriptor readable again */
#define BURST_MORE 2      /* announcements that follow the first one */
#define PORT_OFFSET (1 + BEACON_BYTES)

/* One address of an interface, as far as announcing needs it. */
struct link {
    unsigned index;
    bool v6, has_broadcast;
    struct in_addr own, broadcast; /* IPv4 */
};

struct source {
    struct addr from;
    int64_t since_ms;
    unsigned packets;
};

struct discover {
    struct discover_options o;
    int epoll_fd, v4, v6, netlink;
    struct link links[LINKS_MAX];
    size_t n_links;
    bool member, pairing;
    uint8_t secret[KEY_BYTES];
    struct id device;
    uint8_t pairing_tag[BEACON_BYTES];
    int64_t next_ms, last_ms; /* announcements; next TIME_NONE: never */
    unsigned burst;
    uint8_t sent[SENT_MAX][BEACON_BYTES]; /* our own, which come back to us */
    size_t sent_at;
    struct beacon seen[SEEN_MAX];
    size_t seen_at;
    bool scanned;
    unsigned budget; /* packets looked at until the next step */
    struct source sources[SOURCES_MAX];
};

/* ---- packets ----------------------------------------------------------------------------------------------
 */

void beacon_pack(const struct beacon *b, uint8_t out[BEACON_PACKET_BYTES])
{
    out[0] = (uint8_t)b->kind;
    memcpy(out + 1, b->tag, BEACON_BYTES);
    out[PORT_OFFSET] = (uint8_t)(b->from.port >> 8);
    out[PORT_OFFSET + 1] = (uint8_t)b->from.port;
}

bool beacon_unpack(struct beacon *b, struct bytes packet, const struct addr *from)
{
    if (packet.n != BEACON_PACKET_BYTES || (packet.p[0] != BEACON_MEMBER && packet.p[0] != BEACON_PAIRING)) {
        return false;
    }
    b->kind = packet.p[0] == BEACON_MEMBER ? BEACON_MEMBER : BEACON_PAIRING;
    memcpy(b->tag, packet.p + 1, BEACON_BYTES);
    b->from = *from;
    b->from.port = (uint16_t)(packet.p[PORT_OFFSET] << 8 | packet.p[PORT_OFFSET + 1]);
    return b->from.port != 0;
}

struct said {
    uint8_t b[3 + ID_BYTES];
};

static struct said said_of(const struct beacon *b, const struct id *device)
{
    struct said s = {.b = {(uint8_t)b->kind, (uint8_t)(b->from.port >> 8), (uint8_t)b->from.port}};
    memcpy(s.b + 3, device->b, ID_BYTES);
    return s;
}

void beacon_sign(struct beacon *b, const uint8_t secret[KEY_BYTES], const struct id *device, int64_t wall_ms,
                 const struct rng *rng)
{
    struct said s = said_of(b, device);
    beacon_make(secret, wall_ms, rng, bytes_of(s.b, sizeof(s.b)), b->tag);
}

bool beacon_is_of(const struct beacon *b, const uint8_t secret[KEY_BYTES], const struct id *device,
                  int64_t wall_ms)
{
    struct said s = said_of(b, device);
    return beacon_check(secret, wall_ms, bytes_of(s.b, sizeof(s.b)), b->tag);
}

/* ---- sockets ----------------------------------------------------------------------------------------------
 */

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

/* -1 where the system has no IPv4, or does not let us. */
static int open_v4(uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    /* Several nodes of one machine hear the same packets. */
    if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 || set_int(fd, SOL_SOCKET, SO_BROADCAST, 1) != 0 ||
        set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1) != 0 ||
        set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) != 0 ||
        bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int open_v6(uint16_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 || set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0 ||
        set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1) != 0 ||
        bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* -1 where netlink is closed to programs (some phones): then changes are found when the next beacon is due.
 */
static int open_netlink(void)
{
    struct sockaddr_nl any = {.nl_family = AF_NETLINK,
                              .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static bool watch_fd_add(const struct discover *d, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN};
    return fd < 0 || epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

int discover_open(struct discover **out, const struct discover_options *o, struct err *e)
{
    struct discover *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return err_set(e, ERR_NOMEM, "opening discovery");
    }
    d->o = *o;
    d->next_ms = TIME_NONE;
    d->last_ms = clock_mono_ms(o->clock) - DISCOVER_EVERY_MS;
    d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    d->v4 = open_v4(o->udp_port);
    int why = errno;
    d->v6 = open_v6(o->udp_port);
    d->netlink = open_netlink();
    if (d->epoll_fd < 0 || (d->v4 < 0 && d->v6 < 0) || !watch_fd_add(d, d->v4) || !watch_fd_add(d, d->v6) ||
        !watch_fd_add(d, d->netlink)) {
        int rc = err_errno(e, why, "opening discovery on UDP port %u", (unsigned)o->udp_port);
        discover_close(d);
        return rc;
    }
    *out = d;
    return 0;
}

void discover_close(struct discover *d)
{
    if (d == NULL) {
        return;
    }
    int fds[] = {d->v4, d->v6, d->netlink, d->epoll_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    mem_wipe(d->secret, sizeof(d->secret));
    free(d);
}

int discover_fd(const struct discover *d)
{
    return d->epoll_fd;
}

/* ---- interfaces -------------------------------------------------------------------------------------------
 */

static bool link_read(const struct discover *d, const struct ifaddrs *i, struct link *l)
{
    struct addr a;
    bool up = (i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & (IFF_MULTICAST | IFF_LOOPBACK)) != 0;
    if (!up || i->ifa_addr == NULL || !addr_from_socket(&a, i->ifa_addr)) {
        return false;
    }
    if (!addr_is_any(&d->o.only) && memcmp(a.ip, d->o.only.ip, sizeof(a.ip)) != 0) {
        return false;
    }
    *l = (struct link){.index = if_nametoindex(i->ifa_name), .v6 = !addr_is_v4(&a)};
    if (l->v6) {
        /* The others of one interface would send the same again. */
        return IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)a.ip) || addr_is_loopback(&a) ||
               !addr_is_any(&d->o.only);
    }
    memcpy(&l->own, a.ip + 12, 4);
    if ((i->ifa_flags & IFF_BROADCAST) != 0 && i->ifa_broadaddr != NULL) {
        struct addr b;
        l->has_broadcast = addr_from_socket(&b, i->ifa_broadaddr);
        memcpy(&l->broadcast, b.ip + 12, 4);
    }
    return true;
}

static void link_join(const struct discover *d, const struct link *l)
{
    if (l->v6 && d->v6 >= 0) {
        struct ipv6_mreq m = {.ipv6mr_interface = l->index};
        (void)inet_pton(AF_INET6, DISCOVER_GROUP_V6, &m.ipv6mr_multiaddr);
        (void)setsockopt(d->v6, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m));
    } else if (!l->v6 && d->v4 >= 0) {
        struct ip_mreqn m = {.imr_ifindex = (int)l->index, .imr_address = l->own};
        (void)inet_pton(AF_INET, DISCOVER_GROUP_V4, &m.imr_multiaddr);
        (void)setsockopt(d->v4, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m));
    }
}

static bool links_are_same(const struct link *a, const struct link *b)
{
    return a->index == b->index && a->v6 == b->v6 && a->has_broadcast == b->has_broadcast &&
           a->own.s_addr == b->own.s_addr && a->broadcast.s_addr == b->broadcast.s_addr;
}

/* Reads the interfaces anew and joins the groups on them (again: no harm). Whether they are others now. */
static bool links_scan(struct discover *d)
{
    struct link now[LINKS_MAX];
    size_t n = 0;
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0) {
        return false;
    }
    for (const struct ifaddrs *i = list; i != NULL && n < LINKS_MAX; i = i->ifa_next) {
        n += link_read(d, i, &now[n]) ? 1 : 0;
    }
    freeifaddrs(list);
    bool changed = n != d->n_links;
    for (size_t i = 0; i < n; i++) {
        changed = changed || !links_are_same(&now[i], &d->links[i]);
        d->links[i] = now[i];
        link_join(d, &now[i]);
    }
    d->n_links = n;
    return changed;
}

/* ---- sending ----------------------------------------------------------------------------------------------
 */

static void send_v4(const struct discover *d, const struct link *l, struct in_addr to, uint8_t *packet)
{
    union {
        struct cmsghdr align;
        uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {0};
    struct sockaddr_in dest = {.sin_family = AF_INET, .sin_port = htons(d->o.udp_port), .sin_addr = to};
    struct in_pktinfo info = {.ipi_ifindex = (int)l->index, .ipi_spec_dst = l->own};
    struct iovec iov = {.iov_base = packet, .iov_len = BEACON_PACKET_BYTES};
    struct msghdr m = {.msg_name = &dest,
                       .msg_namelen = sizeof(dest),
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.b,
                       .msg_controllen = sizeof(control.b)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(c), &info, sizeof(info));
    (void)sendmsg(d->v4, &m, MSG_NOSIGNAL);
}

static void send_link(const struct discover *d, const struct link *l, uint8_t *packet)
{
    if (l->v6 && d->v6 >= 0) {
        struct sockaddr_in6 dest = {
            .sin6_family = AF_INET6, .sin6_port = htons(d->o.udp_port), .sin6_scope_id = l->index};
        (void)inet_pton(AF_INET6, DISCOVER_GROUP_V6, &dest.sin6_addr);
        (void)sendto(d->v6, packet, BEACON_PACKET_BYTES, MSG_NOSIGNAL, (struct sockaddr *)&dest,
                     sizeof(dest));
    } else if (!l->v6 && d->v4 >= 0) {
        struct in_addr group;
        (void)inet_pton(AF_INET, DISCOVER_GROUP_V4, &group);
        send_v4(d, l, group, packet);
        if (l->has_broadcast) {
            send_v4(d, l, l->broadcast, packet);
        }
    }
}

static void send_all(const struct discover *d, const struct beacon *b)
{
    uint8_t packet[BEACON_PACKET_BYTES];
    beacon_pack(b, packet);
    for (size_t i = 0; i < d->n_links; i++) {
        send_link(d, &d->links[i], packet);
    }
}

static void announce(struct discover *d)
{
    struct beacon b = {.kind = BEACON_MEMBER, .from.port = d->o.tcp_port};
    (void)links_scan(d);
    if (d->member) {
        beacon_sign(&b, d->secret, &d->device, clock_wall_ms(d->o.clock), d->o.rng);
        memcpy(d->sent[d->sent_at], b.tag, BEACON_BYTES);
        d->sent_at = (d->sent_at + 1) % SENT_MAX;
        send_all(d, &b);
    }
    if (d->pairing) {
        b.kind = BEACON_PAIRING;
        memcpy(b.tag, d->pairing_tag, BEACON_BYTES);
        send_all(d, &b);
    }
}

/* ---- schedule ---------------------------------------------------------------------------------------------
 */

/* Some of the time away, so that devices do not speak in step. */
static int64_t jitter(const struct discover *d, int64_t ms)
{
    uint16_t r = 0;
    rng_fill(d->o.rng, &r, sizeof(r));
    return ms - (int64_t)r % (ms / 8 + 1);
}

static void announce_again(struct discover *d, int64_t now)
{
    int64_t wait = DISCOVER_EVERY_MS;
    if (d->burst > 0) {
        wait = d->burst == BURST_MORE ? DISCOVER_SPACING_MS : 3 * DISCOVER_SPACING_MS;
        d->burst--;
    } else if (d->pairing) {
        wait = DISCOVER_PAIRING_MS;
    }
    d->next_ms = d->member || d->pairing ? now + jitter(d, wait) : TIME_NONE;
}

void discover_announce(struct discover *d)
{
    int64_t now = clock_mono_ms(d->o.clock);
    int64_t soonest = d->last_ms + DISCOVER_SPACING_MS;
    if (!d->member && !d->pairing) {
        return;
    }
    soonest = soonest < now ? now : soonest;
    if (d->next_ms == TIME_NONE || soonest < d->next_ms) {
        d->next_ms = soonest;
    }
}

void discover_member(struct discover *d, const uint8_t *secret, const struct id *device)
{
    bool same = d->member == (secret != NULL) &&
                (secret == NULL || (secret_eq(secret, d->secret, KEY_BYTES) && id_eq(device, &d->device)));
    if (same) {
        return;
    }
    d->member = secret != NULL;
    mem_wipe(d->secret, sizeof(d->secret));
    if (secret != NULL) {
        memcpy(d->secret, secret, KEY_BYTES);
        d->device = *device;
        d->burst = BURST_MORE;
        discover_announce(d);
    } else {
        announce_again(d, clock_mono_ms(d->o.clock));
    }
}

void discover_pairing(struct discover *d, bool shown)
{
    if (shown && !d->pairing) {
        rng_fill(d->o.rng, d->pairing_tag, BEACON_BYTES);
    }
    d->pairing = shown;
    if (shown) {
        discover_announce(d);
    } else {
        announce_again(d, clock_mono_ms(d->o.clock));
    }
}

static void netlink_drain(struct discover *d)
{
    char junk[8192];
    bool any = false;
    while (d->netlink >= 0) {
        ssize_t n = recv(d->netlink, junk, sizeof(junk), 0);
        if (n < 0 && errno != ENOBUFS) { /* some were lost: no less a change */
            break;
        }
        any = true;
    }
    if (any && links_scan(d)) {
        d->burst = BURST_MORE;
        discover_announce(d);
    }
}

int64_t discover_step(struct discover *d)
{
    netlink_drain(d);
    d->budget = PACKETS_A_STEP;
    if (!d->scanned) {
        (void)links_scan(d); /* a joiner listens without ever announcing */
        d->scanned = true;
    }
    int64_t now = clock_mono_ms(d->o.clock);
    if (d->next_ms != TIME_NONE && d->next_ms <= now) {
        announce(d);
        d->last_ms = now;
        announce_again(d, now);
    }
    return d->next_ms;
}

/* ---- receiving --------------------------------------------------------------------------------------------
 */

/* Counts a packet of a source; false when it has sent too many. A new source takes the row seen longest ago.
 */
static bool source_may(struct discover *d, const struct addr *from, int64_t now)
{
    struct source *row = &d->sources[0];
    for (size_t i = 0; i < SOURCES_MAX; i++) {
        struct source *s = &d->sources[i];
        if (s->packets > 0 && addr_same_ip(&s->from, from)) {
            row = s;
            break;
        }
        row = s->since_ms < row->since_ms ? s : row;
    }
    if (row->packets == 0 || !addr_same_ip(&row->from, from) || now - row->since_ms > DISCOVER_WINDOW_MS) {
        *row = (struct source){.from = *from, .since_ms = now};
    }
    row->packets++;
    return row->packets <= DISCOVER_PACKETS_MAX;
}

static bool is_own(const struct discover *d, const struct beacon *b)
{
    for (size_t i = 0; i < SENT_MAX; i++) {
        if (memcmp(d->sent[i], b->tag, BEACON_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* The same beacon comes by multicast and by broadcast. */
static bool seen_before(struct discover *d, const struct beacon *b)
{
    for (size_t i = 0; i < SEEN_MAX; i++) {
        if (memcmp(d->seen[i].tag, b->tag, BEACON_BYTES) == 0 && addr_eq(&d->seen[i].from, &b->from)) {
            return true;
        }
    }
    d->seen[d->seen_at] = *b;
    d->seen_at = (d->seen_at + 1) % SEEN_MAX;
    return false;
}

static bool packet_take(struct discover *d, int fd, struct beacon *b, bool *more)
{
    uint8_t packet[BEACON_PACKET_BYTES + 1];
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } from;
    struct addr a;
    socklen_t len = sizeof(from);
    ssize_t n = recvfrom(fd, packet, sizeof(packet), 0, &from.any, &len);
    *more = n >= 0;
    if (n < 0 || !addr_from_socket(&a, &from.any) || !source_may(d, &a, clock_mono_ms(d->o.clock)) ||
        !beacon_unpack(b, bytes_of(packet, (size_t)n), &a)) {
        return false;
    }
    if (b->kind == BEACON_PAIRING) {
        /* Repeats the same tag; who listens for it sorts that out. */
        return !d->pairing || memcmp(b->tag, d->pairing_tag, BEACON_BYTES) != 0;
    }
    return !is_own(d, b) && !seen_before(d, b);
}

bool discover_next(struct discover *d, struct beacon *b)
{
    int fds[] = {d->v4, d->v6};
    for (size_t i = 0; i < 2; i++) {
        bool more = fds[i] >= 0;
        while (more && d->budget > 0) {
            d->budget--;
            if (packet_take(d, fds[i], b, &more)) {
                return true;
            }
        }
    }
    return false;
}
