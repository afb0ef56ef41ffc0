// Two devices of DPDK's net_ring joined crosswise: what one sends the other receives, untouched.
#pragma once
#include <stdint.h>

struct ring_pair;

/// Rings for both directions, each with room for one packet less than `slots`, a power of two. DPDK must run. They stay until it
/// stops. NULL when there is no memory.
struct ring_pair *ring_pair_make(const char *name, unsigned slots);

/// The string that names a device, 0 or 1: `net_ring…,internal=0x…`.
const char *ring_pair_device(const struct ring_pair *pair, unsigned number);

/// How many packets are on their way to a device.
unsigned ring_pair_waiting(const struct ring_pair *pair, unsigned number);

/// Has all packets on their way to a device come as if it had found out that of them: flags (RTE_MBUF_F_RX_*), a tag, a hash, and
/// unless `offset` is 0 the time that stands there in an mbuf.
void ring_pair_describe(
    struct ring_pair *pair, unsigned number, uint64_t flags, uint16_t tag, uint32_t hash, unsigned offset, uint64_t time);
