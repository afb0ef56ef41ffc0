// DPDK as Swift sees it: none of DPDK's own headers, which have what Swift can't model (bit fields, markers, aligned
// structs, inlines full of intrinsics), but plain structs and functions over them. What is here of a DPDK struct lies as it
// does there; the sources assert it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// MARK: the environment abstraction layer (eal.c)

/// Gets each line that DPDK logs, without its newline; `level` is 1 for emergency to 8 for debug (rte_log.h). On any thread.
typedef void (*apus_eal_log)(int level, const char *line);

/// Starts the environment with these arguments, of which the first is a program's name and which have to stay, on a thread of
/// its own. 0, or a negative errno. Once a process.
int apus_eal_start(int count, char **arguments, apus_eal_log log);

/// Whether a folder is in a file system of hugepages.
bool apus_is_hugetlbfs(const char *folder);
/// Stops it; all ports must be closed. It can't be started again.
void apus_eal_stop(void);

/// The version of the library that runs: `DPDK 22.11.11`. Also before it is started.
const char *apus_dpdk_version(void);

/// Where the drivers are looked for that are libraries of their own.
const char *apus_dpdk_drivers(void);

/// Whether memory is in hugepages.
bool apus_eal_has_hugepages(void);

/// Gives the calling thread a number among those that have caches in DPDK's pools, until it ends. 0, or a negative errno when
/// all numbers are taken: then it works without caches.
int apus_eal_join(void);

// MARK: pools of frames (pool.c)

/// What is in front of an Apus frame's data and its own header: DPDK's header of the same buffer.
struct apus_mbuf {
    void *buf_addr;
    uint64_t buf_iova;
    uint16_t data_off;
    uint16_t refcnt;
    uint16_t nb_segs;
    uint16_t port;
    uint64_t ol_flags;
    uint32_t packet_type;
    uint32_t pkt_len;
    uint16_t data_len;
    uint16_t vlan_tci;
    uint32_t rss;
    uint32_t hash_high;
    uint16_t vlan_tci_outer;
    uint16_t buf_len;
    void *pool;
    struct apus_mbuf *next;
    uint64_t tx_offload;
};

/// The bytes from an mbuf to the Apus frame header behind it.
enum { APUS_MBUF_SIZE = 128 };

struct rte_mempool;

/// A pool of `count` buffers, each with `header` bytes for Apus between the mbuf and the buffer of `room` bytes. NULL, and
/// errno, when there is no memory for it.
struct rte_mempool *apus_pool_make(const char *name, unsigned count, unsigned header, unsigned room, int socket);
void apus_pool_free(struct rte_mempool *pool);

/// Calls `body` for each mbuf of the pool.
void apus_pool_each(struct rte_mempool *pool, void (*body)(void *context, struct apus_mbuf *mbuf), void *context);

/// Takes `count` mbufs out: 0, or a negative errno and none.
int apus_pool_take(struct rte_mempool *pool, struct apus_mbuf **mbufs, unsigned count);
/// Puts them back, each alone and with one reference.
void apus_pool_give(struct rte_mempool *pool, struct apus_mbuf **mbufs, unsigned count);

/// The mbufs that are in it, those in threads' caches too. Exact while nobody takes or gives any.
unsigned apus_pool_available(const struct rte_mempool *pool);

/// Whether all mbufs are in the pool itself, and none in a thread's cache but this one's, which is emptied. Also while others give
/// some back: none is counted twice.
bool apus_pool_is_full(struct rte_mempool *pool);

// MARK: ports (port.c)

/// What a device is and can, of rte_eth_dev_info.
struct apus_port_info {
    char driver[64];
    char device[64];
    int socket;
    uint16_t max_rx_queues, max_tx_queues, min_mtu, max_mtu;
    uint16_t min_rx_bufsize, rss_key_size;
    uint64_t rx_offloads, tx_offloads, rss_types;
    uint32_t index;
    bool has_rx_interrupts, has_link_interrupts;
};

/// How a port is to be set up.
struct apus_port_setup {
    uint16_t rx_queues, tx_queues, rx_descriptors, tx_descriptors, mtu;
    // The kinds of packets whose flows are hashed, with a symmetric key; none for one queue that nobody wants hashes of.
    uint64_t rx_offloads, tx_offloads, rss_types;
    bool rx_interrupts, promiscuous, sets_mtu;
    const uint8_t *mac;
    struct rte_mempool **pools;
};

/// Which step of a set-up failed.
enum apus_port_step {
    APUS_STEP_NONE, APUS_STEP_CONFIGURE, APUS_STEP_DESCRIPTORS, APUS_STEP_MTU, APUS_STEP_RX_QUEUE, APUS_STEP_TX_QUEUE,
    APUS_STEP_MAC, APUS_STEP_START, APUS_STEP_PROMISCUOUS,
};

/// Takes up a device by the string that names it and its arguments, and gives its port's number. 0, or a negative errno.
int apus_port_probe(const char *devargs, const char *name, uint16_t *port);
/// Whether there is a port of that name already.
bool apus_port_exists(const char *name);
int apus_port_info(uint16_t port, struct apus_port_info *info);
/// Sets up and starts it; the numbers of descriptors become those that it got. 0, or a negative errno and the step.
int apus_port_start(uint16_t port, struct apus_port_setup *setup, enum apus_port_step *step);
/// Stops it; what waits to be received is dropped.
void apus_port_stop(uint16_t port);
/// Closes it and lets go of its device.
int apus_port_close(uint16_t port);

int apus_port_mac(uint16_t port, uint8_t mac[6]);
int apus_port_mtu(uint16_t port, uint16_t *mtu);
int apus_port_set_mtu(uint16_t port, uint16_t mtu);
int apus_port_set_promiscuous(uint16_t port, bool promiscuous);
// MARK: links (link.c)

/// 1 when it is up, 0 when down, or a negative errno; the speed is in Mbit/s.
int apus_port_link(uint16_t port, uint32_t *speed, bool *full_duplex);
/// Has the eventfd be readable when the driver tells of a change. 0, or a negative errno.
int apus_port_watch_link(uint16_t port, int bell);
/// Afterwards nothing writes to the eventfd any more.
void apus_port_unwatch_link(uint16_t port, int bell);
/// How many changes drivers have told of, of all devices that had this number.
unsigned apus_port_link_events(uint16_t port);
/// Packets that the device says it has received.
uint64_t apus_port_received(uint16_t port);

/// Where in an mbuf its receive timestamp stands, and the flag of those that have one. 0, or a negative errno.
int apus_port_timestamps(int *offset, uint64_t *flag);
/// The clock of the device, in its own unit. 0, or a negative errno.
int apus_port_clock(uint16_t port, uint64_t *ticks);

/// Of rte_eth_stats.
struct apus_port_counters { uint64_t missed, rx_errors, tx_errors, no_mbuf; };
int apus_port_counters(uint16_t port, struct apus_port_counters *counters);

/// The number of extended statistics; names of 64 bytes each, and values.
int apus_port_xstat_names(uint16_t port, char *names, unsigned count);
int apus_port_xstats(uint16_t port, uint64_t *values, unsigned count);

/// The descriptor that is readable when a queue's interrupt came, or a negative errno.
int apus_port_interrupt_descriptor(uint16_t port, uint16_t queue);
/// What that is: none, or one that stays readable once it was; one that is readable for as long as packets wait; an eventfd
/// or a UIO device, to be armed and read.
enum apus_port_event { APUS_EVENT_NONE, APUS_EVENT_LEVEL, APUS_EVENT_COUNTER };
enum apus_port_event apus_port_event(uint16_t port);
/// Reads the eventfd or the UIO device; whether there was something to read.
bool apus_port_clear_event(uint16_t port, uint16_t queue);
int apus_port_arm(uint16_t port, uint16_t queue);
int apus_port_disarm(uint16_t port, uint16_t queue);

/// Makes a buffer the one behind another; NULL when there is none.
void apus_mbuf_join(struct apus_mbuf *mbuf, struct apus_mbuf *next);
/// A copy of a packet that does not lie in the buffers of its mbufs, in those of a pool; the packet is let go of. NULL when the
/// pool has too few.
struct apus_mbuf *apus_mbuf_own(struct apus_mbuf *mbuf, struct rte_mempool *pool);

/// rte_eth_rx_burst and rte_eth_tx_burst.
uint16_t apus_port_receive(uint16_t port, uint16_t queue, struct apus_mbuf **mbufs, uint16_t count);
uint16_t apus_port_transmit(uint16_t port, uint16_t queue, struct apus_mbuf **mbufs, uint16_t count);
/// Makes the device prepare what it was asked to do for these packets: how many it can send.
uint16_t apus_port_prepare(uint16_t port, uint16_t queue, struct apus_mbuf **mbufs, uint16_t count);
/// Has the device give back buffers that it has sent.
void apus_port_clean_up(uint16_t port, uint16_t queue);

// The offloads, by their names in DPDK.
static const uint64_t APUS_RX_VLAN_STRIP = 1ull << 0, APUS_RX_UDP_CKSUM = 1ull << 2,
    APUS_RX_SCATTER = 1ull << 13, APUS_RX_TIMESTAMP = 1ull << 14, APUS_RX_RSS_HASH = 1ull << 19;
static const uint64_t APUS_TX_VLAN_INSERT = 1ull << 0, APUS_TX_UDP_CKSUM = 1ull << 2, APUS_TX_TCP_CKSUM = 1ull << 3,
    APUS_TX_MULTI_SEGS = 1ull << 15;

// Packets by which RSS tells flows apart. With ports: UDP and TCP that is no fragment, over IPv4 and over IPv6.
static const uint64_t APUS_RSS_PORTS = 1ull << 4 | 1ull << 5 | 1ull << 10 | 1ull << 11;
// By addresses: all else of both, without IPv6's variants that take addresses from extension headers.
static const uint64_t APUS_RSS_ADDRESSES = 1ull << 2 | 1ull << 3 | 1ull << 7 | 1ull << 8 | 1ull << 9 | 1ull << 13;

// The flags of a packet (rte_mbuf_core.h).
static const uint64_t APUS_MBUF_RX_RSS_HASH = 1ull << 1, APUS_MBUF_RX_VLAN_STRIPPED = 1ull << 6;
static const uint64_t APUS_MBUF_TX_TCP_CKSUM = 1ull << 52, APUS_MBUF_TX_UDP_CKSUM = 3ull << 52, APUS_MBUF_TX_IPV4 = 1ull << 55,
    APUS_MBUF_TX_IPV6 = 1ull << 56, APUS_MBUF_TX_VLAN = 1ull << 57;
// The length of the IP header in `tx_offload`; that of what is in front of it is below it.
enum { APUS_MBUF_L3_SHIFT = 7 };
// Either: the data lies elsewhere than in the buffer of the mbuf.
static const uint64_t APUS_MBUF_ELSEWHERE = 3ull << 61;
// Both: the field is not filled in, but the packet is whole.
static const uint64_t APUS_MBUF_RX_L4_CKSUM_BAD = 1ull << 3, APUS_MBUF_RX_L4_CKSUM_GOOD = 1ull << 8;
