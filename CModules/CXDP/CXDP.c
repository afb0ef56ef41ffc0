#define _GNU_SOURCE 1
#include "CXDP.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

static _Thread_local char text[8192];
static _Thread_local size_t used;
static _Thread_local int collecting;

static libbpf_print_fn_t bpf_before;
static libxdp_print_fn_t xdp_before;

// Of a message that is too long the end is kept: what the verifier refuses is the last thing it says.
static int append(const char *format, va_list arguments) {
    size_t room = sizeof(text) - used - 1;
    char *message;
    int length = vasprintf(&message, format, arguments);
    if (length < 0)
        return length;
    size_t kept = (size_t)length < room ? (size_t)length : room;
    memcpy(text + used, message + length - kept, kept);
    used += kept;
    text[used] = 0;
    free(message);
    return length;
}

static int bpf_print(enum libbpf_print_level level, const char *format, va_list arguments) {
    if (!collecting)
        return bpf_before ? bpf_before(level, format, arguments) : 0;
    return level == LIBBPF_DEBUG ? 0 : append(format, arguments);
}

static int xdp_print(enum libxdp_print_level level, const char *format, va_list arguments) {
    if (!collecting)
        return xdp_before ? xdp_before(level, format, arguments) : 0;
    return level == LIBXDP_DEBUG ? 0 : append(format, arguments);
}

void apus_xdp_log_begin(void) {
    libbpf_print_fn_t bpf = libbpf_set_print(bpf_print);
    libxdp_print_fn_t xdp = libxdp_set_print(xdp_print);
    if (bpf != bpf_print)
        bpf_before = bpf;
    if (xdp != xdp_print)
        xdp_before = xdp;
    used = 0;
    text[0] = 0;
    collecting = 1;
}

const char *apus_xdp_log_end(void) {
    collecting = 0;
    return text;
}

const char *apus_xdp_bpffs(void) {
    const char *path = secure_getenv("LIBXDP_BPFFS");
    return path ? path : "/sys/fs/bpf";
}

int apus_xdp_has_bpffs(void) {
    struct statfs facts;
    return statfs(apus_xdp_bpffs(), &facts) == 0 && facts.f_type == BPF_FS_MAGIC;
}

// Asks about the interface with this index, by the name that it has now. It and others may be renamed meanwhile: then
// the answer is nobody's.
static int interface_ioctl(int index, unsigned long request, struct ifreq *asked) {
    struct ifreq named = {.ifr_ifindex = index};
    int result, descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    result = ioctl(descriptor, SIOCGIFNAME, &named);
    if (result == 0) {
        memcpy(asked->ifr_name, named.ifr_name, IFNAMSIZ);
        result = ioctl(descriptor, request, asked);
    }
    if (result == 0)
        result = ioctl(descriptor, SIOCGIFINDEX, &named);
    result = result < 0 ? -errno : named.ifr_ifindex == index ? 0 : -ENODEV;
    close(descriptor);
    return result;
}

// The queues of an interface in /sys: "rx" or "tx". At least 1, at most 65535.
static uint64_t count_queues(const char *interface, const char *kind) {
    char path[64 + IFNAMSIZ];
    uint64_t count = 0;
    do
        snprintf(path, sizeof(path), "/sys/class/net/%s/queues/%s-%u", interface, kind, (unsigned)count);
    while (access(path, F_OK) == 0 && ++count < 65535);
    return count ? count : 1;
}

uint64_t apus_xdp_queues(int index) {
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq asked = {.ifr_data = (void *)&channels};
    uint64_t receive, transmit;
    int result = interface_ioctl(index, SIOCETHTOOL, &asked);
    if (result == -ENODEV || result == -ENXIO)
        return 0;
    if (result < 0)
        return count_queues(asked.ifr_name, "rx") | count_queues(asked.ifr_name, "tx") << 32;
    receive = channels.rx_count + channels.combined_count;
    transmit = channels.tx_count + channels.combined_count;
    return (receive ? receive : 1) | (transmit ? transmit : 1) << 32;
}

int apus_xdp_mtu(int index) {
    struct ifreq asked = {0};
    int result = interface_ioctl(index, SIOCGIFMTU, &asked);
    return result < 0 ? result : asked.ifr_mtu;
}

struct bpf_object *apus_xdp_open(const void *object, size_t size, const char *name) {
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
    return bpf_object__open_mem(object, size, &options);
}

int apus_xdp_test_run(int program, const void *packet, uint32_t length) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = length);
    int result = bpf_prog_test_run_opts(program, &options);
    return result < 0 ? result : (int)options.retval;
}

int apus_xdp_replace_fd(int existing, int number) {
    return dup3(existing, number, O_CLOEXEC) < 0 ? -errno : 0;
}

int apus_xdp_read_statistics(int socket, struct apus_xdp_statistics *statistics) {
    socklen_t length = sizeof(*statistics);
    memset(statistics, 0, sizeof(*statistics));
    return getsockopt(socket, SOL_XDP, XDP_STATISTICS, statistics, &length) < 0 ? -errno : 0;
}

int apus_xdp_is_zero_copy(int socket) {
    struct xdp_options options = {0};
    socklen_t length = sizeof(options);
    return getsockopt(socket, SOL_XDP, XDP_OPTIONS, &options, &length) == 0 &&
           (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

// Values of asm-generic/socket.h since Linux 5.11.
enum { PREFER_BUSY_POLL = 69, BUSY_POLL_BUDGET = 70 };

int apus_xdp_busy_poll(int socket, int microseconds, int budget) {
    int yes = 1;
    if (setsockopt(socket, SOL_SOCKET, PREFER_BUSY_POLL, &yes, sizeof(yes)) < 0 ||
        setsockopt(socket, SOL_SOCKET, SO_BUSY_POLL, &microseconds, sizeof(microseconds)) < 0 ||
        setsockopt(socket, SOL_SOCKET, BUSY_POLL_BUDGET, &budget, sizeof(budget)) < 0)
        return -errno;
    return 0;
}

void apus_xdp_send_buffer(int socket, int bytes) {
    if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}
