/* Finding the user's other devices on the local network.
 *
 * A beacon is one UDP packet of 27 bytes, sent to an IPv4 multicast group, to the broadcast address and to an
 * IPv6 link-local group of every interface that is up, from the start on (three times, in case one is lost),
 * then every 30 s and when the network has changed (netlink says so):
 *
 *   offset size
 *   0      1    kind: 1 a device of a group, 2 a device that shows a pairing code
 *   1      24   kind 1: crypto/beacon.h over kind ‖ port ‖ device id, keyed with the group's secret; the id
 * is not in the packet, whoever has the secret tries its members' ids. kind 2: random, the same as long as
 * the code is shown 25     2    TCP port, big-endian
 *
 * Strangers learn that somebody here runs this program and on which port, no identity and nothing that
 * outlives the packet. What comes in is counted by address and dropped when too much; packets of other sizes
 * are dropped. A beacon only ever leads to a dial, and the handshake decides.
 */
#ifndef NODE_NET_DISCOVER_H
#define NODE_NET_DISCOVER_H

#include "crypto/beacon.h"
#include "node/net/addr.h"

#define DISCOVER_EVERY_MS 30000
#define DISCOVER_PAIRING_MS 2000 /* while a code is shown */
#define DISCOVER_SPACING_MS 1000 /* between any two announcements */
#define DISCOVER_PACKETS_MAX 20  /* from one address in DISCOVER_WINDOW_MS */
#define DISCOVER_WINDOW_MS 5000
#define DISCOVER_GROUP_V4 "239.83.69.76"
#define DISCOVER_GROUP_V6 "ff02::5345:4c46"

enum beacon_kind { BEACON_MEMBER = 1, BEACON_PAIRING = 2 };
#define BEACON_PACKET_BYTES (1 + BEACON_BYTES + 2)

struct beacon {
    enum beacon_kind kind;
    uint8_t tag[BEACON_BYTES];
    struct addr from; /* its port is the one that the packet names */
};

/* Packets: pure. */
void beacon_pack(const struct beacon *b, uint8_t out[BEACON_PACKET_BYTES]);
/* False: not ours. `from` is the sender's, its port is replaced. */
bool beacon_unpack(struct beacon *b, struct bytes packet, const struct addr *from);
/* The tag of a member's beacon, and whether one is that device's. */
void beacon_sign(struct beacon *b, const uint8_t secret[KEY_BYTES], const struct id *device, int64_t wall_ms,
                 const struct rng *rng);
bool beacon_is_of(const struct beacon *b, const uint8_t secret[KEY_BYTES], const struct id *device,
                  int64_t wall_ms);

struct discover_options {
    const struct clock *clock;
    const struct rng *rng;
    uint16_t udp_port, tcp_port;
    struct addr only; /* interfaces that have this address; "any": all */
};

struct discover;
int discover_open(struct discover **out, const struct discover_options *o, struct err *e) MUST_CHECK;
void discover_close(struct discover *d); /* NULL fine; wipes the secret */
int discover_fd(const struct discover *d);
/* From now on announces this device; secret NULL: does not. */
void discover_member(struct discover *d, const uint8_t *secret, const struct id *device);
/* From now on announces that a code is shown here, or no longer. */
void discover_pairing(struct discover *d, bool shown);
/* Announce soon, whatever the schedule. */
void discover_announce(struct discover *d);
/* Sends what is due, takes note of network changes; returns when to call again (monotonic ms, TIME_NONE). */
int64_t discover_step(struct discover *d);
/* The next beacon that came in since discover_step(), without those seen a moment ago and our own pairing
 * ones; pairing ones repeat. False: none. */
bool discover_next(struct discover *d, struct beacon *b);

#endif
