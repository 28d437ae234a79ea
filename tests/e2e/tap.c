/* A relay that keeps a copy: listens on a free port of 127.0.0.1, says which on standard output, and passes
 * every connection on to 127.0.0.1:PORT, writing all bytes of both directions to FILE. For showing what an
 * eavesdropper on the network gets.
 *
 *     tap PORT FILE [N]    ends when it is killed
 *
 * With N it passes on so many messages (2 bytes of length, then that many) of both directions together, and
 * keeps back what follows, with the connections open: so that a test can end one side at that very place.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS 64

static int ends[2 * PAIRS];                    /* ends[2i] and ends[2i + 1] belong together; -1 free */
static unsigned long left = (unsigned long)-1; /* messages to be passed on */
static struct course {
    unsigned have; /* bytes of the length that were read, 0..2 */
    unsigned length, rest;
} course[2 * PAIRS]; /* where in a message each direction is */

static struct sockaddr_in loopback(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int listen_anywhere(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
        perror("tap");
        exit(1);
    }
    printf("%u\n", (unsigned)ntohs(a.sin_port));
    (void)fflush(stdout);
    return fd;
}

static void take_connection(int listener, unsigned port)
{
    struct sockaddr_in to = loopback(port);
    int from = accept(listener, NULL, NULL);
    int slot = 0;
    while (slot < PAIRS && ends[2 * slot] >= 0) {
        slot++;
    }
    int fd = slot < PAIRS && from >= 0 ? socket(AF_INET, SOCK_STREAM, 0) : -1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(from);
        (void)close(fd);
        return;
    }
    ends[2 * slot] = from;
    ends[2 * slot + 1] = fd;
}

static int write_all(int fd, const char *p, ssize_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, (size_t)n);
        if (done <= 0) {
            return -1;
        }
        p += done;
        n -= done;
    }
    return 0;
}

/* Whether one more byte of that direction may pass. */
static int byte_passes(struct course *c, unsigned char byte)
{
    if (c->have == 0 && left == 0) {
        return 0;
    }
    if (c->have < 2) {
        left -= c->have == 0 ? 1 : 0;
        c->length = c->length << 8 | byte;
        c->rest = c->length;
        c->have++;
        return 1;
    }
    c->rest--;
    if (c->rest == 0) {
        *c = (struct course){0};
    }
    return 1;
}

static void pass_on(int i, FILE *copy)
{
    char room[65536];
    ssize_t n = read(ends[i], room, sizeof room);
    ssize_t pass = 0;
    while (pass < n && byte_passes(&course[i], (unsigned char)room[pass])) {
        pass++;
    }
    if (pass > 0) {
        (void)fwrite(room, 1, (size_t)pass, copy);
        (void)fflush(copy);
    }
    if (n <= 0 || write_all(ends[i ^ 1], room, pass) != 0) {
        (void)close(ends[i]);
        (void)close(ends[i ^ 1]);
        ends[i] = ends[i ^ 1] = -1;
        course[i] = course[i ^ 1] = (struct course){0};
    }
}

int main(int argc, char **argv)
{
    FILE *copy = argc == 3 || argc == 4 ? fopen(argv[2], "w") : NULL;
    if (copy == NULL) {
        (void)fputs("usage: tap PORT FILE [N]\n", stderr);
        return 2;
    }
    left = argc == 4 ? strtoul(argv[3], NULL, 10) : left;
    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 2 * PAIRS; i++) {
        ends[i] = -1;
    }
    int listener = listen_anywhere();
    for (;;) {
        struct pollfd fds[2 * PAIRS + 1];
        for (int i = 0; i < 2 * PAIRS; i++) {
            fds[i] = (struct pollfd){.fd = ends[i], .events = POLLIN};
        }
        fds[2 * PAIRS] = (struct pollfd){.fd = listener, .events = POLLIN};
        if (poll(fds, 2 * PAIRS + 1, -1) < 0) {
            return 1;
        }
        for (int i = 0; i < 2 * PAIRS; i++) {
            if (fds[i].revents != 0 && ends[i] == fds[i].fd && ends[i] >= 0) {
                pass_on(i, copy);
            }
        }
        if (fds[2 * PAIRS].revents != 0) {
            take_connection(listener, (unsigned)strtoul(argv[1], NULL, 10));
        }
    }
}
