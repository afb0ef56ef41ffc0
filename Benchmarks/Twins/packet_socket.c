// C's port over packet(7), TPACKET_V2 to receive and sendmmsg(2) to send: the algorithm of Sources/ApusPacketSocket/Driver
// with packet.h's frames, and the loops of loops.h over it. What is for interfaces that go down or change their MTU is
// left out, as it is looked at only when something failed.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet.h"

enum { PACKET_IGNORE = 23 /* PACKET_IGNORE_OUTGOING */ };

struct packet_port {
    uint8_t *rx, *tx;
    struct mmsghdr *messages;
    struct iovec *parts;
    size_t slots, next, producer, first, pending_bytes, longest;
    struct pool *pool;
    int receiver, sender;
    uint64_t received, received_bytes, sent, sent_bytes, dropped;
};

static inline uint32_t status_of(const uint8_t *slot) {
    return __atomic_load_n((const uint32_t *)slot, __ATOMIC_ACQUIRE);
}
static inline void set_status(uint8_t *slot, uint32_t status) {
    __atomic_store_n((uint32_t *)slot, status, __ATOMIC_RELEASE);
}

static uint8_t *ring(int file, size_t slots) {
    struct tpacket_req request = {
        .tp_block_size = 1 << 16, .tp_block_nr = (unsigned)(slots * SLOT >> 16),
        .tp_frame_size = SLOT, .tp_frame_nr = (unsigned)slots};
    if (setsockopt(file, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0) return NULL;
    void *memory = mmap(NULL, slots * SLOT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int bind_to(int file, const char *interface, uint16_t protocol) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)if_nametoindex(interface)};
    // Number 0 would be all interfaces.
    return address.sll_ifindex == 0 ? -1 : bind(file, (struct sockaddr *)&address, sizeof address);
}

// Memory of zeros that begins a page.
static void *cleared(size_t size) { return memset(aligned_alloc(4096, (size + 4095) / 4096 * 4096), 0, size); }

// Closes it: its frames and rings are gone.
void packet_close(struct packet_port *port) {
    if (port->rx != NULL) munmap(port->rx, port->slots * SLOT);
    close(port->receiver), close(port->sender);
    free(port->tx), free(port->messages), free(port->parts);
    free_pool(port->pool), free(port);
}

// NULL, with errno, if it can't be opened.
struct packet_port *packet_open(const char *interface, size_t frames, size_t slots) {
    int version = TPACKET_V2, one = 1, room = (int)(slots * (SLOT + 1024));
    struct packet_port *port = aligned_alloc(128, (sizeof *port + 127) / 128 * 128);
    *port = (struct packet_port){
        .slots = slots, .longest = 1514, .pool = make_pool(frames),
        .receiver = socket(AF_PACKET, SOCK_RAW, 0), .sender = socket(AF_PACKET, SOCK_RAW, 0)};
    setsockopt(port->receiver, SOL_PACKET, PACKET_VERSION, &version, sizeof version);
    setsockopt(port->receiver, SOL_PACKET, PACKET_IGNORE, &one, sizeof one);
    // Whether the kernel has merged datagrams is told in front of each packet.
    setsockopt(port->receiver, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one);
    setsockopt(port->sender, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    setsockopt(port->sender, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    port->rx = ring(port->receiver, slots);
    port->tx = cleared(slots * SLOT);
    port->messages = cleared(slots * sizeof *port->messages), port->parts = cleared(slots * sizeof *port->parts);
    for (size_t i = 0; i < slots; i++) {
        port->parts[i].iov_base = port->tx + i * SLOT;
        port->messages[i].msg_hdr.msg_iov = &port->parts[i], port->messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (port->rx != NULL && bind_to(port->receiver, interface, ETH_P_ALL) == 0 && bind_to(port->sender, interface, 0) == 0)
        return port;
    int error = errno;
    packet_close(port);
    errno = error;
    return NULL;
}

static inline uint16_t flags_of(uint32_t status) {
    return (uint16_t)((status & TP_STATUS_CSUMNOTREADY ? 1 : 0) | (status & TP_STATUS_CSUM_VALID ? 2 : 0)
                      | (status & TP_STATUS_TS_RAW_HARDWARE ? 4 : 0));
}

static inline size_t packet_receive(struct packet_port *port, struct burst *burst) {
    if (burst->start != 0) compact(burst);
    size_t packets = 0, bytes = 0, end = burst->end;
    for (size_t budget = BURST - burst_count(burst); budget > 0; budget--) {
        uint8_t *slot = port->rx + port->next * SLOT;
        if (!(status_of(slot) & TP_STATUS_USER)) break;
        for (int line = 0; line < 3; line++) __builtin_prefetch(slot + SLOT + 64 * line);
        const struct tpacket2_hdr *header = (const struct tpacket2_hdr *)slot;
        uint32_t status = header->tp_status, captured = header->tp_snaplen;
        size_t tag = status & TP_STATUS_VLAN_VALID ? 4 : 0, length = header->tp_len + tag;
        const uint8_t *from = slot + header->tp_mac;
        if (unlikely(length > SLOT - DATA_OFFSET || captured < header->tp_len || length < tag * 4)) {
            port->dropped++;
        } else {
            for (size_t line = 192; line < length + 128; line += 64) __builtin_prefetch(slot + SLOT + line);
            // No merged datagrams come in the suites.
            if (unlikely(((const struct virtio_net_hdr *)(from - sizeof(struct virtio_net_hdr)))->gso_type != 0)) abort();
            struct frame *frame = take_frame(port->pool);
            if (frame == NULL) break;
            frame->length = (uint32_t)length;
            frame->timestamp = (uint64_t)header->tp_sec * 1000000000u + header->tp_nsec;
            frame->flags = flags_of(status);
            uint8_t *to = data(frame);
            if (likely(tag == 0)) {
                memcpy(to, from, length);
            } else {
                memcpy(to, from, 12);
                put16(to + 12, status & TP_STATUS_VLAN_TPID_VALID ? header->tp_vlan_tpid : ETH_P_8021Q);
                put16(to + 14, header->tp_vlan_tci);
                memcpy(to + 16, from + 12, length - 16);
            }
            burst->frames[end++] = frame;
            packets++, bytes += length;
        }
        set_status(slot, TP_STATUS_KERNEL);
        if (++port->next == port->slots) port->next = 0;
    }
    burst->end = end;
    port->received += packets, port->received_bytes += bytes;
    return packets;
}

static inline void packet_flush(struct packet_port *port) {
    while (port->first < port->producer) {
        size_t start = port->first & (port->slots - 1), count = port->producer - port->first;
        if (count > port->slots - start) count = port->slots - start;
        int sent = sendmmsg(port->sender, port->messages + start, count < 1024 ? (unsigned)count : 1024, MSG_DONTWAIT);
        if (sent <= 0) {
            if (errno != EAGAIN && errno != ENOBUFS) abort();
            return;
        }
        port->sent += (uint64_t)sent;
        if (likely(port->first + (size_t)sent == port->producer)) {
            port->sent_bytes += port->pending_bytes;
            port->first = port->producer = port->pending_bytes = 0;
            return;
        }
        for (int i = 0; i < sent; i++) {
            size_t length = port->parts[port->first++ & (port->slots - 1)].iov_len;
            port->sent_bytes += length, port->pending_bytes -= length;
        }
    }
}

static inline size_t packet_transmit(struct packet_port *port, struct burst *burst) {
    size_t taken = 0;
    bool may_kick = true;
    for (size_t wanted = burst_count(burst); taken < wanted; taken++) {
        struct frame *frame = burst->frames[burst->start + taken];
        if (unlikely(frame->next != NULL)) abort();
        if (unlikely(frame->length > port->longest || frame->length < ETH_HLEN)) {
            port->dropped++;
            release(frame);
            continue;
        }
        if (unlikely(port->producer - port->first == port->slots)) {
            if (!may_kick) break;
            may_kick = false;
            packet_flush(port);
            if (port->producer - port->first == port->slots) break;
        }
        size_t slot = port->producer++ & (port->slots - 1);
        memcpy(port->tx + slot * SLOT, data(frame), frame->length);
        port->parts[slot].iov_len = frame->length;
        port->pending_bytes += frame->length;
        release(frame);
    }
    burst->start += taken;
    if (burst->start == burst->end) burst->start = burst->end = 0;
    return taken;
}

static inline size_t packet_waiting(const struct packet_port *port) { return port->producer - port->first; }

#define PORT struct packet_port
#define RECEIVE packet_receive
#define TRANSMIT packet_transmit
#define FLUSH packet_flush
#define WAITING packet_waiting
#include "loops.h"

size_t packet_drain(struct packet_port *port, size_t wanted) { return drain(port, wanted); }
size_t packet_echo(struct packet_port *port, size_t wanted) { return echo(port, wanted); }
size_t packet_send(struct packet_port *port, const uint8_t *headers, size_t size, size_t wanted) {
    return fill_and_send(port, headers, size, wanted);
}
