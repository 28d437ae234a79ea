/* Internet addresses: one struct for both families, and their text "HOST:PORT". */
#ifndef NODE_NET_ADDR_H
#define NODE_NET_ADDR_H

#include "base/bytes.h"

#include <sys/socket.h>

#define ADDR_HOST_BYTES 254 /* a host name, with its NUL */
#define ADDR_TEXT 270       /* "HOST:PORT", brackets and NUL included */

struct addr {
    uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
    uint32_t scope; /* interface of a link-local address, else 0 */
};

/* Splits "HOST:PORT" or "[IPV6]:PORT"; the host may be a name, is not looked up, and comes without brackets.
 * Port 0..65535. ERR_USAGE. */
int addr_split(const char *text, char host[ADDR_HOST_BYTES], uint16_t *port, struct err *e) MUST_CHECK;
/* Puts them together again, with brackets around an IPv6 address. */
void addr_join(const char *host, uint16_t port, char out[ADDR_TEXT]);

/* From what the system gives; false for other families. */
bool addr_from_socket(struct addr *a, const struct sockaddr *s);
/* A numeric host, no name; false otherwise. */
bool addr_from_host(struct addr *a, const char *host);
void addr_text(const struct addr *a, char out[ADDR_TEXT]);
bool addr_is_v4(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
bool addr_is_any(const struct addr *a);
bool addr_eq(const struct addr *a, const struct addr *b);      /* port and scope too */
bool addr_same_ip(const struct addr *a, const struct addr *b); /* address and scope */

#endif
