#include "node/net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static int malformed(const char *text, struct err *e)
{
    (void)err_set(e, ERR_USAGE, "'%.80s' is no address", text);
    err_hint(e, "HOST:PORT or [IPV6]:PORT, as in 192.0.2.7:21736");
    return ERR_USAGE;
}

static bool port_parse(const char *text, uint16_t *port)
{
    unsigned long v = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 5) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        v = v * 10 + (unsigned long)(text[i] - '0');
    }
    *port = (uint16_t)v;
    return v <= UINT16_MAX;
}

/* What may stand in a name, an address or a zone: nothing that means something to a URL. */
static bool host_is_sane(const char *host, bool bracketed)
{
    static const char also[] = ".-_%";
    for (const char *p = host; *p != '\0'; p++) {
        bool alnum = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        if (!alnum && strchr(also, *p) == NULL && !(bracketed && *p == ':')) {
            return false;
        }
    }
    return host[0] != '\0';
}

int addr_split(const char *text, char host[ADDR_HOST_BYTES], uint16_t *port, struct err *e)
{
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    if (colon == NULL || !port_parse(colon + 1, port)) {
        return malformed(text, e);
    }
    const char *from = text + (bracketed ? 1 : 0);
    const char *end = colon - (bracketed ? 1 : 0);
    if (end < from || (bracketed && *end != ']') || end - from >= ADDR_HOST_BYTES) {
        return malformed(text, e);
    }
    size_t n = (size_t)(end - from);
    memcpy(host, from, n);
    host[n] = '\0';
    return host_is_sane(host, bracketed) ? 0 : malformed(text, e);
}

void addr_join(const char *host, uint16_t port, char out[ADDR_TEXT])
{
    bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(out, ADDR_TEXT, v6 ? "[%.253s]:%u" : "%.253s:%u", host, (unsigned)port);
}

bool addr_from_socket(struct addr *a, const struct sockaddr *s)
{
    *a = (struct addr){0};
    if (s->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, s, sizeof(in));
        memcpy(a->ip, v4_prefix, sizeof(v4_prefix));
        memcpy(a->ip + 12, &in.sin_addr, 4);
        a->port = ntohs(in.sin_port);
        return true;
    }
    if (s->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, s, sizeof(in6));
        memcpy(a->ip, &in6.sin6_addr, 16);
        a->port = ntohs(in6.sin6_port);
        a->scope = IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr) ? in6.sin6_scope_id : 0;
        return true;
    }
    return false;
}

bool addr_from_host(struct addr *a, const char *host)
{
    *a = (struct addr){0};
    if (inet_pton(AF_INET, host, a->ip + 12) == 1) {
        memcpy(a->ip, v4_prefix, sizeof(v4_prefix));
        return true;
    }
    char bare[INET6_ADDRSTRLEN];
    const char *zone = strchr(host, '%');
    size_t n = zone != NULL ? (size_t)(zone - host) : strlen(host);
    if (n >= sizeof(bare)) {
        return false;
    }
    memcpy(bare, host, n);
    bare[n] = '\0';
    if (zone != NULL) {
        a->scope = if_nametoindex(zone + 1);
        a->scope = a->scope != 0 ? a->scope : (uint32_t)strtoul(zone + 1, NULL, 10);
    }
    return inet_pton(AF_INET6, bare, a->ip) == 1;
}

void addr_text(const struct addr *a, char out[ADDR_TEXT])
{
    char host[INET6_ADDRSTRLEN + 16] = "";
    if (addr_is_v4(a)) {
        (void)inet_ntop(AF_INET, a->ip + 12, host, sizeof(host));
    } else {
        (void)inet_ntop(AF_INET6, a->ip, host, sizeof(host));
        size_t n = strlen(host);
        if (a->scope != 0) {
            (void)snprintf(host + n, sizeof(host) - n, "%%%u", a->scope);
        }
    }
    addr_join(host, a->port, out);
}

bool addr_is_v4(const struct addr *a)
{
    return memcmp(a->ip, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return addr_is_v4(a) ? a->ip[12] == 127 : memcmp(a->ip, one, 16) == 0;
}

bool addr_is_any(const struct addr *a)
{
    static const uint8_t zeros[16];
    return addr_is_v4(a) ? memcmp(a->ip + 12, zeros, 4) == 0 : memcmp(a->ip, zeros, 16) == 0;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
    return memcmp(a->ip, b->ip, 16) == 0 && a->scope == b->scope;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return addr_same_ip(a, b) && a->port == b->port;
}
