/* The loops of media/sockets/native.py: every packet of a tick in one call, and every packet that leaves in another.
 *
 * Plain C without Python's headers, so that one build serves every version of Python. Nothing here blocks, allocates
 * after the start, or trusts what a peer sends: lengths are bounded by the kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define VERSION 1
#define PORTION 8    /* packets taken from one socket per tick, at most: 160 ms of a peer that had been held up */
#define EVENTS 8192  /* sockets looked at per tick, at most; the kernel hands them out in turn */
#define ERRORS 64
#define ANCILLARY 64
#define CONTROL_BIT (1u << 31)

/* One address, as native.py lays it into an array of 32 octets a line. */
struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address;
    uint32_t length;
};

/* Where packets go: `capacity` lines of `stride` octets, and what is known of each line. The arrays are Python's. */
struct inbox {
    int32_t capacity, stride, count, padding;
    uint8_t *data;
    int64_t *lengths, *rows, *arrivals;
    struct place *sources;
    struct mmsghdr *messages;
    struct iovec *parts;
    uint8_t *ancillary;
};

/* The kernel writes what it used over what there was room for. */
static void make_ready(struct msghdr *header) {
    header->msg_namelen = sizeof(struct sockaddr_in6);
    header->msg_controllen = ANCILLARY;
}

int antiphon_version(void) { return VERSION; }

/* 0, or -1 where there is no memory. */
int antiphon_prepare(struct inbox *inbox) {
    size_t n = (size_t)inbox->capacity;
    inbox->messages = calloc(n, sizeof *inbox->messages);
    inbox->parts = calloc(n, sizeof *inbox->parts);
    inbox->ancillary = calloc(n, ANCILLARY);
    if (!inbox->messages || !inbox->parts || !inbox->ancillary) return -1;
    for (size_t i = 0; i < n; i++) {
        struct msghdr *header = &inbox->messages[i].msg_hdr;
        inbox->parts[i].iov_base = inbox->data + i * (size_t)inbox->stride;
        inbox->parts[i].iov_len = (size_t)inbox->stride;
        header->msg_name = &inbox->sources[i].address;
        header->msg_iov = &inbox->parts[i];
        header->msg_iovlen = 1;
        header->msg_control = inbox->ancillary + i * ANCILLARY;
        make_ready(header);
    }
    return 0;
}

void antiphon_release(struct inbox *inbox) {
    free(inbox->messages);
    free(inbox->parts);
    free(inbox->ancillary);
}

/* 0, or the error's number. */
int antiphon_watch(int epoll, int fd, uint32_t row, int control) {
    struct epoll_event event = {.events = EPOLLIN};
    event.data.u64 = (uint64_t)fd << 32 | row | (control ? CONTROL_BIT : 0);
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? errno : 0;
}

/* Empty a socket's queue of ICMP errors; until that is done epoll reports it again and again. Returns how many. */
static int take_errors(int fd) {
    uint8_t octet, ancillary[512];
    int taken = 0;
    for (; taken < ERRORS; taken++) {
        struct iovec part = {&octet, 1};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary, .msg_controllen = sizeof ancillary};
        if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    }
    return taken;
}

/* The kernel's receive time in samples at 8 kHz, -1 where it did not come with the packet. */
static int64_t arrival(struct msghdr *header) {
    struct cmsghdr *part = CMSG_FIRSTHDR(header);
    struct timespec at;
    if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) return -1;
    memcpy(&at, CMSG_DATA(part), sizeof at);
    return (int64_t)at.tv_sec * 8000 + at.tv_nsec / 125000;
}

static void take(struct inbox *inbox, int fd, int64_t row) {
    int first = inbox->count, room = inbox->capacity - first;
    if (room > PORTION) room = PORTION;
    int got = room > 0 ? recvmmsg(fd, inbox->messages + first, (unsigned)room, MSG_DONTWAIT, NULL) : 0;
    for (int i = first; i < first + got; i++) {
        inbox->lengths[i] = inbox->messages[i].msg_len;
        inbox->rows[i] = row;
        inbox->arrivals[i] = arrival(&inbox->messages[i].msg_hdr);
        make_ready(&inbox->messages[i].msg_hdr);
    }
    if (got > 0) inbox->count += got;
}

/* Everything that has come, within PORTION per socket. Returns how many ICMP errors were waiting. */
int antiphon_receive(int epoll, struct inbox *audio, struct inbox *control) {
    static struct epoll_event events[EVENTS];
    int refused = 0, ready = epoll_wait(epoll, events, EVENTS, 0);
    audio->count = control->count = 0;
    for (int i = 0; i < ready; i++) {
        int fd = (int)(events[i].data.u64 >> 32);
        uint32_t row = (uint32_t)events[i].data.u64;
        if (events[i].events & EPOLLERR) refused += take_errors(fd);
        if (events[i].events & EPOLLIN) take(row & CONTROL_BIT ? control : audio, fd, row & ~CONTROL_BIT);
    }
    return refused;
}

/* Packet i, `length` octets at i * stride, from the socket of row rows[i] to where that row aims. Returns how many were refused. */
int antiphon_send(int count, const int64_t *rows, const int32_t *fds, const struct place *targets,
                  const uint8_t *packets, int64_t stride, int64_t length) {
    int refused = 0;
    for (int i = 0; i < count; i++) {
        const struct place *to = &targets[rows[i]];
        const uint8_t *packet = packets + i * stride;
        if (!to->length) continue;
        if (sendto(fds[rows[i]], packet, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL, &to->address.any, to->length) >= 0) continue;
        /* The first try reported the ICMP error of an earlier packet (ECONNREFUSED ...), which cleared it; once more. */
        if (sendto(fds[rows[i]], packet, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL, &to->address.any, to->length) < 0) refused++;
    }
    return refused;
}
