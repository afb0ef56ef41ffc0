// The C twins of Twins/, which run.sh compiles at -O3.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Compiler and flags the twins were made with.
const char *twins_compiler(void);
/// Octets that this process has allocated and not freed, those of large blocks included.
size_t twins_allocated(void);
/// The version of DPDK in use.
const char *twins_dpdk(void);

// ring.c: rte_ring. `many` is 0 for one producer and one consumer.
struct rte_ring;
struct rte_ring *ring_make(unsigned capacity, int many);
void ring_free(struct rte_ring *ring);
// `in` and `out` point to `bulk` words, at most 64.
void ring_exchange(struct rte_ring *ring, int many, void *in, void *out, unsigned bulk, size_t repeats);
void ring_produce(struct rte_ring *ring, int many, void *in, unsigned bulk, size_t repeats);
void ring_consume(struct rte_ring *ring, int many, void *out, unsigned bulk, size_t repeats);

// flow.h: what FlowHeaders, UDPEncapsulation and RTPHeader hold.
struct tags {
    uint8_t count;
    uint16_t first_type, first, second_type, second;
};

enum { FLOW_IPV6 = 1, FLOW_DONT_FRAGMENT = 4 };

struct flow {
    uint64_t source_high, source_low, destination_high, destination_low;
    uint16_t source_port, destination_port, network_offset, transport_offset, udp_length, udp_checksum;
    struct tags tags;
    uint8_t hop_limit, traffic_class, flags;
};

struct rtp {
    uint8_t payload_type;
    uint8_t marker;
    uint16_t sequence;
    uint32_t timestamp, ssrc;
};

struct encapsulation {
    uint64_t next_hop, interface;
    struct tags tags;
    uint8_t is_ipv6, hop_limit, traffic_class;
    uint16_t source_port, destination_port;
    uint32_t flow_label;
    uint64_t source_high, source_low, destination_high, destination_low;
};

// wire.c: parse and write the headers of `count` frames, `repeats` times; false if one is refused.
struct frame_bytes {
    uint8_t *bytes;
    size_t size;
};
_Bool wire_parse(const struct frame_bytes *frames, size_t count, struct flow *flows, struct rtp *rtps, size_t repeats);
_Bool wire_encode(const struct frame_bytes *frames, size_t count, const struct encapsulation *headers,
                  const struct rtp *rtps, size_t repeats);

// pool.c: rte_mempool. DPDK has to run.
struct rte_mempool;
struct rte_mempool *pool_make(unsigned count, unsigned size);
void pool_free(struct rte_mempool *pool);
void pool_exchange(struct rte_mempool *pool, unsigned bulk, size_t repeats);
void pool_take(struct rte_mempool *pool, struct rte_ring *ring, unsigned bulk, size_t repeats);
void pool_give(struct rte_mempool *pool, struct rte_ring *ring, unsigned bulk, size_t repeats);

// dpdk.c: a device of DPDK's, which has to run: the twins are guests in the environment that Apus has started.
enum { DEVICE_BURST = 32 };
struct dpdk_port;
/// Makes this thread one of those that have caches in DPDK's pools.
void dpdk_join(void);
/// Some of DPDK's memory, up to 1 MiB by chance, so that what is made next lies elsewhere each time.
void *dpdk_gap(void);
void dpdk_gap_free(void *gap);
/// What testpmd reads at the beginning and end of a pass.
uint64_t dpdk_ticks(void);
/// NULL, and errno, when there is no such device or no memory.
struct dpdk_port *dpdk_open(const char *device, const char *name, unsigned frames, unsigned descriptors);
void dpdk_close(struct dpdk_port *port);
/// Hands it `count` packets of these octets; how many it took.
size_t dpdk_send(struct dpdk_port *port, const uint8_t *bytes, size_t size, size_t count);
/// Takes one packet out, and copies it: its octets, or 0.
size_t dpdk_take(struct dpdk_port *port, uint8_t *bytes, size_t room);
/// Receives a burst, exchanges link-layer addresses if it is to, and sends it, so many times; how many packets were sent.
size_t dpdk_forward(struct dpdk_port *port, int swaps, size_t passes);

// echo.c: two ports in memory, between which `packets` of these bytes go back and forth.
struct echo;
struct echo *echo_make(const uint8_t *bytes, size_t size, size_t packets);
void echo_free(struct echo *echo);
size_t echo_run(struct echo *echo, size_t bursts, size_t repeats);

// forward.c: a forwarder between two ports in memory, a camera and a screen. It receives `batch` packets at a time.
struct forward_setup {
    size_t streams, fan_out, frames, ring, batch;
    uint64_t macs[2], own[2];
    // Each stream listens at this IPv4 address, at a port of its own from the first on.
    uint64_t listen;
    uint16_t first_port;
    // `fan_out` for each stream.
    const struct encapsulation *destinations;
    // A frame of `size` octets for each stream.
    const uint8_t *templates;
    size_t size;
};
struct forward;
struct forward *forward_make(const struct forward_setup *setup);
void forward_free(struct forward *forward);
void forward_fill(struct forward *forward, size_t count);
size_t forward_work(struct forward *forward, size_t wanted);
size_t forward_drain(struct forward *forward, uint8_t *bytes);
uint64_t forward_sent(const struct forward *forward);

// Ports over veth: how often nothing may come before a round is over, and the octets of Ethernet, IPv4 and UDP headers.
enum { IDLE_LIMIT = 1 << 20, HEADERS = 42 };

// xdp.c: a port over an AF_XDP socket.
struct xdp_port;
struct xdp_port *xdp_open(const char *interface, int is_generic, size_t frames, unsigned ring);
void xdp_close(struct xdp_port *port);
size_t xdp_drain(struct xdp_port *port, size_t wanted);
size_t xdp_echo(struct xdp_port *port, size_t wanted);
size_t xdp_send(struct xdp_port *port, const uint8_t *headers, size_t size, size_t wanted);
int xdp_default_program(const char *interface, int is_generic);
int xdp_mode(const char *interface);
const char *twins_libxdp(void);
const char *libbpf_version_string(void);

// forward_xdp.c: a forwarder over such a port, which is its own from then on. Of the setup `frames`, `ring`, `batch` and
// `templates` are not used, and the second of `macs` neither.
struct forward_xdp;
struct forward_xdp *forward_xdp_make(const struct forward_setup *setup, struct xdp_port *port);
void forward_xdp_free(struct forward_xdp *forward);
size_t forward_xdp_work(struct forward_xdp *forward, size_t wanted);
uint64_t forward_xdp_sent(struct forward_xdp *forward);

// packet_socket.c: a port over a packet socket.
struct packet_port;
struct packet_port *packet_open(const char *interface, size_t frames, size_t slots);
void packet_close(struct packet_port *port);
size_t packet_drain(struct packet_port *port, size_t wanted);
size_t packet_echo(struct packet_port *port, size_t wanted);
size_t packet_send(struct packet_port *port, const uint8_t *headers, size_t size, size_t wanted);

// veth.c: what is at the far end.
int veth_open(const char *interface, int receives);
size_t veth_send(int file, const uint8_t *frames, size_t size, size_t distance, size_t count);
size_t veth_receive(int file, uint8_t *frame, size_t room);
int child_start(const char *command, int *input, int *output);
int child_tell(int input, const void *text, size_t size);
void child_end(int child, int input, int output);

// crypto.c: AEAD by bare calls of OpenSSL (0) or ipsec-mb (1); AES-128-GCM (0) or ChaCha20-Poly1305 (1). NULL if there is none.
struct aead;
struct aead *aead_make(int library, int algorithm, const void *key, const void *vector);
void aead_free(struct aead *aead);
// Seals a packet in place behind its header, `repeats` times, each with the next number; `keyed` gives the key with each.
// It ends with the tag. False if the library refuses one.
_Bool aead_seal(struct aead *aead, int keyed, void *packet, size_t header, size_t size, size_t repeats);
// Copies a sealed packet and opens the copy, `repeats` times, always with the same number.
_Bool aead_open(struct aead *aead, const void *sealed, void *packet, size_t header, size_t size, size_t repeats);
