// libnuma: memory placed on a chosen node, and where it came to lie.
#pragma once
#include <numa.h>
#include <stddef.h>

/// Has pages that are touched from now on taken from a node, if it has some (mbind(2), MPOL_PREFERRED).
/// - Returns: 0, or the error number.
int apus_prefer_node(void *address, size_t length, int node);

/// Where the calling thread's pages come from.
struct apus_memory_policy {
    int mode;
    unsigned long nodes[16];
};

/// Has pages that the calling thread touches from now on taken from a node, if it has some (set_mempolicy(2)); where they came
/// from before goes into `before`.
/// - Returns: 0, or the error number.
int apus_prefer_own(int node, struct apus_memory_policy *before);

/// Has them taken from there again.
void apus_restore_own(const struct apus_memory_policy *before);

/// The node of the page at an address that was touched (get_mempolicy(2)), or the error number, negated.
int apus_node_of(void *address);
