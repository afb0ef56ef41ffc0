#include "CNUMA.h"

#include <errno.h>
#include <numaif.h>

// Not numa_tonode_memory(3): that writes to standard error when it fails, and tells the caller nothing.
int apus_prefer_node(void *address, size_t length, int node) {
    struct bitmask *nodes = numa_allocate_nodemask();
    if (nodes == NULL) return ENOMEM;
    numa_bitmask_setbit(nodes, (unsigned)node);
    int code = mbind(address, length, MPOL_PREFERRED, nodes->maskp, nodes->size + 1, 0) == 0 ? 0 : errno;
    numa_bitmask_free(nodes);
    return code;
}

int apus_node_of(void *address) {
    int node = -1;
    return get_mempolicy(&node, NULL, 0, address, MPOL_F_NODE | MPOL_F_ADDR) == 0 ? node : -errno;
}
