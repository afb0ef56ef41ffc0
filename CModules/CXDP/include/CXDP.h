// libxdp and libbpf, and what Debian 12's kernel headers are too old to name.
#pragma once
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_xdp.h>
#include <stddef.h>
#include <stdint.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>

#include "../../../BPF/steer.h"

/// From linux/if_xdp.h of Linux 6.6: frames of several descriptors, and "one more follows".
enum { APUS_XDP_USE_SG = 1 << 4, APUS_XDP_PKT_CONTD = 1 << 0 };

/// The four rings of a socket as libxdp maps them. libxdp keeps pointers to these.
struct apus_xdp_rings {
    struct xsk_ring_cons receive;
    struct xsk_ring_prod transmit;
    struct xsk_ring_prod fill;
    struct xsk_ring_cons completion;
};

/// XDP_STATISTICS as kernels since Linux 5.9 give it; older ones leave the last three at 0.
struct apus_xdp_statistics {
    uint64_t rx_dropped;
    uint64_t rx_invalid_descs;
    uint64_t tx_invalid_descs;
    uint64_t rx_ring_full;
    uint64_t rx_fill_ring_empty_descs;
    uint64_t tx_ring_empty_descs;
};

/// Reads a socket's XDP_STATISTICS: 0, or a negative errno.
int apus_xdp_read_statistics(int socket, struct apus_xdp_statistics *statistics);

/// Whether the socket was granted zero-copy (XDP_OPTIONS).
int apus_xdp_is_zero_copy(int socket);

/// Makes the kernel drive the queue from our system calls: SO_PREFER_BUSY_POLL, SO_BUSY_POLL and
/// SO_BUSY_POLL_BUDGET. 0, or a negative errno.
int apus_xdp_busy_poll(int socket, int microseconds, int budget);

/// Room for `bytes` of socket buffers in flight: copy mode makes one of each packet sent.
void apus_xdp_send_buffer(int socket, int bytes);

/// Collects what libbpf and libxdp would print on the calling thread, until taken. What other
/// threads print goes where it went before.
void apus_xdp_log_begin(void);

/// The text since apus_xdp_log_begin, at most 8 KiB; valid until the thread's next begin.
const char *apus_xdp_log_end(void);

/// Where libxdp looks for the BPF file system.
const char *apus_xdp_bpffs(void);

/// Whether a BPF file system is mounted there.
int apus_xdp_has_bpffs(void);

/// The RX queues (low half) and TX queues (high half) that the interface with this index has in use; 0 when there is
/// none. Bonds, macvlans and some others don't say; then it is as many as the kernel has in /sys, where a
/// frame keeps the number of the queue it came in by beneath; 1 and 1 where /sys does not show it.
uint64_t apus_xdp_queues(int index);

/// The MTU of the interface with this index, or a negative errno.
int apus_xdp_mtu(int index);

/// open_mem with the options that Swift can't express (a struct that ends in a bit field).
struct bpf_object *apus_xdp_open(const void *object, size_t size, const char *name);

/// Runs an XDP program on a packet of the length given and returns its verdict, or a negative errno.
int apus_xdp_test_run(int program, const void *packet, uint32_t length);

/// Shares one socket's role as the UMEM's socket (see XDPMemory): a descriptor number that libxdp
/// knows is made to name another socket. 0, or a negative errno.
int apus_xdp_replace_fd(int existing, int number);
