// libmnl and the netlink headers: links, addresses, routes, neighbors.
#pragma once
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
